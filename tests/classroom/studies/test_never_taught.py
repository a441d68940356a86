"""The study of classes never taught: what is hidden, what is ranked, and by which settings its record was taken."""

import math

import pytest
import torch
from torch.utils.data import TensorDataset

from segedu import ood
from segedu.classroom.studies import load, never_taught
from segedu.classroom.trial import pictures
from segedu.metrics import Ranking

CAR, BICYCLIST, ROAD = map(never_taught.index, ("Car", "Bicyclist", "Road"))


@pytest.fixture(scope="module")
def scenes():
    return pictures("streets", "val", 4, (64, 96))


def test_the_record_is_whole():
    kept = load("never_taught")
    assert [*kept.figures] == [*never_taught.SETS]
    for nets in kept.figures.values():
        assert [*nets] == [*never_taught.NETS]
        for runs in nets.values():
            assert len(runs) == len(never_taught.SEEDS)
            for run in runs:
                assert [*run] == ["early", "late"]
                assert all(_is_whole(judged) for judged in run.values())


def _is_whole(judged):
    for name in never_taught.HELD_OUT:
        found = judged[name]
        assert sum(found["called"].values()) == pytest.approx(1)
        assert not {*found["called"]} & {*never_taught.HELD_OUT}
        for kind in ("ranks", "away from borders"):
            assert [*found[kind]] == [*never_taught.SCORES]
            assert all(0 <= value <= 1 for ranks in found[kind].values() for value in ranks.values())
    return math.isfinite(judged["mean_iou"])


def test_what_is_not_taught_is_void_and_all_else_is_kept(scenes):
    labels = scenes.tensors[1]
    taught = never_taught.taught(labels)
    hidden = (labels == CAR) | (labels == BICYCLIST)
    assert hidden.any()
    assert (taught[hidden] == 255).all()
    assert torch.equal(taught[~hidden], labels[~hidden])


def test_the_net_never_learns_the_held_out_classes(scenes):
    """With nothing but cars in the labels there is no loss, and so no gradient to learn from."""
    images, labels = scenes.tensors
    looks = []
    alone = TensorDataset(images, labels.masked_fill(labels != CAR, 255))
    first, again = (never_taught.learnt("FCN-8s", 1, alone, 2, looks.append) for _ in range(2))
    assert looks == []  # shorter than EARLY
    for score in first.score.values():
        assert torch.equal(score.weight, torch.zeros_like(score.weight))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_the_target_has_the_unknown_the_taught_and_nothing_else():
    labels = torch.tensor([[[ROAD, CAR, BICYCLIST, 255]]])
    target = never_taught.target_of(labels, labels == CAR)
    assert target.tolist() == [[[0, 1, 255, 255]]]


def test_scores_carry_their_own_names():
    logits = torch.randn(1, 11, 3, 4, generator=torch.Generator().manual_seed(0))
    scores = never_taught.scores_of(logits)
    for name in never_taught.SCORES:
        assert torch.equal(scores[name], getattr(ood, name.replace(" ", "_"))(logits))


def test_ranks_are_the_package_s(scenes):
    labels = scenes.tensors[1]
    target = never_taught.target_of(labels, labels == CAR)
    score = torch.randn(labels.shape, generator=torch.Generator().manual_seed(0)) + (labels == CAR)
    ranking = Ranking()
    ranking.update(score, target)
    kept = ranking.scores()
    assert [*never_taught.ranks(score, target).values()] == [kept.auroc, kept.average_precision, kept.fpr_at_95_tpr]


@pytest.mark.parametrize("width", [1, 2])
def test_the_border_is_where_a_square_holds_two_labels(width):
    labels = torch.randint(0, 2, (2, 9, 11), generator=torch.Generator().manual_seed(0)).cumprod(2) * 255
    found = never_taught.on_border(labels, width)
    for n, row, col in torch.cartesian_prod(torch.arange(2), torch.arange(9), torch.arange(11)).tolist():
        square = labels[n, max(row - width, 0) : row + width + 1, max(col - width, 0) : col + width + 1]
        assert bool(found[n, row, col]) == (len(square.unique()) > 1)


def test_names_are_shares_from_the_most_frequent_on():
    logits = torch.zeros(1, 11, 1, 5)
    logits[0, ROAD, 0, :3], logits[0, CAR, 0, 3:] = 1, 1
    where = torch.tensor([[[True, True, False, True, False]]])
    assert never_taught.called(logits, where) == {"Road": pytest.approx(2 / 3), "Car": pytest.approx(1 / 3)}


def test_a_perfect_net_has_the_taught_classes_right(scenes):
    labels = scenes.tensors[1]
    logits = torch.nn.functional.one_hot(labels.where(labels < 11, 0), 11).movedim(-1, 1).float()
    assert never_taught.taught_iou(logits, labels) == pytest.approx(100)


@pytest.mark.parametrize("net", never_taught.NETS)
def test_every_net_is_judged_by_every_score(net, scenes):
    build, _ = never_taught.NETS[net]
    torch.manual_seed(0)
    judged = never_taught.judged(build(), scenes)
    assert [*judged] == ["mean_iou", *never_taught.HELD_OUT]
    assert 0 < judged["Car"]["share"] < 0.5
