"""Scores of each image, averaged over images: the other mean beside the one that pools all pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.metrics.image_means import means_over_images, quotients_over_images
from segedu.metrics.inputs import checked_num_classes, image_maps
from segedu.metrics.pairs import classes_of, image_pair_counts, refuse_strays
from segedu.metrics.tally import Tally


@dataclass(frozen=True, eq=False)
class PerImageScores:
    """Means over images of what each image scores, between 0 and 1; NaN where there was nothing to measure.

    ``image_mean_iou`` and ``image_mean_f1`` (Dice): each image's mean over the classes that are in its truth or in its
    prediction, then the mean over images. ``iou`` and ``f1``, ``(K,)`` float64: each class's mean over the images
    that it counts in; ``class_mean_iou`` is the mean of ``iou`` over classes, ``pair_mean_iou`` the mean over all
    pairs of an image and a class in it. ``images`` is the number of images with a valid pixel.

    In a pooled mean a large object outweighs a small one; here they weigh the same when they lie in different images
    (Wang et al., arXiv 2310.19252: mIoU-I is the first of these means, mIoU-C the third, mIoU-D ``Scores.mean_iou``;
    there a class counts in the images whose truth has it).
    """

    image_mean_iou: float
    image_mean_f1: float
    class_mean_iou: float
    pair_mean_iou: float
    iou: Tensor
    f1: Tensor
    images: int


class PerImageIoU(Tally):
    """IoU and Dice of each image, averaged over images, streamed.

    An image's class counts where its union is not empty: a class that is nowhere in the image is left out, and one
    that is only called there scores 0. Void pixels are counted nowhere. Pooled scores are ``ConfusionMatrix``'s: the
    two means differ, and a paper's table holds either. ``segmentation.MeanIoU`` of torchmetrics 1.9 is
    ``pair_mean_iou``, and with ``per_class=True`` it is ``iou``.
    """

    settings = ("num_classes", "ignore_index")

    def __init__(self, num_classes: int, ignore_index: int = 255, device: torch.device | str | None = None) -> None:
        self.num_classes = checked_num_classes(num_classes)
        self.ignore_index = ignore_index
        super().__init__(device)

    def _kept(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        rows = (self.num_classes + 1, 2)
        ring = (self.num_classes + 2, self.num_classes + 2)
        return {"iou": (rows, torch.float64), "f1": (rows, torch.float64), "pairs": (ring, torch.int64)}

    @torch.no_grad()
    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Measure a batch of images: scores ``(N, K, H, W)`` or labels ``(N, H, W)``, against labels ``(N, H, W)``.

        Raises ``ValueError`` for a label that is neither a class nor ``ignore_index``. On a GPU, where asking would
        hold up the queue, that complaint comes from ``scores``.
        """
        predictions, target = image_maps(predictions, target, self.num_classes)
        pairs = image_pair_counts(predictions, target, self.num_classes, self.ignore_index)
        if target.device.type == "cpu":
            refuse_strays(pairs, self.ignore_index)
        counts = classes_of(pairs)
        hits = counts.diagonal(dim1=1, dim2=2)
        both = counts.sum(1) + counts.sum(2)
        self._add(
            iou=quotients_over_images(hits, both - hits),
            f1=quotients_over_images(2 * hits, both),
            pairs=pairs.sum(0),
        )

    def scores(self) -> PerImageScores:
        """The means over the images so far."""
        refuse_strays(self._sums["pairs"], self.ignore_index)
        image_mean_iou, iou, images = means_over_images(self._sums["iou"])
        image_mean_f1, f1, _ = means_over_images(self._sums["f1"])
        total, number = self._sums["iou"][:-1].cpu().double().sum(0)
        return PerImageScores(
            image_mean_iou=image_mean_iou,
            image_mean_f1=image_mean_f1,
            class_mean_iou=float(iou.nanmean()),
            pair_mean_iou=float(total / number),
            iou=iou,
            f1=f1,
            images=images,
        )
