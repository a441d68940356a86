"""The exercises of lesson 09 as learners answer them: a hint follows what the code does, however it is written."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segedu import ood
from segedu.classroom.exercises import unknowns
from segedu.metrics import Ranking


def ranked(seed, step=0.25):
    """Scores with ties, a target with void, and what the package's own ranking says of them."""
    draw = torch.Generator().manual_seed(seed)
    scores = (torch.randn(2, 6, 7, generator=draw) / step).round() * step
    target = torch.tensor([0, 0, 1, 255])[torch.randint(0, 4, (2, 6, 7), generator=draw)]
    target[0, 0, :2] = torch.tensor([0, 1])
    ranking = Ranking()
    ranking.update(scores, target)
    return scores, target, ranking.scores()


# Energy


def shifted(logits, temperature):
    top = logits.max(1).values
    return -top - temperature * torch.exp((logits - top[:, None]) / temperature).sum(1).log()


def by_pairs(logits, temperature):
    total = logits[:, 0] / temperature
    for one in logits[:, 1:].unbind(1):
        total = torch.logaddexp(total, one / temperature)
    return total * -temperature


@pytest.mark.parametrize("answer", [shifted, by_pairs, ood.energy])
def test_right_energies_pass_however_written(answer):
    assert unknowns.energy.check(answer).status == "right"


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999), temperature=st.floats(0.1, 10))
def test_the_solution_is_the_package_s_energy(seed, temperature):
    logits = 20 * torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(unknowns.energy.solution(logits, temperature), ood.energy(logits, temperature))


def with_numpy(logits, temperature):
    with np.errstate(all="ignore"):
        return -temperature * np.log(np.exp(logits.numpy() / temperature).sum(1))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, t: -shifted(x, t), "the sign is missing"),
        (lambda x, t: shifted(x, t) / t, "stands inside only"),
        (lambda x, t: t * shifted(x, 1), "stands in front only"),
        (lambda x, t: t * shifted(x * t, 1), "multiplied by T"),
        (lambda x, t: shifted(x, t) / t**2, "divided by T; it is to be multiplied"),
        (lambda x, t: shifted(x, 1), "the temperature is not used"),
        (lambda x, t: torch.from_numpy(with_numpy(x, t)), "infinite for large ones"),
        (lambda x, t: shifted(x, t) + x.amax(1), "not added again"),
        (lambda x, t: -t * (x / t).softmax(1).max(1).values.log(), "made of the largest probability"),
        (lambda x, t: t * shifted((x / t).softmax(1), 1), "the softmax was taken first"),
        (lambda x, t: torch.zeros(x[:, 0].shape), "this is 0 everywhere"),
        (lambda x, t: shifted(x, t) + t * np.log(x.shape[1]), "the mean of the exponentials"),
        (lambda x, t: -x.max(1).values, "minus the largest logit"),
        (lambda x, t: -x.sum(1) / x.shape[1], "minus the mean of the logits"),
        (lambda x, t: -t * (x / t).logsumexp((1, 2, 3)).view(-1, 1, 1), "runs over all pixels of a picture"),
        (lambda x, t: shifted(x, t)[:, None], "a dimension of size 1"),
        (lambda x, t: shifted(x, t).sum(), "has shape (); it should be (2, 3, 4)"),
        (with_numpy, "return a tensor"),
    ],
)
def test_wrong_energies_get_their_hint_however_written(answer, words):
    assert words in unknowns.energy.check(answer).hint


# False alarms


def cut(scores, target, found=0.95):
    """The first threshold, by trying all."""
    positives = scores[target == 1]
    for threshold in sorted(set(positives.tolist()), reverse=True):
        if float((positives >= threshold).double().mean()) >= found:
            return threshold
    return None


def above(scores, target, threshold):
    return float((scores[target == 0] >= threshold).double().mean())


def by_trying(scores, target):
    return above(scores, target, cut(scores, target))


def by_sorting(scores, target):
    known, found = scores[target == 0].numpy(), np.sort(scores[target == 1].numpy())
    return (known >= found[int(0.05 * len(found))]).mean()


def by_ranking(scores, target):
    ranking = Ranking(bits=22)
    ranking.update(scores, target)
    return ranking.scores().fpr_at_95_tpr


@pytest.mark.parametrize("answer", [by_trying, by_sorting, by_ranking])
def test_right_false_alarms_pass_however_written(answer):
    assert unknowns.fpr_at_95_tpr.check(answer).status == "right"


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999))
def test_the_solutions_are_the_package_s_ranking(seed):
    scores, target, right = ranked(seed)
    assert float(unknowns.fpr_at_95_tpr.solution(scores, target)) == pytest.approx(right.fpr_at_95_tpr)
    assert float(unknowns.auroc.solution(scores, target)) == pytest.approx(right.auroc)


def each_picture(answer):
    return lambda scores, target: np.mean([answer(*one) for one in zip(scores, target, strict=True)])


def void_as(kind, answer):
    return lambda scores, target: answer(scores, target.where(target != 255, kind))


