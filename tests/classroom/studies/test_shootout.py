"""The study of the shoot-out: its networks, and that its record is whole."""

import math

import pytest
import torch

from segedu.classroom.studies import load, shootout
from segedu.classroom.trial import pictures

SCORES = ["mean_iou", "boundary_f1", *shootout.data.Streets.classes]


def test_the_record_is_whole():
    kept = load("shootout")
    assert [*kept.figures["scores"]] == [*shootout.DATA]
    for nets in kept.figures["scores"].values():
        assert [*nets] == [*shootout.NETS]
        for runs in nets.values():
            assert [[*run] for run in runs] == [SCORES] * len(shootout.SEEDS)
            assert all(math.isfinite(value) and 0 <= value <= 100 for run in runs for value in run.values())


def test_each_network_has_the_best_of_the_rates_that_were_tried_with_another_seed():
    figures = load("shootout").figures
    assert shootout.TRIAL_SEED not in shootout.SEEDS
    for name, tried in figures["trials"].items():
        assert [*map(float, tried)] == [*shootout.RATES]
        assert tried[str(figures["rates"][name])] == max(tried.values())


@pytest.mark.parametrize("name", shootout.NETS)
def test_a_network_is_small_and_scores_every_pixel(name):
    with torch.device("meta"):
        small, published = shootout.NETS[name].small().eval(), shootout.NETS[name].published()
        assert small(torch.empty(1, 3, 45, 70))["out"].shape == (1, shootout.CLASSES, 45, 70)
    assert 100_000 < shootout.carried(small) < 300_000
    assert shootout.carried(published) > 40 * shootout.carried(small)
    assert type(small) is type(published)


def test_auxiliary_heads_are_not_carried_home():
    with torch.device("meta"):
        net = shootout.NETS["BiSeNet"].small()
        whole = sum(values.numel() for values in net.parameters())
        del net.aux_heads
    assert shootout.carried(net) == sum(values.numel() for values in net.parameters()) < whole


def test_rare_classes_weigh_more_and_a_seed_decides_everything():
    training = pictures("streets", "train", 4, (64, 64))
    weights = shootout.weighed(training)
    labels = training.tensors[1]
    pixels = labels[labels != 255].bincount(minlength=shootout.CLASSES)
    present = [place for place in range(shootout.CLASSES) if pixels[place]]
    assert sorted(present, key=lambda place: weights[place]) == sorted(present, key=lambda place: -pixels[place])
    first, again = (shootout.learnt("FCN-32s", 1, training, 2, 0.01) for _ in range(2))
    for one, other in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)
