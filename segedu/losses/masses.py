"""What a region loss needs of a batch: how much of each class is predicted, how much of that is right, and its size."""

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from segedu.losses.chunks import chunks
from segedu.losses.derivatives import gradient_to_follow
from segedu.losses.gpu import takes_kernels
from segedu.losses.inputs import accumulator, arithmetic_dtype, kept_labels
from segedu.losses.pages import gradient_like, written_to
from segedu.losses.powers import powers_of, scratch


class Masses(NamedTuple):
    """Sums over the valid pixels of each image, in float64 (float32 where a device has no float64): ``(N, K)`` each."""

    predicted: Tensor
    """The probability given to a class: ``sum p_c``."""
    shared: Tensor
    """That part of it which lies on the class's own pixels: ``sum min(p_c, t_c)``."""
    true: Tensor
    """How many pixels the class has: ``sum t_c``. Without a gradient."""
    pixels: Tensor
    """How many pixels are valid, ``(N, 1)``."""


def class_masses(logits: Tensor, index: Tensor, valid: Tensor) -> Masses:
    """The masses of a softmax under labels: ``logits (N, K, P)``, ``index`` and ``valid (N, P)`` -> ``(N, K)`` each.

    ``index`` and ``valid`` come from ``inputs.safe_labels``. The true class is gathered, never spelt out as one-hot; of
    the forward pass only the log-sum-exp of each pixel is kept, and the backward pass rebuilds the softmax in one pass.
    A second derivative is defined. What the logits hold at a void pixel does not matter.
    """
    on_cpu = logits.device.type == "cpu"
    if torch.compiler.is_compiling() or not (on_cpu or takes_kernels(logits)):
        true = _sizes(index, valid, logits)
        return Masses(*_in_one_expression(logits, index, valid), true, true.sum(1, keepdim=True))
    predicted, shared, true, _ = _ClassMasses.apply(logits, index, valid)
    if on_cpu and predicted.isnan().any():  # cheaper to see than to prevent: void held NaN
        covered = logits.masked_fill(~valid[:, None], 0)
        predicted, shared, true, _ = _ClassMasses.apply(covered, index, valid)
    return Masses(predicted, shared, true, true.sum(1, keepdim=True))


def soft_masses(logits: Tensor, shares: Tensor) -> Masses:
    """The masses of a softmax under soft labels: ``logits`` and ``shares (N, K, P)`` -> ``(N, K)`` each.

    ``sum min(p, t)`` is what ``(|p| + |t| - |p - t|) / 2`` says, so the loss is least at ``p = t``, but without that
    difference of three large sums, which costs float32 three digits. A pixel whose shares are all zero is void.
    """
    shares = shares.detach().to(arithmetic_dtype(logits))
    void = (shares == 0).all(1, keepdim=True)
    probabilities = logits.to(shares.dtype).masked_fill(void, 0).softmax(1).masked_fill(void, 0)
    maps = (probabilities, torch.minimum(probabilities, shares), shares, ~void)
    return Masses(*(values.sum(2, dtype=accumulator(logits)) for values in maps))


class _ClassMasses(torch.autograd.Function):
    """The masses beside each pixel's log-sum-exp, which is infinite at void so that no class has a share there."""

    @staticmethod
    def forward(logits: Tensor, index: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
        if takes_kernels(logits):
            from segedu.losses import triton_masses

            sums, log_sum = triton_masses.class_masses(logits, index, valid)
            return *sums, log_sum
        return _sums(logits, index, valid)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.mark_non_differentiable(*output[2:])
        logits, index, valid = inputs
        ctx.save_for_backward(logits, kept_labels(index, logits.shape[1]), valid, output[3])

    @staticmethod
    def backward(ctx: Any, slope: Tensor, own_slope: Tensor, *_: Tensor) -> tuple[Tensor, None, None]:
        logits, index, valid, log_sum = ctx.saved_tensors
        if torch.is_grad_enabled():
            again = partial(_in_one_expression, index=index.long(), valid=valid)
            return gradient_to_follow(again, logits, (slope, own_slope)), None, None
        if takes_kernels(logits):
            from segedu.losses import triton_masses

            return triton_masses.class_masses_backward(logits, index, log_sum, slope, own_slope), None, None
        return _gradient(logits, index, log_sum, slope, own_slope), None, None


def _sums(logits: Tensor, index: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Predicted and shared mass, size and log-sum-exp in chunks that fit the cache."""
    log_sum = torch.empty_like(index, dtype=arithmetic_dtype(logits))
    predicted, shared = logits.new_zeros(2, *logits.shape[:2], dtype=torch.float64)
    room = scratch(logits, log_sum.dtype)
    for images, pixels in chunks(logits):
        powers, totals, log_sum[images, pixels] = powers_of(logits[images, :, pixels], room)
        labels, scale = index[images, None, pixels], totals.reciprocal_().mul_(valid[images, pixels])
        true_class = powers.gather(1, labels)[:, 0].mul_(scale)
        predicted[images] += _product(powers, scale[..., None])[..., 0]
        shared[images].scatter_add_(1, labels[:, 0], true_class.to(shared.dtype))
    return predicted, shared, _sizes(index, valid, logits), log_sum.masked_fill_(~valid, torch.inf)


def _gradient(logits: Tensor, index: Tensor, log_sum: Tensor, slope: Tensor, own_slope: Tensor) -> Tensor:
    """``p_c (a_c - sum_k p_k a_k - p_t b_t)`` and at the true class ``p_t b_t`` more, ``a`` and ``b`` being the slopes.

    ``slope`` is that of the predicted masses, ``own_slope`` that of the shared ones, both ``(N, K)``.
    """
    slope, own_slope = slope.to(log_sum.dtype)[..., None], own_slope.to(log_sum.dtype)
    out, room = gradient_like(logits), scratch(logits, log_sum.dtype)
    for images, pixels in chunks(logits):
        values, labels = logits[images, :, pixels], index[images, None, pixels].long()
        softmax = torch.sub(values, log_sum[images, None, pixels], out=room(values)).exp_()
        own_steps = own_slope[images].gather(1, labels[:, 0])[:, None]
        mean = _product(slope[images].mT, softmax).addcmul_(softmax.gather(1, labels), own_steps)
        with written_to(out[images, :, pixels], mean.dtype) as steps:
            torch.sub(slope[images], mean, out=steps).scatter_add_(1, labels, own_steps).mul_(softmax)
    return out


def _product(left: Tensor, right: Tensor) -> Tensor:
    """The matrix product in the operands' own precision, inside an autocast region too."""
    with torch.autocast(left.device.type, enabled=False):
        return left @ right


def _sizes(index: Tensor, valid: Tensor, logits: Tensor) -> Tensor:
    """How many valid pixels each class has in each image: ``(N, P), (N, P) -> (N, K)``."""
    none = logits.new_zeros(logits.shape[:2], dtype=accumulator(logits))
    return none.scatter_add(1, index, valid.to(none.dtype))


def _in_one_expression(logits: Tensor, index: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Predicted and shared mass in steps that autograd and a compiler can follow."""
    void = ~valid[:, None]
    softmax = logits.to(arithmetic_dtype(logits)).masked_fill(void, 0).softmax(1).masked_fill(void, 0)
    predicted = softmax.sum(2, dtype=accumulator(logits))
    true_class = softmax.gather(1, index[:, None])[:, 0].to(predicted.dtype)
    return predicted, torch.zeros_like(predicted).scatter_add(1, index, true_class)
