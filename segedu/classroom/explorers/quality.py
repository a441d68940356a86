"""How well a prediction matches the labels of its image, in the two numbers that explorers of a segmenter show."""

from dataclasses import dataclass
from typing import Self

from torch import Tensor

from segedu.metrics import BoundaryF1, ConfusionMatrix


@dataclass(frozen=True)
class Quality:
    """Two numbers between 0 and 1, NaN where there was nothing to measure."""

    mean_iou: float
    boundary_f1: float

    @classmethod
    def of(cls, prediction: Tensor, labels: Tensor, num_classes: int, ignore_index: int) -> Self:
        """Judge the labels ``(H, W)`` of a prediction by the true ones ``(H, W)``, on the device of the former."""
        counts = ConfusionMatrix(num_classes, ignore_index, device=prediction.device)
        contours = BoundaryF1(num_classes, ignore_index=ignore_index, device=prediction.device)
        for metric in (counts, contours):
            metric.update(prediction[None], labels[None])
        return cls(counts.scores().mean_iou, contours.scores().mean_f1)
