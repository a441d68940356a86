"""The exercises of lesson 08 as learners answer them: a hint follows what the code does, however it is written."""

import statistics

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segedu.classroom.exercises import shootout
from segedu.classroom.explorers.budget_ranking import front

# The front


def with_arrays(costs, scores):
    costs, scores = np.array(costs), np.array(scores)
    beaten = (costs <= costs[:, None]) & (scores >= scores[:, None])
    beaten &= (costs < costs[:, None]) | (scores > scores[:, None])
    return ~beaten.any(1)


def by_sorting(costs, scores):
    on, best = [False] * len(costs), float("-inf")
    for cost in sorted(set(costs)):
        top = max(score for own, score in zip(costs, scores, strict=True) if own == cost)
        for place, pair in enumerate(zip(costs, scores, strict=True)):
            on[place] |= pair == (cost, top) and top > best
        best = max(best, top)
    return on


@pytest.mark.parametrize("answer", [with_arrays, by_sorting, front])
def test_right_fronts_pass_however_written(answer):
    assert shootout.pareto_front.check(answer).status == "right"


@settings(deadline=None, max_examples=15)
@given(nets=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_for_every_budget_the_best_buy_is_on_the_front(nets):
    costs, scores = map(list, zip(*nets, strict=True))
    kept = shootout.pareto_front.solution(costs, scores)
    assert kept == by_sorting(costs, scores)
    for budget in costs:
        affordable = [score for cost, score in nets if cost <= budget]
        assert max(affordable) in [score for (cost, score), on in zip(nets, kept, strict=True) if on and cost <= budget]


def as_a_loop(beats):
    """An answer in a learner's words; ``beats`` says whether one pair removes another."""

    def answer(costs, scores):
        on = []
        for i in range(len(costs)):
            removed = any(beats(costs[j], scores[j], costs[i], scores[i]) for j in range(len(costs)) if j != i)
            on.append(not removed)
        return on

    return answer


def running_best(costs, scores):
    best, on = -1, [False] * len(costs)
    for place in np.argsort(costs, kind="stable"):
        if scores[place] > best:
            on[place], best = True, scores[place]
    return on


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (as_a_loop(lambda c, s, d, t: c <= d and s >= t), "equals beat each other"),
        (as_a_loop(lambda c, s, d, t: c < d and s > t), "only by one that is cheaper and better"),
        (as_a_loop(lambda c, s, d, t: not c > d and s > t), "scores as much as a cheaper one"),
        (as_a_loop(lambda c, s, d, t: c < d and not s < t), "costs the same and scores more"),
        (running_best, "one pass by cost is a good idea"),
        (lambda costs, scores: ~with_arrays(costs, scores), "tells who is beaten"),
        (lambda costs, scores: np.flatnonzero(with_arrays(costs, scores)), "the numbers of the networks"),
        (
            lambda costs, scores: [s / c == max(np.divide(scores, costs)) for c, s in zip(costs, scores, strict=True)],
            "each unit of cost",
        ),
        (lambda costs, scores: [True] * len(costs), "the list of who is on the front is [1, 1, 1, 1]"),
        (lambda costs, scores: "all", "return a list of True and False"),
    ],
)
def test_wrong_fronts_get_their_hint(answer, words):
    assert words in shootout.pareto_front.check(answer).hint


# Multiply-adds


def from_shapes(channels, size, kernel, stride, padding, dilation, groups):
    layer = nn.Conv2d(*channels, kernel, stride, padding, dilation, groups)
    return layer(torch.zeros(1, channels[0], *size)).numel() * layer.weight[0].numel()


def from_the_formula(channels, size, kernel, stride, padding, dilation, groups):
    cells = 1
    for side in size:
        cells *= (side + 2 * padding - (dilation * (kernel - 1) + 1)) // stride + 1
    return cells * channels[1] * (channels[0] // groups) * kernel * kernel


@pytest.mark.parametrize("answer", [from_shapes, from_the_formula])
def test_right_counts_pass_however_written(answer):
    assert shootout.conv_macs.check(answer).status == "right"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda c, hw, k, s, p, d, g: from_shapes(c, hw, k, s, p, d, g) * d * d, "dilation multiplies the work"),
        (lambda c, hw, k, s, p, d, g: from_shapes(c, hw, k, s, p, d, g) * g, "groups are left out"),
        (lambda c, hw, k, s, p, d, g: 2 * from_shapes(c, hw, k, s, p, d, g), "as FLOPs do"),
        (lambda c, hw, k, s, p, d, g: c[0] * c[1] // g * k * k, "these are the weights"),
        (lambda c, hw, k, s, p, d, g: hw[0] * hw[1] * c[0] * c[1] // g * k * k, "the map that comes in is counted"),
        (lambda c, hw, k, s, p, d, g: from_shapes(c, hw, k, s, p, d, g) // k, "along one side only"),
        (lambda c, hw, k, s, p, d, g: from_the_formula(c, hw, k, s, p / 2, d, g), "the padding is added once"),
        (lambda c, hw, k, s, p, d, g: 12, "it should be"),
        (lambda c, hw, k, s, p, d, g: hw, "return one number"),
    ],
)
def test_wrong_counts_get_their_hint(answer, words):
    assert words in shootout.conv_macs.check(answer).hint


# Latency


def with_numpy(times, warmup):
    return np.median(times[warmup:])


def by_hand(times, warmup):
    kept = sorted(times[warmup:])
    return (kept[(len(kept) - 1) // 2] + kept[len(kept) // 2]) / 2


@pytest.mark.parametrize("answer", [with_numpy, by_hand])
def test_right_latencies_pass_however_written(answer):
    assert shootout.fair_latency.check(answer).status == "right"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda times, warmup: np.mean(times[warmup:]), "this is the mean. One call"),
        (lambda times, warmup: sum(times) / len(times), "and of all calls"),
        (lambda times, warmup: np.median(times), "the first calls are among them"),
        (lambda times, warmup: sorted(times[warmup:])[0], "this is the fastest call. It says"),
        (lambda times, warmup: torch.tensor(times[warmup:]).median(), "the lower of the middle two"),
        (lambda times, warmup: statistics.median(times[warmup:]) * 1e-3, "in seconds"),
        (lambda times, warmup: times[warmup:], "return one number for the whole batch"),
    ],
)
def test_wrong_latencies_get_their_hint(answer, words):
    assert words in shootout.fair_latency.check(answer).hint
