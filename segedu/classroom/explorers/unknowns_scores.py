"""What a threshold on a score makes of known and unknown pixels: sorted once, asked for every threshold after that."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segedu.metrics import Ranking, RankingScores

KNOWN, UNKNOWN, LEFT_OUT = 0, 1, 255
"""What a pixel counts as, in the numbers that `Ranking` reads: negative, positive, void."""
PASSED, FALSE_ALARM, FOUND, MISSED, VOID = range(5)
OUTCOMES = ("rightly let pass", "a false alarm", "found", "missed", "left out")
CUTS = 201  # points of a curve: closer than a screen shows
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """How many pixels of each kind lie on either side of a threshold."""

    found: int
    missed: int
    false_alarms: int
    passed: int

    @classmethod
    def of(cls, outcomes: Tensor) -> Self:
        """Count the ``OUTCOMES`` of a map."""
        passed, false_alarms, found, missed, _ = torch.bincount(outcomes.flatten(), minlength=len(OUTCOMES)).tolist()
        return cls(found, missed, false_alarms, passed)

    @property
    def found_share(self) -> float:
        """Of the unknown pixels: true positive rate."""
        return _share(self.found, self.found + self.missed)

    @property
    def flagged_share(self) -> float:
        """Of the known pixels: false positive rate."""
        return _share(self.false_alarms, self.false_alarms + self.passed)

    @property
    def precision(self) -> float:
        """Of the flagged pixels, how many are unknown."""
        return _share(self.found, self.found + self.false_alarms)


class Separation:
    """How far one score, of all scenes, tells unknown pixels from known ones.

    ``scores`` and ``kinds`` are ``(N, H, W)``, the latter of `KNOWN`, `UNKNOWN` and `LEFT_OUT`. A pixel is flagged
    where its score is above a threshold.
    """

    def __init__(self, scores: Tensor, kinds: Tensor) -> None:
        self.maps = scores
        self._kinds = kinds
        self._sorted = [np.sort(scores[kinds == kind].double().numpy()) for kind in (KNOWN, UNKNOWN)]

    @cached_property
    def ranking(self) -> RankingScores:
        """AUROC, average precision and FPR at 95 % TPR, as the library measures them."""
        metric = Ranking(device="cpu")
        metric.update(self.maps, self._kinds)
        return metric.scores()

    @cached_property
    def roc(self) -> tuple[Floats, Floats]:
        """Shares of known and of unknown pixels that are flagged, at thresholds from none flagged to all."""
        cuts = np.array([math.inf, *(self.threshold(share) for share in np.linspace(0, 1, CUTS).tolist())])
        known, unknown = (1 - np.searchsorted(kind, cuts, side="right") / len(kind) for kind in self._sorted)
        return known, unknown

    @cached_property
    def scale(self) -> tuple[float, float]:
        """Where colours and bars begin and end: all but the outermost half per cent of the known and of the unknown."""
        ends = np.array([np.quantile(kind, (0.005, 0.995)) for kind in self._sorted])
        low, high = float(ends.min()), float(ends.max())
        return (low, high) if high > low else (low - 0.5, high + 0.5)

    def threshold(self, share: float) -> float:
        """The lowest one that flags no more than this share of the known pixels."""
        known = self._sorted[KNOWN]
        allowed = math.floor(share * len(known) + 1e-6)
        return float(known[-1 - allowed]) if allowed < len(known) else -math.inf

    def counts(self, threshold: float) -> Counts:
        """What lies above it in all scenes, and what does not."""
        known, unknown = self._sorted
        passed, missed = (int(np.searchsorted(kind, threshold, side="right")) for kind in self._sorted)
        return Counts(len(unknown) - missed, missed, len(known) - passed, passed)

    def bars(self, count: int) -> tuple[Floats, Floats]:
        """How many known and unknown pixels lie in each of so many bins of the scale, what is beyond in the last."""
        known, unknown = (np.histogram(np.clip(kind, *self.scale), count, self.scale)[0] for kind in self._sorted)
        return known.astype(np.float64), unknown.astype(np.float64)

    def outcomes(self, image: int, threshold: float) -> Tensor:
        """Of each pixel of a scene, what a threshold makes of it: ``(H, W)`` of `OUTCOMES`."""
        flagged, kinds = self.maps[image] > threshold, self._kinds[image]
        of_unknown, of_known = torch.where(flagged, FOUND, MISSED), torch.where(flagged, FALSE_ALARM, PASSED)
        return torch.where(kinds == UNKNOWN, of_unknown, of_known).masked_fill(kinds == LEFT_OUT, VOID)


def kinds_of(labels: Tensor, unknown: Tensor, ignore_index: int) -> Tensor:
    """Unknown objects are positive, labelled pixels negative; void that is no unknown object is left out."""
    void = torch.where(labels == ignore_index, LEFT_OUT, KNOWN)
    return torch.where(unknown, UNKNOWN, void)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