def swapped(scores, target):
    known = scores[target == 0].sort(descending=True).values
    threshold = known[int(np.ceil(0.05 * len(known))) - 1]
    return (scores[target == 1] >= threshold).double().mean()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda s, t: (s[t == 0] > cut(s, t)).double().mean(), "are let off"),
        (lambda s, t: above(s, t, cut(s, t, 0.9501)), "goes on until more than 95 %"),
        (lambda s, t: above(s, t, np.quantile(s[t == 1], 0.05)), "the threshold is interpolated"),
        (void_as(0, by_trying), "void is counted as known"),
        (void_as(1, by_trying), "void is counted as unknown"),
        (lambda s, t: by_trying(-s, t), "upside down"),
        (lambda s, t: 1 - by_trying(s, t), "left in peace"),
        (lambda s, t: above(s, t, cut(s, t, 0.05)), "finds 5 % of the unknown"),
        (swapped, "the two kinds are swapped"),
        (lambda s, t: above(s, t, np.quantile(s[t == 0], 0.95)), "the threshold comes from the known pixels"),
        (lambda s, t: 1 - 1 / (1 + (s[t == 0] >= cut(s, t)).sum() / (s[t == 1] >= cut(s, t)).sum()), "1 - precision"),
        (lambda s, t: (s[t == 0] >= cut(s, t)).sum() / (t != 255).sum(), "divided by all pixels"),
        (each_picture(by_trying), "a threshold of its own"),
        (lambda s, t: 100 * by_trying(s, t), "in per cent"),
        (lambda s, t: s[t == 0] >= cut(s, t), "return one number"),
        (lambda s, t: by_trying(s, t) / 2, "it should be"),
    ],
)
def test_wrong_false_alarms_get_their_hint_however_written(answer, words):
    assert words in unknowns.fpr_at_95_tpr.check(answer).hint


def test_pixels_passed_one_by_one_are_told():
    def answer(scores, target):
        pairs = [(-s, t) for s, t in zip(scores.flatten().tolist(), target.flatten().tolist(), strict=True) if t < 2]
        kinds = np.array([kind for _, kind in sorted(pairs, key=lambda pair: pair[0])])
        reached = np.argmax(np.cumsum(kinds) >= 0.95 * kinds.sum() - 1e-9)
        return (kinds[: reached + 1] == 0).sum() / (kinds == 0).sum()

    assert "passed one after another" in unknowns.fpr_at_95_tpr.check(answer).hint


# Ordered pairs


def by_loops(scores, target, tie=0.5):
    unknown, known = scores[target == 1].tolist(), scores[target == 0].tolist()
    return sum((u > k) + tie * (u == k) for u in unknown for k in known) / (len(unknown) * len(known))


def by_ranks(scores, target):
    kept = target != 255
    values, positive = scores[kept].double(), target[kept] == 1
    order, number = values.sort().values, positive.sum()
    places = (torch.searchsorted(order, values) + torch.searchsorted(order, values, right=True) + 1) / 2
    return (places[positive].sum() - number * (number + 1) / 2) / (number * (~positive).sum())


def by_trapezoids(scores, target):
    cuts = [float("inf"), *sorted(set(scores[target != 255].tolist()), reverse=True)]
    curve = [[float((scores[target == kind] >= one).double().mean()) for one in cuts] for kind in (0, 1)]
    return np.trapezoid(curve[1], curve[0])


@pytest.mark.parametrize("answer", [by_loops, by_ranks, by_trapezoids])
def test_right_aurocs_pass_however_written(answer):
    assert unknowns.auroc.check(answer).status == "right"


def rank_sum(scores, target):
    number, others = (target == 1).sum(), (target == 0).sum()
    return by_ranks(scores, target) + (number + 1) / (2 * others)


def in_pictures(scores, target):
    right = pairs = 0
    for one in zip(scores, target, strict=True):
        count = int((one[1] == 1).sum()) * int((one[1] == 0).sum())
        right, pairs = right + count * by_loops(*one), pairs + count
    return right / pairs


def average_precision(scores, target):
    ranking = Ranking(bits=22)
    ranking.update(scores, target)
    return ranking.scores().average_precision


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda s, t: by_loops(s, t, tie=0), "a tie counts nothing"),
        (lambda s, t: by_loops(s, t, tie=1), "a tie counts as right"),
        (lambda s, t: 1 - by_ranks(s, t), "the known pixel is higher"),
        (void_as(0, by_ranks), "void is counted as known"),
        (void_as(1, by_ranks), "void is counted as unknown"),
        (each_picture(by_ranks), "the mean over pictures"),
        (in_pictures, "pairs are made inside a picture only"),
        (lambda s, t: (by_ranks(s, t) - 0.5) * 2, "the Gini coefficient"),
        (lambda s, t: by_ranks(s, t) * (t == 1).sum() * (t == 0).sum(), "Mann and Whitney"),
        (
            lambda s, t: by_ranks(s, t) * (t == 1).sum() * (t == 0).sum() * 2 / ((t < 2).sum() * ((t < 2).sum() - 1)),
            "all that pixels can form",
        ),
        (rank_sum, "their places among themselves"),
        (average_precision, "this is the average precision"),
        (lambda s, t: ((s > 0) == (t == 1))[t != 255].double().mean(), "the accuracy of one threshold"),
        (lambda s, t: 100 * by_ranks(s, t), "in per cent"),
        (lambda s, t: by_ranks(s, t) / 2, "it should be"),
    ],
)
def test_wrong_aurocs_get_their_hint_however_written(answer, words):
    assert words in unknowns.auroc.check(answer).hint
