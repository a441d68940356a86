"""What the mask editor shows: a predicted mask judged by every metric of the library, before and after a change."""

import functools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from segedu.classroom.explorers.mask_editor_masks import SHAPE, VOID, Drawing, Mask, Masks, labels_of, mask_of
from segedu.metrics.boundary import BoundaryF1
from segedu.metrics.boundary_iou import BoundaryIoU
from segedu.metrics.confusion import ConfusionMatrix

GROUPS = {
    "all pixels": ("pixel accuracy", "mean IoU"),
    "the object": ("precision", "recall", "Dice = F1", "IoU"),
    "its contour": ("Boundary F1", "Boundary IoU"),
}
"""The metrics, by what they look at."""

OUTCOMES = ("background", "missed", "invented", "found", "void", "void, predicted")
"""What becomes of a pixel: ``truth + 2 * prediction`` with 0 background and 1 object, and two for void."""


@dataclass(frozen=True)
class Judgement:
    """A prediction in numbers: each metric by its name, and the counts of a confusion matrix."""

    scores: dict[str, float]
    background: int
    missed: int
    invented: int
    found: int

    @property
    def scored(self) -> int:
        """How many pixels count: all but void."""
        return self.background + self.missed + self.invented + self.found

    @property
    def objects(self) -> int:
        """How many pixels are object."""
        return self.found + self.missed


@dataclass(frozen=True, eq=False)
class Edited:
    """Masks with their labels ``(16, 24)``, judged now and as they were before the last change."""

    masks: Masks
    void_border: bool
    tool: str
    width: int
    tolerance: int

    @cached_property
    def labels(self) -> npt.NDArray[np.uint8]:
        """1 object, 0 background, 255 void."""
        return labels_of(self.masks.truth, self.void_border)

    @cached_property
    def predicted(self) -> Mask:
        return mask_of(self.masks.predicted)

    @cached_property
    def outcomes(self) -> npt.NDArray[np.uint8]:
        """The place of each pixel's outcome in `OUTCOMES`, ``(16, 24)``."""
        counted = self.labels + 2 * self.predicted.astype(np.uint8)
        return np.where(self.labels == VOID, 4 + self.predicted, counted).astype(np.uint8)

    @cached_property
    def turned(self) -> Mask:
        """The pixels that the last change turned over."""
        return np.asarray(self.predicted ^ mask_of(self.masks.before))

    @property
    def touched(self) -> int:
        """How many of them are not void."""
        return int((self.turned & (self.labels != VOID)).sum())

    @cached_property
    def now(self) -> Judgement:
        return self._judged(self.masks.predicted)

    @cached_property
    def before(self) -> Judgement:
        return self._judged(self.masks.before)

    def _judged(self, drawing: Drawing) -> Judgement:
        return judge(self.masks.truth, self.void_border, drawing, self.tolerance)

    def change(self, score: str) -> float:
        """By how much a score has moved; NaN where it could not be measured before or cannot be now."""
        return self.now.scores[score] - self.before.scores[score]


@functools.lru_cache(maxsize=64)
def judge(truth: str, void_border: bool, drawing: Drawing, tolerance: int) -> Judgement:
    """Every metric of one prediction, all by `segedu.metrics`.

    Boundary F1 matches contours within ``tolerance`` pixels, and the rims of Boundary IoU are as thick.
    """
    target = torch.from_numpy(labels_of(truth, void_border))[None].long()
    predictions = torch.from_numpy(mask_of(drawing))[None].long()
    reach = tolerance / math.hypot(*SHAPE)
    confusion, contours, rims = ConfusionMatrix(2), BoundaryF1(2, reach), BoundaryIoU(2, reach)
    for metric in (confusion, contours, rims):
        metric.update(predictions, target)
    pixels = confusion.scores()
    (background, invented), (missed, found) = confusion.matrix.tolist()
    scores = {
        "pixel accuracy": pixels.pixel_accuracy,
        "mean IoU": pixels.mean_iou,
        "precision": float(pixels.precision[1]),
        "recall": float(pixels.recall[1]),
        "Dice = F1": float(pixels.f1[1]),
        "IoU": float(pixels.iou[1]),
        "Boundary F1": float(contours.scores().f1[1]),
        "Boundary IoU": float(rims.scores().iou[1]),
    }
    return Judgement(scores, background, missed, invented, found)
