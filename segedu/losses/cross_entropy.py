"""Cross entropy: the loss that most segmentation models are trained with."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from segedu.losses.inputs import arithmetic_dtype, check_class_weights, check_shapes, safe_labels
from segedu.losses.pixels import true_log_probability
from segedu.losses.reduction import Reduction, check_reduction, reduced
from segedu.losses.soft import check_shares, shared_log_probability

WeightedReduction = Literal["mean", "mean_over_pixels", "sum", "none"]


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    reduction: WeightedReduction = "mean",
) -> Tensor:
    """How surprised the model is by each pixel's true class: ``-weight[target] * log softmax(logits)[target]``.

    ``logits (N, K, H, W)`` and ``target (N, H, W)`` -> a scalar, or ``(N, H, W)`` with ``reduction="none"``, in float32
    (float64 for float64 logits). ``"mean"`` divides by the sum of the valid pixels' weights, as PyTorch does;
    ``"mean_over_pixels"`` by their number, as Caffe's SegNet does, which with class weights is another learning rate.

    ``label_smoothing`` s takes ``(1 - s) * onehot + s / K`` for the label (Szegedy et al. 2016, section 7) at valid
    pixels; void has neither term. A pixel weighs what its true class does, and the s / K stay even: PyTorch multiplies
    each class's term by that class's weight, so that its weights bend the smoothed label as well (pytorch#104776).

    A floating-point ``target (N, K, H, W)`` holds soft labels, the share of each class in a pixel. The loss is linear
    in them, the mean over labels drawn with these shares, class weights included: a pixel weighs ``sum weight * share``
    and counts as ``sum share`` pixels. Where all shares are 0 there is void; ``ignore_index`` is not looked at, and
    that the other pixels' shares add up to 1 is not checked. They get no gradient.

    Raises ``TypeError`` for dtypes and ``ValueError`` for shapes, a smoothing outside 0..1, an unknown reduction and a
    label that is neither a class nor void (on CUDA, where the host does not wait: ``inputs.safe_labels``).
    """
    check_reduction(reduction, ("mean", "mean_over_pixels", "sum", "none"))
    found = _pixel_losses(logits, target, ignore_index, weight, label_smoothing)
    denominator = found.share if reduction == "mean_over_pixels" else found.weight
    return reduced(found.loss, denominator, reduction, logits[:, 0].shape)


def pixel_weighted_cross_entropy(
    logits: Tensor, target: Tensor, pixel_weights: Tensor, *, ignore_index: int = 255, reduction: Reduction = "mean"
) -> Tensor:
    """``cross_entropy`` in which each pixel has a weight of its own: ``-pixel_weights * log softmax(logits)[target]``.

    ``logits (N, K, H, W)``, ``target`` and ``pixel_weights (N, H, W)`` -> a scalar, or ``(N, H, W)`` with
    ``reduction="none"``: the energy of U-Net (section 3, eq. 1). ``"mean"`` divides by the sum of the valid pixels'
    weights, where the paper takes the ``"sum"``. The weights are given, not learnt: they get no gradient, and what they
    hold at a void pixel is not looked at. Errors are those of ``cross_entropy``, and ``ValueError`` for weights of
    another shape than the target.
    """
    check_reduction(reduction)
    found = _given_weights(logits, target, pixel_weights, ignore_index)
    return reduced(found.loss, found.weight, reduction, target.shape)


class CrossEntropy(nn.Module):
    """``cross_entropy`` with its settings kept: ``logits (N, K, H, W), target (N, H, W) -> loss``.

    ``weight`` moves with the module and is no part of its state. Errors are those of the function.
    """

    weight: Tensor | None

    def __init__(
        self,
        *,
        ignore_index: int = 255,
        weight: Tensor | None = None,
        label_smoothing: float = 0.0,
        reduction: WeightedReduction = "mean",
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.reduction: WeightedReduction = reduction
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(
            logits,
            target,
            ignore_index=self.ignore_index,
            weight=self.weight,
            label_smoothing=self.label_smoothing,
            reduction=self.reduction,
        )


class PixelWeightedCrossEntropy(nn.Module):
    """``pixel_weighted_cross_entropy`` with its settings kept: ``logits, target, pixel_weights -> loss``."""

    def __init__(self, *, ignore_index: int = 255, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.reduction: Reduction = reduction

    def forward(self, logits: Tensor, target: Tensor, pixel_weights: Tensor) -> Tensor:
        return pixel_weighted_cross_entropy(
            logits, target, pixel_weights, ignore_index=self.ignore_index, reduction=self.reduction
        )


def cross_entropy_sums(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    weight: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The two sums whose quotient is the mean: the loss over all pixels, and the weight of the valid ones.

    Processes that share a batch add up both before they divide, so that a pixel counts the same whichever process it
    fell to. Arguments and errors are those of ``cross_entropy``.
    """
    found = _pixel_losses(logits, target, ignore_index, weight, label_smoothing)
    return found.loss.sum(), found.weight.sum()


def pixel_weighted_cross_entropy_sums(
    logits: Tensor, target: Tensor, pixel_weights: Tensor, *, ignore_index: int = 255
) -> tuple[Tensor, Tensor]:
    """The two sums whose quotient is the mean of ``pixel_weighted_cross_entropy``, as ``cross_entropy_sums`` has
    them."""
    found = _given_weights(logits, target, pixel_weights, ignore_index)
    return found.loss.sum(), found.weight.sum()


class _PixelLosses(NamedTuple):
    """Each pixel's weighted loss, its weight, and how much of a valid pixel it is, ``(N, P)`` each."""

    loss: Tensor
    weight: Tensor
    share: Tensor


def _pixel_losses(
    logits: Tensor, target: Tensor, ignore_index: int, weight: Tensor | None, label_smoothing: float
) -> _PixelLosses:
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing is {label_smoothing}; it must lie in 0..1")
    if target.is_floating_point() and target.ndim == logits.ndim:
        return _of_soft_labels(logits, target, weight, label_smoothing)
    check_shapes(logits, target)
    check_class_weights(weight, logits.shape[1])
    index, valid = safe_labels(target, logits.shape[1], ignore_index)
    if weight is None:
        pixel_weight = valid.to(arithmetic_dtype(logits))
    else:
        pixel_weight = weight.to(index.device, arithmetic_dtype(logits))[index].masked_fill(~valid, 0)
    return _weighted(logits, index, pixel_weight, valid, label_smoothing)


def _given_weights(logits: Tensor, target: Tensor, pixel_weights: Tensor, ignore_index: int) -> _PixelLosses:
    check_shapes(logits, target)
    if pixel_weights.shape != target.shape:
        raise ValueError(
            f"pixel_weights are {tuple(pixel_weights.shape)} and target is {tuple(target.shape)}; "
            "give one weight for each pixel"
        )
    index, valid = safe_labels(target, logits.shape[1], ignore_index)
    pixel_weight = pixel_weights.detach().to(index.device, arithmetic_dtype(logits)).masked_fill(~valid, 0)
    return _weighted(logits, index, pixel_weight, valid, 0.0)


def _weighted(
    logits: Tensor, index: Tensor, pixel_weight: Tensor, valid: Tensor, label_smoothing: float
) -> _PixelLosses:
    """What weighs nothing is not looked at, so that 0 times an infinite loss is 0."""
    index, pixel_weight, valid = index.flatten(1), pixel_weight.flatten(1), valid.flatten(1)
    found = true_log_probability(logits.flatten(2), index, pixel_weight != 0, label_smoothing)
    return _PixelLosses(-pixel_weight * found, pixel_weight, valid)


def _of_soft_labels(logits: Tensor, target: Tensor, weight: Tensor | None, label_smoothing: float) -> _PixelLosses:
    check_shares(logits, target)
    check_class_weights(weight, logits.shape[1])
    shares = target.detach().to(arithmetic_dtype(logits)).flatten(2)
    weighted = shares if weight is None else shares * weight.to(shares.device, shares.dtype)[:, None]
    pixel_weight = weighted.sum(1)
    smoothed = weighted if not label_smoothing else torch.lerp(weighted, weighted.mean(1, True), label_smoothing)
    return _PixelLosses(-shared_log_probability(logits.flatten(2), smoothed), pixel_weight, shares.sum(1))
