"""Boundary F1: how closely the contours of a prediction follow those of the truth."""

from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.labels import is_void
from segedu.metrics.contours import contour, near_same_class, squared_reach
from segedu.metrics.counting import histogram
from segedu.metrics.image_means import means_over_images, sums_over_images
from segedu.metrics.inputs import checked_num_classes, image_maps, stray_sentence
from segedu.metrics.tally import Tally, narrowed


@dataclass(frozen=True, eq=False)
class BoundaryScores:
    """Boundary F1 between 0 and 1; NaN where there was no contour to measure.

    ``mean_f1`` is the mean over images of each image's mean over classes; ``f1``, ``(K,)`` float64, is each class's
    own mean over the images that it counts in; ``images`` is the number of images that had a contour.
    """

    mean_f1: float
    f1: Tensor
    images: int


class BoundaryF1(Tally):
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

    settings = ("num_classes", "tolerance", "ignore_index")

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
        super().__init__(device)

    def _kept(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        return {"f1": ((self.num_classes + 1, 2), torch.float64), "strays": ((), torch.int64)}

    @torch.no_grad()
    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Measure a batch of images: scores ``(N, K, H, W)`` or labels ``(N, H, W)``, against labels ``(N, H, W)``.

        Raises ``ValueError`` for a label that is neither a class nor ``ignore_index``. On a GPU, where asking would
        hold up the queue, that complaint comes from ``scores``.
        """
        predictions, target = image_maps(predictions, target, self.num_classes)
        valid = ~is_void(target, self.ignore_index)
        known = valid & self._is_class(target) & self._is_class(predictions)
        strays = valid.sum() - known.sum()
        if target.device.type == "cpu":
            self._refuse_strays(int(strays))
        last = self.num_classes - 1
        f1, counts = self._image_f1(predictions.clamp(0, last).int(), target.clamp(0, last).int(), known)
        self._add(f1=sums_over_images(f1, counts), strays=strays)

    def _is_class(self, labels: Tensor) -> Tensor:
        return (labels >= 0) & (labels < self.num_classes)

    def _image_f1(self, called: Tensor, truth: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """F1 of each image and class, and whether it counts: two ``(N, K)``."""
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
        return f1, counts

    def _per_class(self, labels: Tensor, chosen: Tensor) -> Tensor:
        """How many chosen pixels of each class an image has: ``(N, H, W) -> (N, K)``, as floats ready to divide."""
        images = len(labels)
        image = torch.arange(images, device=labels.device).view(-1, 1, 1)
        keys = torch.where(chosen, image * self.num_classes + labels, images * self.num_classes)
        counts = histogram(keys.flatten(), images * self.num_classes + 1)
        return counts[:-1].view(images, self.num_classes).to(narrowed(torch.float64, labels.device))

    def _refuse_strays(self, pixels: int) -> None:
        if pixels:
            raise ValueError(
                stray_sentence("predictions or target labels", pixels, self.num_classes, self.ignore_index)
            )

    def scores(self) -> BoundaryScores:
        """The means over the images so far."""
        self._refuse_strays(int(self._sums["strays"]))
        mean_f1, f1, images = means_over_images(self._sums["f1"])
        return BoundaryScores(mean_f1=mean_f1, f1=f1, images=images)
