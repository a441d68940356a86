"""Lovász losses: the Jaccard index itself, made continuous (Berman, Rannen Triki and Blaschko 2018)."""

from torch import Tensor, nn

from segedu.losses.binary_labels import binary_labels
from segedu.losses.inputs import arithmetic_dtype, check_class_weights, check_shapes, safe_labels
from segedu.losses.lovasz_bins import check_bins, in_bins
from segedu.losses.lovasz_sorted import binary_sorted, softmax_sorted
from segedu.losses.tversky import Classes, Over, check_regions, mean_over_classes


def lovasz_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    weight: Tensor | None = None,
    over: Over = "batch",
    classes: Classes = "present",
    bins: int | None = 1024,
) -> Tensor:
    """What each class's Jaccard index loses when its pixels are given up in the order of their errors.

    ``logits (N, K, H, W)`` and ``target (N, H, W)`` -> a scalar in float32 (float64 for float64 logits). The error of a
    pixel for a class is ``1 - p`` where the class is true and ``p`` where it is not; the largest comes first, and each
    is weighed by what it takes from the index (section 3, alg. 1). Pixels are pooled ``over`` the batch or each image;
    the mean is over the ``classes`` that the target holds or all, weighted by ``weight``.

    An exact order (``bins=None``) is a sort of every class, and sorting takes nearly all of the time. With ``bins`` the
    errors are rounded to as many levels and counted instead; within a level the order is averaged between true pixels
    first and last. The value is then off by at most ``1 / (2 bins - 2)``, in practice by far less.

    Raises what ``cross_entropy`` raises for logits, target and weight, and ``ValueError`` for other options.
    """
    check_shapes(logits, target)
    check_class_weights(weight, logits.shape[1])
    check_regions(over, classes)
    index, valid = safe_labels(target, logits.shape[1], ignore_index)
    scene = logits.flatten(2), index.flatten(1), valid.flatten(1)
    if bins is None:
        loss, true = softmax_sorted(*scene, over)
    else:
        check_bins(bins, logits.shape[1])
        loss, true = in_bins(*scene, over, bins)
    return mean_over_classes(loss, true, true.sum(1, keepdim=True), classes, weight).to(arithmetic_dtype(logits))


def lovasz_hinge_loss(
    logits: Tensor, target: Tensor, *, ignore_index: int = 255, over: Over = "batch", classes: Classes = "present"
) -> Tensor:
    """The Lovász loss of a foreground's hinge errors: ``max(0, 1 - logit)`` on it, ``max(0, 1 + logit)`` off it.

    ``logits (N, 1, H, W)`` or ``(N, H, W)``, ``target`` of either shape with labels 0, 1 and void -> a scalar (section
    2.2). Where there is no foreground nothing is compared; with ``classes="all"`` the largest error off it counts, as
    in the authors' code. The order is exact: hinge errors have no bound to space levels in. Errors as in
    ``lovasz_loss``.
    """
    check_regions(over, classes)
    maps, index, valid = binary_labels(logits, target, ignore_index)
    loss, true, pixels = binary_sorted(maps, index, valid, over)
    return mean_over_classes(loss, true, pixels, classes, None).to(arithmetic_dtype(logits))


class LovaszLoss(nn.Module):
    """``lovasz_loss`` with its settings kept: ``logits (N, K, H, W), target (N, H, W) -> loss``.

    ``weight`` moves with the module and is no part of its state.
    """

    weight: Tensor | None

    def __init__(
        self,
        *,
        ignore_index: int = 255,
        weight: Tensor | None = None,
        over: Over = "batch",
        classes: Classes = "present",
        bins: int | None = 1024,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.ignore_index = ignore_index
        self.over: Over = over
        self.classes: Classes = classes
        self.bins = bins

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return lovasz_loss(
            logits,
            target,
            ignore_index=self.ignore_index,
            weight=self.weight,
            over=self.over,
            classes=self.classes,
            bins=self.bins,
        )


class LovaszHingeLoss(nn.Module):
    """``lovasz_hinge_loss`` with its settings kept: ``logits (N, 1, H, W), target (N, H, W) -> loss``."""

    def __init__(self, *, ignore_index: int = 255, over: Over = "batch", classes: Classes = "present") -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.over: Over = over
        self.classes: Classes = classes

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return lovasz_hinge_loss(logits, target, ignore_index=self.ignore_index, over=self.over, classes=self.classes)
