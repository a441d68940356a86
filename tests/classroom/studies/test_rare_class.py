"""The study of a rare class: its parts, and that its record is whole."""

import math

import pytest
import torch
from torch.utils.data import TensorDataset

from segedu import losses
from segedu.classroom.studies import load, rare_class


def test_the_record_is_whole():
    kept = load("rare_class")
    assert [*kept.figures] == [*rare_class.arms(torch.tensor([[0, 0, 1]]))]
    for runs in kept.figures.values():
        assert len(runs) == len(rare_class.SEEDS)
        for run in runs:
            assert len(run) == rare_class.STEPS // rare_class.EVERY
            assert all(math.isfinite(value) for look in run for value in look.values())
            assert all(look["IoU"] <= look["best IoU"] <= 100 for look in run)


def test_the_weights_give_both_classes_the_same_say():
    labels = torch.tensor([[0, 0, 0, 1, 255]])
    weight = rare_class.arms(labels)["weighted"].weight
    assert weight.tolist() == pytest.approx([4 / 6, 2.0])


def test_one_class_is_told_from_all_others_and_void_stays():
    pole, road = (rare_class.one_class("streets", "val", 2, index).tensors[1] for index in (rare_class.POLE, 3))
    assert {*pole.unique().tolist()} == {*road.unique().tolist()} == {0, 1, 255}
    assert torch.equal(pole == 255, road == 255)
    assert not ((pole == 1) & (road == 1)).any()


def test_iou_by_cut_is_that_of_each_cut():
    draws = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 2, 9, 7, generator=draws)
    labels = torch.tensor([0, 1, 255])[torch.randint(0, 3, (2, 9, 7), generator=draws)]
    curve = rare_class.iou_by_cut(logits, labels, cuts=20)
    valid, p = labels != 255, logits.softmax(1)[:, 1]
    for at in range(20):
        called = (p >= at / 20) & valid
        true = labels == 1
        assert float(curve[at]) == pytest.approx(float((called & true).sum() / (called | true).sum()))


def test_a_net_is_judged_by_scores_and_losses():
    labels = torch.tensor([[[1, 1, 0, 0], [0, 0, 0, 255]]])
    called = torch.tensor([[[1, 0, 1, 0], [0, 0, 0, 1]]])
    logits = torch.stack([-9.0 * called, 9.0 * called - 9], 1)
    found = rare_class.judged(logits, labels)
    assert found["accuracy"] == pytest.approx(100 * 5 / 7)
    assert [found[name] for name in ("precision", "recall", "IoU", "predicted")] == pytest.approx(
        [50, 50, 100 / 3, 100]
    )
    assert found["Dice loss"] == pytest.approx(float(losses.dice_loss(logits, labels)))
    nothing = rare_class.judged(torch.stack([0.0 * called, 0.0 * called - 9], 1), labels)
    assert (nothing["precision"], nothing["IoU"], nothing["predicted"]) == (0, 0, 0)


def test_a_seed_decides_everything_and_looks_change_nothing(monkeypatch):
    monkeypatch.setattr(rare_class, "EVERY", 1)
    training = TensorDataset(*(part[:4] for part in rare_class.one_class("streets", "val", 4).tensors))
    seen = []
    first = rare_class.learnt(losses.DiceLoss(), 1, training, 2, lambda net: seen.append(net.training))
    again = rare_class.learnt(losses.DiceLoss(), 1, training, 2)
    assert len(seen) == 2
    for one, other in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)
