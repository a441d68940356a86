"""A dense CRF on a crop: what its settings make of the unaries, and whether that is nearer to the truth."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segedu.classroom.explorers.crf_crops import Crop
from segedu.classroom.explorers.crf_unaries import unaries
from segedu.classroom.explorers.quality import Quality
from segedu.crf import Bilateral, Gaussian, mean_field, pairwise_filters
from segedu.crf.filters import Filter
from segedu.crf.kernels import Kernel

OUTCOMES = ("still right", "right now", "wrong now", "still wrong", "void")
RIGHT, MENDED, BROKEN, WRONG, VOID = range(len(OUTCOMES))


@dataclass(frozen=True)
class Setting:
    """Which unaries, and the CRF on them; standard deviations in pixels and 8-bit levels, as in `segedu.crf`."""

    crop: str
    stride: int
    position_std: float
    colour_std: float
    bilateral_weight: float
    gaussian_std: float
    gaussian_weight: float
    iterations: int

    @property
    def kernels(self) -> tuple[Gaussian, Bilateral]:
        return (
            Gaussian(self.gaussian_std, self.gaussian_weight),
            Bilateral(self.position_std, self.colour_std, self.bilateral_weight),
        )

    @property
    def code(self) -> str:
        """What to write for the same."""
        gaussian = f"Gaussian({self.gaussian_std:g}, {self.gaussian_weight:g})"
        bilateral = f"Bilateral({self.position_std:g}, {self.colour_std:g}, {self.bilateral_weight:g})"
        return f"dense_crf(logits, images, ({gaussian}, {bilateral}), iterations={self.iterations})"


@dataclass(frozen=True, eq=False)
class Answer:
    """Probabilities ``(K, H, W)``, the likeliest labels ``(H, W)``, and two scores of these, NaN where not defined."""

    probabilities: Tensor
    labels: Tensor
    mean_iou: float
    boundary_f1: float

    @classmethod
    def of(cls, probabilities: Tensor, crop: Crop) -> Self:
        """Judge probabilities by the crop's truth."""
        labels = probabilities.argmax(0)
        quality = Quality.of(labels, crop.labels, len(crop.classes), crop.ignore_index)
        return cls(probabilities, labels, quality.mean_iou, quality.boundary_f1)


@dataclass(frozen=True, eq=False)
class Refinement:
    """The answer ``before`` the first iteration and ``after`` the last; ``label`` is the class that is looked at."""

    setting: Setting
    crop: Crop
    label: int
    before: Answer
    after: Answer

    @functools.cached_property
    def outcomes(self) -> npt.NDArray[np.uint8]:
        """Of each pixel, which of `OUTCOMES` it is: ``(H, W)``."""
        truth = self.crop.labels
        was, now = self.before.labels == truth, self.after.labels == truth
        outcomes = torch.where(was, torch.where(now, RIGHT, BROKEN), torch.where(now, MENDED, WRONG))
        found: npt.NDArray[np.uint8] = outcomes.masked_fill(truth == self.crop.ignore_index, VOID).byte().numpy()
        return found

    @functools.cached_property
    def counts(self) -> list[int]:
        """How many pixels have each of `OUTCOMES`."""
        counts: list[int] = np.bincount(self.outcomes.ravel(), minlength=len(OUTCOMES)).tolist()
        return counts

    @property
    def changed(self) -> int:
        """How many pixels, but for void, got another label."""
        scored = self.crop.labels != self.crop.ignore_index
        return int(((self.before.labels != self.after.labels) & scored).sum())


class Refiner:
    """Runs the CRF on crops and keeps what the next move can use: a filter serves all weights and iterations."""

    def __init__(self, crops: Sequence[Crop]) -> None:
        self._crops = {crop.name: crop for crop in crops}
        self._unaries = functools.lru_cache(maxsize=16)(self._made_unaries)
        self._filter = functools.lru_cache(maxsize=16)(self._made_filter)
        self._after = functools.lru_cache(maxsize=32)(self._inferred)

    def refine(self, setting: Setting, label: str) -> Refinement:
        """Before and after, with one class to look at."""
        crop = self._crops[setting.crop]
        _, before = self._unaries(setting.crop, setting.stride)
        return Refinement(setting, crop, crop.classes.index(label), before, self._after(setting))

    def _inferred(self, setting: Setting) -> Answer:
        """Step by step what `segedu.crf.dense_crf` does."""
        scores, _ = self._unaries(setting.crop, setting.stride)
        filters = [self._filter(setting.crop, replace(kernel, weight=1)) for kernel in setting.kernels]
        weights = [kernel.weight for kernel in setting.kernels]
        probabilities = mean_field(scores[None], filters, weights, iterations=setting.iterations)
        return Answer.of(probabilities[0], self._crops[setting.crop])

    def _made_unaries(self, name: str, stride: int) -> tuple[Tensor, Answer]:
        scores = unaries(self._crops[name], stride)
        return scores, Answer.of(scores.softmax(0), self._crops[name])

    def _made_filter(self, name: str, kernel: Kernel) -> Filter:
        filters: list[Filter] = pairwise_filters(self._crops[name].image[None], [kernel])
        return filters[0]
