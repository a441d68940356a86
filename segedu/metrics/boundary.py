"""Boundary F1: how closely the contours of a prediction follow those of the truth."""

from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.metrics.contours import contour, near_same_class, squared_reach
from segedu.metrics.inputs import checked_num_classes, histogram, label_maps, stray_sentence, sum_over_ranks


@dataclass(frozen=True, eq=False)
class BoundaryScores:
    """Boundary F1 between 0 and 1; NaN where there was no contour to measure.

    ``mean_f1`` is the mean over images of each image's mean over classes; ``f1``, ``(K,)`` float64, is each class's
    own mean over the images that it counts in; ``images`` is the number of images that had a contour.
    """

    mean_f1: float
    f1: Tensor
    images: int


class BoundaryF1:
    """The F1 measure of contour pixels matched within a tolerance, streamed over images.

    A contour pixel of class c is a pixel of c with another class beside, above or below it. Precision is the share of
    the predicted contour pixels of c with a true contour pixel of c no farther away than ``tolerance`` times the
    diagonal of the image (between pixel centres, Euclidean), recall the share of the true ones near a predicted one,
    F1 their harmonic mean. An image scores the mean over its classes, a data set the mean over its images (SegNet,
    arXiv 1511.00561v3, section 3.3, after Csurka et al., BMVC 2013).

    The classes of an image are those of its truth, as in SegNet: one that is not predicted scores 0, and one that is
    only predicted has no score of its own but costs precision to the classes that it breaks into. What the papers
    leave open: the frame of the picture is no contour, and void has none (a contour runs between two valid pixels,
    and what is predicted inside void counts nowhere). A class without a contour in either map is left out, and so is
    an image without any.
    """

    def __init__(
        self,
        num_classes: int,
        tolerance: float = 0.0075,
        ignore_index: int = 255,
        device: torch.device | str | None = None,
    ) -> None:
        if not 0 <= tolerance <= 1:
            raise ValueError(f"tolerance is {tolerance}, expected a share of the image's diagonal between 0 and 1")
        self.num_classes = checked_num_classes(num_classes)
        self.tolerance = tolerance
        self.ignore_index = ignore_index
        self.device = None if device is None else torch.device(device)
        self.reset()

    def reset(self) -> None:
        """Forget every image."""
        # A row for each class and a last one for whole images: the sum of F1, and how many were summed.
        self._sums = torch.zeros(self.num_classes + 1, 2, dtype=_widest_float(self.device), device=self.device)
        self._strays = torch.zeros((), dtype=torch.int64, device=self.device)

    @torch.no_grad()
    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Measure a batch of images: scores ``(N, K, H, W)`` or labels ``(N, H, W)``, against labels ``(N, H, W)``.

        Raises ``ValueError`` for a label that is neither a class nor ``ignore_index``. On a GPU, where asking would
        hold up the queue, that complaint comes from ``scores``.
        """
        predictions, target = label_maps(predictions, target, self.num_classes)
        if target.dim() != 3:
            raise ValueError(
                f"target has shape {tuple(target.shape)}, expected (N, H, W): boundary F1 is a score per image"
            )
        valid = target != self.ignore_index
        known = valid & self._is_class(target) & self._is_class(predictions)
        strays = valid.sum() - known.sum()
        if target.device.type == "cpu":
            self._refuse_strays(int(strays))
        last = self.num_classes - 1
        f1, counts = self._image_f1(predictions.clamp(0, last).int(), target.clamp(0, last).int(), known)
        image_f1 = f1.sum(1, keepdim=True) / counts.sum(1, keepdim=True).clamp(min=1)
        sums = torch.cat([f1, image_f1], 1).sum(0), torch.cat([counts, counts.any(1, keepdim=True)], 1).sum(0)
        if self.device is None:
            self._sums = self._sums.to(target.device, _widest_float(target.device))
            self._strays = self._strays.to(target.device)
        self._sums += torch.stack(sums, 1).to(self._sums)
        self._strays += strays.to(self._strays.device)

    def _is_class(self, labels: Tensor) -> Tensor:
        return (labels >= 0) & (labels < self.num_classes)

    def _image_f1(self, called: Tensor, truth: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """F1 of each image and class, and whether it counts: two ``(N, K)``; F1 is 0 where it does not."""
        reach = squared_reach(self.tolerance, *truth.shape[1:])
        called_contour, true_contour = contour(called, known), contour(truth, known)
        called_found = called_contour & near_same_class(called, truth, true_contour, reach, self.num_classes)
        true_found = true_contour & near_same_class(truth, called, called_contour, reach, self.num_classes)
        called_length = self._per_class(called, called_contour)
        true_length = self._per_class(truth, true_contour)
        precision = self._per_class(called, called_found) / called_length.clamp(min=1)
        recall = self._per_class(truth, true_found) / true_length.clamp(min=1)
        counts = (self._per_class(truth, known) > 0) & (called_length + true_length > 0)
        f1 = 2 * precision * recall / (precision + recall).clamp(min=torch.finfo(precision.dtype).tiny)
        return f1 * counts, counts

    def _per_class(self, labels: Tensor, chosen: Tensor) -> Tensor:
        """How many chosen pixels of each class an image has: ``(N, H, W) -> (N, K)``, as floats ready to divide."""
        images = len(labels)
        image = torch.arange(images, device=labels.device).view(-1, 1, 1)
        keys = torch.where(chosen, image * self.num_classes + labels, images * self.num_classes)
        counts: Tensor = histogram(keys.flatten(), images * self.num_classes + 1)
        return counts[:-1].view(images, self.num_classes).to(_widest_float(labels.device))

    def _refuse_strays(self, pixels: int) -> None:
        if pixels:
            raise ValueError(
                stray_sentence("predictions or target labels", pixels, self.num_classes, self.ignore_index)
            )

    def scores(self) -> BoundaryScores:
        """The means over the images so far."""
        self._refuse_strays(int(self._strays))
        sums = self._sums.cpu().double()
        means = sums[:, 0] / sums[:, 1]
        return BoundaryScores(mean_f1=float(means[-1]), f1=means[:-1], images=int(sums[-1, 1]))

    def all_reduce(self) -> "BoundaryF1":
        """Add up the images of all processes, in place: call it once, after the last update; returns itself."""
        sum_over_ranks(self._sums)
        sum_over_ranks(self._strays)
        return self

    def __add__(self, other: "BoundaryF1") -> "BoundaryF1":
        if not isinstance(other, BoundaryF1):
            return NotImplemented
        own = (self.num_classes, self.tolerance, self.ignore_index)
        theirs = (other.num_classes, other.tolerance, other.ignore_index)
        if own != theirs:
            raise ValueError(
                f"cannot add boundary scores with (num_classes, tolerance, ignore_index) {theirs} to {own}"
            )
        total = BoundaryF1(*own, device=self.device)
        total._sums = self._sums + other._sums.to(self._sums)
        total._strays = self._strays + other._strays.to(self._strays.device)
        return total


def _widest_float(device: torch.device | None) -> torch.dtype:
    return torch.float32 if device is not None and device.type == "mps" else torch.float64
