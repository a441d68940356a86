"""Losses for semantic segmentation: logits and integer labels in, float32 arithmetic whatever the logits' dtype.

Void pixels (``ignore_index``) are removed before anything is looked up, so they add nothing to the value, to the
gradient or to the mean's denominator; when nothing is valid the loss is 0 and so is its gradient.
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

__all__ = [
    "CrossEntropy",
    "PixelWeightedCrossEntropy",
    "Reduction",
    "cross_entropy",
    "cross_entropy_sums",
    "pixel_weighted_cross_entropy",
    "pixel_weighted_cross_entropy_sums",
    "quotient",
]

Reduction = Literal["mean", "sum", "none"]

_CHUNK = 2**18  # values a CPU chunk holds: 1 MiB of float32, so that its temporaries stay in the L2 cache
_LABEL_DTYPES = (torch.int64, torch.int32, torch.int16, torch.uint8)


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    weight: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """How surprised the model is by each pixel's true class: ``-weight[target] * log softmax(logits)[target]``.

    ``logits (N, K, H, W)`` and ``target (N, H, W)`` -> a scalar, or ``(N, H, W)`` with ``reduction="none"``, in float32
    (float64 for float64 logits). ``"mean"`` divides by the sum of the valid pixels' weights, as PyTorch does; Caffe's
    SegNet divides by their number instead, which with class weights is another learning rate.

    Only the log-sum-exp of each pixel is kept for the backward pass, not the softmax, and the true class is found by
    ``gather``, whose backward pass is repeatable on CUDA where that of ``nll_loss2d`` is not.

    Raises ``TypeError`` for dtypes and ``ValueError`` for shapes, an unknown reduction and, on the CPU, a label outside
    ``0..K-1``. On an accelerator that last check would make the host wait for the device at every step, so there the
    device's own bounds check stops the program.
    """
    loss, pixel_weight = _pixel_losses(logits, target, ignore_index, weight, None)
    return _reduced(loss, pixel_weight, reduction, target.shape)


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
    loss, pixel_weight = _pixel_losses(logits, target, ignore_index, None, pixel_weights)
    return _reduced(loss, pixel_weight, reduction, target.shape)


class CrossEntropy(nn.Module):
    """``cross_entropy`` with its settings kept: ``logits (N, K, H, W), target (N, H, W) -> loss``.

    ``weight`` moves with the module and is no part of its state. Errors are those of the function.
    """

    weight: Tensor | None

    def __init__(self, *, ignore_index: int = 255, weight: Tensor | None = None, reduction: Reduction = "mean") -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.reduction: Reduction = reduction
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return cross_entropy(
            logits, target, ignore_index=self.ignore_index, weight=self.weight, reduction=self.reduction
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
    logits: Tensor, target: Tensor, *, ignore_index: int = 255, weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The two sums whose quotient is the mean: the loss over all pixels, and the weight of the valid ones.

    Processes that share a batch add up both before they divide, so that a pixel counts the same whichever process it
    fell to. Arguments and errors are those of ``cross_entropy``.
    """
    loss, pixel_weight = _pixel_losses(logits, target, ignore_index, weight, None)
    return loss.sum(), pixel_weight.sum()


def pixel_weighted_cross_entropy_sums(
    logits: Tensor, target: Tensor, pixel_weights: Tensor, *, ignore_index: int = 255
) -> tuple[Tensor, Tensor]:
    """The two sums whose quotient is the mean of ``pixel_weighted_cross_entropy``, as ``cross_entropy_sums`` has
    them."""
    loss, pixel_weight = _pixel_losses(logits, target, ignore_index, None, pixel_weights)
    return loss.sum(), pixel_weight.sum()


def quotient(total: Tensor, weight: Tensor) -> Tensor:
    """``total / weight``, and 0 where nothing had a weight."""
    return total / torch.where(weight == 0, 1, weight)


def _reduced(loss: Tensor, pixel_weight: Tensor, reduction: Reduction, shape: torch.Size) -> Tensor:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'reduction is {reduction!r}; it must be "mean", "sum" or "none"')
    if reduction == "none":
        return loss.view(shape)
    total = loss.sum()
    return total if reduction == "sum" else quotient(total, pixel_weight.sum())


