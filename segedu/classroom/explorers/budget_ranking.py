"""Who wins within a budget: which networks fit, which of them none beats at its cost, and what the seeds can tell."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import mean
from typing import NamedTuple

MEANS = {"mean_iou": "mean IoU", "boundary_f1": "boundary F1"}
"""What scores that are no single class's are called."""

Runs = Mapping[str, Sequence[Mapping[str, float]]]
"""Of every network the scores of each seed, by name, in per cent."""


class Entrant(NamedTuple):
    """A network and what it costs; its ``tag`` is a short name for a picture."""

    name: str
    tag: str
    parameters: int
    macs: int
    peak_bytes: int
    milliseconds: float


class Cost(NamedTuple):
    """One thing to be short of: as the ``title`` of an axis, as a ``unit`` after a number, and in that unit."""

    title: str
    unit: str
    of: Callable[[Entrant], float]


COSTS = {
    "macs": Cost("multiply-adds, millions", "M multiply-adds", lambda net: net.macs / 1e6),
    "parameters": Cost("parameters, thousands", "thousand parameters", lambda net: net.parameters / 1e3),
    "memory": Cost("peak memory, MiB", "MiB", lambda net: net.peak_bytes / 2**20),
    "time": Cost("time, ms", "ms", lambda net: net.milliseconds),
}


def front(costs: Sequence[float], scores: Sequence[float]) -> list[bool]:
    """Which networks no other beats (the Pareto front): none costs no more and scores no less, one of both strictly.

    Equals in both stay side by side.
    """
    pairs = list(zip(costs, scores, strict=True))
    return [
        not any(price <= own and score >= reached and (price, score) != (own, reached) for price, score in pairs)
        for own, reached in pairs
    ]


def told_apart(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether every seed of one lies above every seed of the other.

    By luck alone, three seeds of equals fall so in one draw of ten.
    """
    return min(one) > max(other) or min(other) > max(one)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Networks by one ``score`` on one data set (``source``), drawn over one ``cost``, within the ``limits``.

    ``runs`` has a score for each seed of each network. ``limits`` are in the units of `COSTS`; those that leave nobody
    out, and so limit nothing, are not in it.
    """

    entrants: tuple[Entrant, ...]
    source: str
    score: str
    cost: str
    runs: tuple[tuple[float, ...], ...]
    limits: Mapping[str, float]

    @cached_property
    def prices(self) -> list[float]:
        """What each network costs."""
        return [COSTS[self.cost].of(net) for net in self.entrants]

    @cached_property
    def means(self) -> list[float]:
        return [mean(seeds) for seeds in self.runs]

    @cached_property
    def over(self) -> list[list[str]]:
        """The limits that each network does not keep."""
        return [[name for name, limit in self.limits.items() if COSTS[name].of(net) > limit] for net in self.entrants]

    @cached_property
    def fitting(self) -> list[int]:
        """The networks that keep all limits, the best first."""
        fit = [place for place, broken in enumerate(self.over) if not broken]
        return sorted(fit, key=lambda place: -self.means[place])

    @cached_property
    def winner(self) -> int | None:
        """The best that fits; nobody wins where nothing fits, or all that fit score nothing."""
        best = next(iter(self.fitting), None)
        return None if best is None or self.means[best] == 0 else best

    @cached_property
    def front(self) -> list[int]:
        """Those of the networks that fit which no other of them beats, the cheapest first."""
        fit, prices, means = self.fitting, self.prices, self.means
        unbeaten = front([prices[place] for place in fit], [means[place] for place in fit])
        return sorted((place for place, stays in zip(fit, unbeaten, strict=True) if stays), key=prices.__getitem__)

    def beaten_by(self, place: int) -> int | None:
        """The best network that fits, costs no more than this one and scores no less, one of both strictly."""
        prices, means = self.prices, self.means
        own = prices[place], means[place]
        return next(
            (
                other
                for other in self.fitting
                if prices[other] <= own[0] and means[other] >= own[1] and (prices[other], means[other]) != own
            ),
            None,
        )


def common_scores(scores: Mapping[str, Runs]) -> list[str]:
    """The scores that every run on every data set has as a number, in the first run's order."""
    runs = [run for nets in scores.values() for seeds in nets.values() for run in seeds]
    return [name for name in runs[0] if all(math.isfinite(run.get(name, math.nan)) for run in runs)]
