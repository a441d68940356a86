"""Exercise: ``pareto_front(costs, scores)``, for each network whether it is on the front.

Both are lists of one number for each network: a cost, the lower the better, and a score, the higher the better. A
network is beaten by another that costs no more and scores no less, and is better in at least one of the two; the front
is what is left. Equals in both do not beat each other.
"""

import reprlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from segedu.classroom.exercises.exercise import Answer, Exercise, Hint, Mistake, Observed

Beats = Callable[[float, float, float, float], bool]


def _flags(returned: Any) -> Observed:
    try:
        values = torch.as_tensor(returned)
    except (TypeError, ValueError, RuntimeError):
        raise Hint(f"return a list of True and False; the function returns {reprlib.repr(returned)}.") from None
    return {"the list of who is on the front": values.int()}


def _unbeaten(beats: Beats) -> Answer:
    """Who is left when ``beats(cost, score, own cost, own score)`` says which network removes another."""

    def answer(costs: list[float], scores: list[float]) -> list[bool]:
        pairs = list(zip(costs, scores, strict=True))
        return [
            not any(beats(*other, *own) for at, other in enumerate(pairs) if at != me) for me, own in enumerate(pairs)
        ]

    return answer


def _no_worse(cost: float, score: float, own: float, reached: float) -> bool:
    return cost <= own and score >= reached


_right = _unbeaten(lambda c, s, own, reached: _no_worse(c, s, own, reached) and (c, s) != (own, reached))


def _by_cost(costs: list[float], scores: list[float]) -> list[bool]:
    """One pass over the networks by cost, in which those of one cost come in the order given."""
    best, kept = float("-inf"), [False] * len(costs)
    for place in sorted(range(len(costs)), key=costs.__getitem__):
        kept[place] = scores[place] > best
        best = max(best, scores[place])
    return kept


def _above_neighbour(costs: list[float], scores: list[float]) -> list[bool]:
    """As before, but compared with the next cheaper network alone."""
    order = sorted(range(len(costs)), key=lambda place: (costs[place], -scores[place]))
    kept = [True] * len(costs)
    for before, place in pairwise(order):
        kept[place] = scores[place] > scores[before] or (costs[place], scores[place]) == (costs[before], scores[before])
    return kept


def _hull(costs: list[float], scores: list[float]) -> list[bool]:
    """Those of the front that no line between two others passes above."""
    front = [place for place, on in enumerate(_right(costs, scores)) if on]

    def under(place: int) -> bool:
        left = [(costs[a], scores[a]) for a in front if costs[a] < costs[place]]
        right = [(costs[b], scores[b]) for b in front if costs[b] > costs[place]]
        own, reached = costs[place], scores[place]
        return any((own - a[0]) * (b[1] - a[1]) / (b[0] - a[0]) + a[1] > reached for a in left for b in right)

    return [place in front and not under(place) for place in range(len(costs))]


def _probes() -> list[tuple[list[float], list[float]]]:
    """A plain case; one cost or one score shared; equals; a dent in the front; a single network."""
    return [
        ([1, 2, 3, 4], [10, 30, 20, 40]),
        ([4, 2, 2, 1], [50, 20, 30, 10]),
        ([1, 2, 3], [10, 20, 20]),
        ([2, 2, 1], [30, 30, 10]),
        ([1, 2, 3, 4, 5], [10, 11, 5, 7, 40]),
        ([3], [7]),
    ]


def _best_ratio(costs: list[float], scores: list[float]) -> list[bool]:
    ratios = [score / cost for cost, score in zip(costs, scores, strict=True)]
    return [ratio == max(ratios) for ratio in ratios]


pareto_front = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            _unbeaten(_no_worse),
            "equals beat each other, so both are lost. To beat, a network has to be better in at least one of the two.",
        ),
        Mistake(
            _unbeaten(lambda c, s, own, reached: c < own and s > reached),
            "a network is beaten only by one that is cheaper and better. It is also beaten by one that costs the same "
            "and scores more, or scores the same and costs less.",
        ),
        Mistake(
            _unbeaten(lambda c, s, own, reached: c <= own and s > reached),
            "a network that scores as much as a cheaper one is kept. Nobody needs to pay more for the same score.",
        ),
        Mistake(
            _unbeaten(lambda c, s, own, reached: c < own and s >= reached),
            "a network is kept beside one that costs the same and scores more. For that price you can have the better.",
        ),
        Mistake(
            _unbeaten(lambda c, s, own, reached: c < own or s > reached),
            "or stands where and belongs: being cheaper alone does not beat a network, nor being better alone. Almost "
            "nobody is left.",
        ),
        Mistake(
            _unbeaten(lambda c, s, own, reached: c >= own and s >= reached and (c, s) != (own, reached)),
            "a high cost is taken as good. Costs are the better the lower they are; of scores it is the other way.",
        ),
        Mistake(
            _unbeaten(lambda c, s, own, reached: c <= own and s <= reached and (c, s) != (own, reached)),
            "a low score is taken as good. Scores are the better the higher they are; of costs it is the other way.",
        ),
        Mistake(
            lambda costs, scores: [not on for on in _right(costs, scores)],
            "this tells who is beaten; return the opposite.",
        ),
        Mistake(
            lambda costs, scores: [place for place, on in enumerate(_right(costs, scores)) if on],
            "these are the numbers of the networks on the front. Return True or False for each network.",
        ),
        Mistake(
            _by_cost,
            "one pass by cost is a good idea, but networks of one cost come in any order then: the worse is kept if it "
            "comes first, and of two equals the second is lost.",
        ),
        Mistake(
            _above_neighbour,
            "each network is compared with the next cheaper one alone. One that is cheaper still may score more.",
        ),
        Mistake(
            _hull,
            "a network in a dent is left out, below the line between two others. On that line there is no network: "
            "nothing that exists beats the one in the dent.",
        ),
        Mistake(
            _best_ratio,
            "this is the highest score for each unit of cost, one network. The front has the best for every budget.",
        ),
        Mistake(
            lambda costs, scores: [
                cost == min(costs) or score == max(scores) for cost, score in zip(costs, scores, strict=True)
            ],
            "these are the cheapest and the best. Between them are others that nobody beats: the middle of the market.",
        ),
    ),
    probes=_probes,
    observe=_flags,
    learnt=(
        "whatever the budget, the best buy is on the front; which one it is, the front leaves to you. It knows nothing "
        "of seeds: a point above another by less than their spread is a draw."
    ),
)