def _pixel_losses(
    logits: Tensor, target: Tensor, ignore_index: int, weight: Tensor | None, pixel_weights: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Each pixel's weighted loss and its weight, both ``(N, P)``."""
    _check(logits, target, weight)
    index, pixel_weight = _lookup(target.long(), logits.shape[1], ignore_index, weight, _arithmetic_dtype(logits))
    if pixel_weights is not None:
        pixel_weight = _weighted(pixel_weight, pixel_weights)
    values, index, pixel_weight = logits.flatten(2), index.flatten(1), pixel_weight.flatten(1)
    if torch.compiler.is_compiling():  # a compiler fuses the plain expression better than it sees through chunks
        return _whole(values, index, pixel_weight), pixel_weight
    return _PixelCrossEntropy.apply(values, index, pixel_weight), pixel_weight


class _PixelCrossEntropy(torch.autograd.Function):
    """Weighted cross entropy of ``logits (N, K, P)`` at ``index (N, P)``, in chunks that fit the cache."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, index: Tensor, weight: Tensor) -> Tensor:
        log_sum = torch.empty_like(weight)
        true_class = torch.empty_like(weight)
        for images, pixels in _chunks(logits):
            values = logits[images, :, pixels].to(weight.dtype)
            largest = values.amax(1, keepdim=True)
            log_sum[images, pixels] = torch.sub(values, largest).exp_().sum(1).log_().add_(largest[:, 0])
            true_class[images, pixels] = values.gather(1, index[images, None, pixels])[:, 0]
        ctx.save_for_backward(logits, index, weight, log_sum)
        return (log_sum - true_class).mul_(weight).masked_fill_(weight == 0, 0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        logits, index, weight, log_sum = ctx.saved_tensors
        slope = gradient * weight
        if torch.is_grad_enabled():  # a second derivative is wanted: say the same in steps that autograd can follow
            probabilities = logits.to(weight.dtype).softmax(1) * slope[:, None]
            return probabilities.scatter_add(1, index[:, None], -slope[:, None]).to(logits.dtype), None, None
        out = torch.empty_like(logits)
        for images, pixels in _chunks(logits):
            steps, place = slope[images, None, pixels], out[images, :, pixels]
            slopes = place if place.dtype == steps.dtype else torch.empty_like(place, dtype=steps.dtype)
            torch.sub(logits[images, :, pixels], log_sum[images, None, pixels], out=slopes)
            slopes.exp_().mul_(steps).scatter_add_(1, index[images, None, pixels], -steps)
            if slopes is not place:
                place.copy_(slopes)
        return out, None, None


def _whole(logits: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """The same in one expression."""
    values = logits.to(weight.dtype)
    loss = values.logsumexp(1) - values.gather(1, index[:, None])[:, 0]
    return torch.where(weight == 0, 0, loss * weight)


def _chunks(logits: Tensor) -> Iterator[tuple[slice, slice]]:
    """Slices of images and of pixels that cover ``(N, K, P)``: what fits the cache on a CPU, everything elsewhere."""
    images, classes, pixels = logits.shape
    run = max(1, min(pixels, _CHUNK // classes)) if logits.device.type == "cpu" else pixels
    batch = max(1, _CHUNK // (classes * run)) if logits.device.type == "cpu" else images
    for image in range(0, images, batch):
        for pixel in range(0, pixels, run):
            yield slice(image, image + batch), slice(pixel, pixel + run)


def _lookup(
    target: Tensor, num_classes: int, ignore_index: int, weight: Tensor | None, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Labels that are safe to look up with (void -> 0), and each pixel's weight (void -> 0)."""
    void = target == ignore_index
    index = target.masked_fill(void, 0)
    if index.device.type == "cpu" and index.numel() and not torch.compiler.is_compiling():
        lowest, highest = (int(value) for value in torch.aminmax(index))
        if lowest < 0 or highest >= num_classes:
            worst = highest if highest >= num_classes else lowest
            raise ValueError(
                f"target holds class {worst}, but logits have {num_classes} channels; "
                f"classes are 0..{num_classes - 1} and void is ignore_index={ignore_index}"
            )
    if weight is None:
        return index, (~void).to(dtype)
    return index, weight.to(index.device, dtype)[index].masked_fill(void, 0)


def _weighted(pixel_weight: Tensor, given: Tensor) -> Tensor:
    """The given weights, and 0 where there is void."""
    if given.shape != pixel_weight.shape:
        raise ValueError(
            f"pixel_weights are {tuple(given.shape)} and target is {tuple(pixel_weight.shape)}; "
            "give one weight for each pixel"
        )
    given = given.detach().to(pixel_weight.device, pixel_weight.dtype)
    return given.masked_fill(pixel_weight == 0, 0)


def _check(logits: Tensor, target: Tensor, weight: Tensor | None) -> None:
    if not logits.is_floating_point():
        raise TypeError(f"logits are {logits.dtype}; they must be raw floating-point scores, not labels")
    if target.dtype not in _LABEL_DTYPES:
        raise TypeError(f"target is {target.dtype}; labels must be integers (int64 by custom, uint8 accepted)")
    if logits.ndim < 3 or target.shape != logits.shape[:1] + logits.shape[2:]:
        raise ValueError(
            f"target is {tuple(target.shape)} and logits are {tuple(logits.shape)}; logits (N, K, H, W) need labels "
            "(N, H, W): upsample the logits or resize the labels with nearest neighbour"
        )
    if weight is not None and weight.shape != logits.shape[1:2]:
        raise ValueError(
            f"weight is {tuple(weight.shape)}; it must hold one number for each of {logits.shape[1]} classes"
        )


def _arithmetic_dtype(logits: Tensor) -> torch.dtype:
    return torch.float64 if logits.dtype == torch.float64 else torch.float32
