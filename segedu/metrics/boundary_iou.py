"""Boundary IoU: the intersection over union of the inner rims of masks."""

from dataclasses import dataclass
from math import hypot

import torch
from torch import Tensor

from segedu.labels import is_void
from segedu.metrics.bands import compact, corners, mark_frame, within
from segedu.metrics.image_means import means_over_images, quotients_over_images
from segedu.metrics.inputs import checked_num_classes, image_maps
from segedu.metrics.pairs import classes_of, pair_counts, refuse_strays
from segedu.metrics.tally import Tally

# Bits of a pixel: it lies in the rim of its true class, of the predicted one, or of both.
IN_TRUTH, IN_CALLED, IN_BOTH = 1, 2, 3


@dataclass(frozen=True, eq=False)
class BoundaryIoUScores:
    """Boundary IoU between 0 and 1; NaN where there was no rim to measure.

    ``iou``, ``(K,)`` float64, pools the rims of all images, class by class; ``mean_iou`` is its mean over classes.
    ``image_mean_iou`` is the mean over images of each image's mean over the classes in its truth or its prediction;
    ``image_iou``, ``(K,)``, is each class's own mean over the ``images`` that it counts in.
    """

    mean_iou: float
    iou: Tensor
    image_mean_iou: float
    image_iou: Tensor
    images: int


class BoundaryIoU(Tally):
    """IoU of the pixels of each mask that lie within a distance of its outline, streamed over images.

    The rim of a mask is the mask less its erosion: its pixels with one that is outside the mask in the square of
    ``2 d + 1`` pixels around them, where ``d`` is ``dilation_ratio`` of the image's diagonal, rounded, and at least 1.
    Outside the picture nothing belongs to the mask, so a mask cut by the frame has a rim there (Cheng et al., Boundary
    IoU, CVPR 2021, arXiv 2103.16562, section 5; 0.02 is its ratio for COCO and LVIS, 0.005 for Cityscapes). For thin
    masks it equals their IoU. The value of one class of one image is that of the authors' code.

    The paper measures pairs of instance masks; here the masks are the classes of a label map. It leaves void open:
    void pixels are cut out of both maps, so that they are outside every mask, as the frame is.
    """

    settings = ("num_classes", "dilation_ratio", "ignore_index")

    def __init__(
        self,
        num_classes: int,
        dilation_ratio: float = 0.02,
        ignore_index: int = 255,
        device: torch.device | str | None = None,
    ) -> None:
        if not 0 <= dilation_ratio <= 1:
            raise ValueError(
                f"dilation_ratio is {dilation_ratio}, expected a share of the image's diagonal between 0 and 1"
            )
        self.num_classes = checked_num_classes(num_classes)
        self.dilation_ratio = dilation_ratio
        self.ignore_index = ignore_index
        super().__init__(device)

    def _kept(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        side = self.num_classes + 2
        return {
            "common": ((self.num_classes,), torch.int64),
            "union": ((self.num_classes,), torch.int64),
            "images": ((self.num_classes + 1, 2), torch.float64),
            "pairs": ((side, side), torch.int64),
        }

    @torch.no_grad()
    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Measure a batch of images: scores ``(N, K, H, W)`` or labels ``(N, H, W)``, against labels ``(N, H, W)``.

        Raises ``ValueError`` for a label that is neither a class nor ``ignore_index``. On a GPU, where asking would
        hold up the queue, that complaint comes from ``scores``.
        """
        predictions, target = image_maps(predictions, target, self.num_classes)
        states, images = 1 + IN_BOTH, len(target)
        image = torch.arange(images, dtype=torch.int32, device=target.device).view(-1, 1, 1)
        group = self._rims(predictions, target) + states * image
        pairs = pair_counts(predictions, target, self.num_classes, self.ignore_index, group, states * images)
        pairs = pairs.view(images, states, *pairs.shape[1:])
        if target.device.type == "cpu":
            refuse_strays(pairs, self.ignore_index)
        common, union = _common_and_union(classes_of(pairs))
        self._add(
            common=common.sum(0),
            union=union.sum(0),
            images=quotients_over_images(common, union),
            pairs=pairs.sum((0, 1)),
        )

    def _rims(self, predictions: Tensor, target: Tensor) -> Tensor:
        """Which rims each pixel lies in, as bits: ``(N, H, W)`` uint8."""
        distance = max(1, round(self.dilation_ratio * hypot(*target.shape[1:])))
        called, truth = compact(predictions, self.num_classes), compact(target, self.num_classes)
        changes = corners({IN_TRUTH: truth, IN_CALLED: called, IN_BOTH: is_void(target, self.ignore_index)})
        return within(mark_frame(changes, IN_BOTH), distance)

    def scores(self) -> BoundaryIoUScores:
        """The pooled scores and the means over the images so far."""
        refuse_strays(self._sums["pairs"], self.ignore_index)
        iou = self._sums["common"].cpu().double() / self._sums["union"].cpu().double()
        image_mean_iou, image_iou, images = means_over_images(self._sums["images"])
        return BoundaryIoUScores(float(iou.nanmean()), iou, image_mean_iou, image_iou, images)


def _common_and_union(pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels in both rims of a class, and in either: counts ``(N, 4, K, K) -> (N, K)`` twice."""
    both = pairs[:, IN_BOTH]
    true_rim, called_rim = (pairs[:, IN_TRUTH] + both).sum(2), (pairs[:, IN_CALLED] + both).sum(1)
    common = both.diagonal(dim1=1, dim2=2)
    return common, true_rim + called_rim - common
