"""The one step from logits to what a pixel loss needs of them: the log-probability of each pixel's true class.

A loss of one pixel is any differentiable function of it, so the maps that follow are plain autograd on ``(N, P)``.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from segedu.losses.chunks import chunks
from segedu.losses.derivatives import gradient_to_follow
from segedu.losses.gpu import takes_kernels
from segedu.losses.inputs import arithmetic_dtype, kept_labels
from segedu.losses.pages import gradient_like, written_to
from segedu.losses.powers import powers_of, scratch


def true_log_probability(logits: Tensor, index: Tensor, valid: Tensor, smoothing: float = 0.0) -> Tensor:
    """``log softmax(logits)[index]``, and 0 where a pixel is not ``valid``: ``(N, K, P), (N, P), (N, P) -> (N, P)``.

    ``index`` holds labels in ``0..K-1`` (``inputs.safe_labels``), ``valid`` is boolean; the result is float32 (float64
    for float64 logits). With ``smoothing`` s it is the mean of ``log softmax(logits)`` under the smoothed label,
    ``(1 - s) * onehot + s / K``. Where a pixel is not
    valid its logits may hold anything, and get no gradient.

    Only the log-sum-exp of each pixel is kept for the backward pass, not the softmax, which is rebuilt in one pass into
    the gradient's own memory; the true class is found by ``gather``, whose backward pass is repeatable on CUDA where
    that of ``nll_loss2d`` is not. A second derivative is defined.
    """
    if torch.compiler.is_compiling():  # a compiler fuses the plain expression better than it sees through chunks
        return _in_one_expression(logits, index, valid, smoothing)
    found: Tensor = _TrueLogProbability.apply(logits, index, valid, smoothing)[0]
    return found


class _TrueLogProbability(torch.autograd.Function):
    """The value beside each pixel's log-sum-exp: in kernels on a GPU, elsewhere in chunks that fit the cache."""

    @staticmethod
    def forward(logits: Tensor, index: Tensor, valid: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
        if takes_kernels(logits):
            from segedu.losses import triton_pixels

            found, log_sum = triton_pixels.true_log_probability(logits, index, valid, smoothing)
            return found, log_sum
        log_sum = torch.empty_like(index, dtype=arithmetic_dtype(logits))
        score, room = torch.empty_like(log_sum), scratch(logits, log_sum.dtype)
        for images, pixels in chunks(logits):
            values = logits[images, :, pixels]
            *_, log_sum[images, pixels] = powers_of(values, room)
            score[images, pixels] = _labelled_score(values, index[images, pixels], smoothing)
        return score.sub_(log_sum).masked_fill_(~valid, 0), log_sum

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, float], output: tuple[Tensor, Tensor]) -> None:
        logits, index, valid, ctx.smoothing = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(logits, kept_labels(index, logits.shape[1]), valid, output[1])

    @staticmethod
    def backward(ctx: Any, slope: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        logits, index, valid, log_sum = ctx.saved_tensors
        if torch.is_grad_enabled():
            again = partial(_in_one_expression, index=index.long(), valid=valid, smoothing=ctx.smoothing)
            return gradient_to_follow(again, logits, slope), None, None, None
        if takes_kernels(logits):
            from segedu.losses import triton_pixels

            out = triton_pixels.true_log_probability_backward(logits, index, valid, log_sum, slope, ctx.smoothing)
            return out, None, None, None
        out = gradient_like(logits)
        slope = slope.masked_fill(~valid, 0)
        spoilt = log_sum.device.type != "cpu" or not log_sum.isfinite().all()  # void may hold anything, NaN too
        for images, pixels in chunks(logits):
            steps = slope[images, None, pixels]
            with written_to(out[images, :, pixels], steps.dtype) as slopes:
                torch.sub(logits[images, :, pixels], log_sum[images, None, pixels], out=slopes).exp_().mul_(-steps)
                if ctx.smoothing:
                    slopes.add_(steps, alpha=ctx.smoothing / logits.shape[1])
                slopes.scatter_add_(1, index[images, None, pixels].long(), steps * (1 - ctx.smoothing))
                if spoilt:
                    slopes.masked_fill_(~valid[images, None, pixels], 0)
        return out, None, None, None


def _in_one_expression(logits: Tensor, index: Tensor, valid: Tensor, smoothing: float) -> Tensor:
    values = logits.to(arithmetic_dtype(logits)).masked_fill(~valid[:, None], 0)
    return torch.where(valid, _labelled_score(values, index, smoothing) - values.logsumexp(1), 0)


def _labelled_score(values: Tensor, index: Tensor, smoothing: float) -> Tensor:
    """The logit of the (smoothed) label in the type of arithmetic: ``(N, K, P), (N, P) -> (N, P)``."""
    dtype = arithmetic_dtype(values)
    true_class = values.gather(1, index[:, None])[:, 0].to(dtype)
    return torch.lerp(true_class, values.mean(1, dtype=dtype), smoothing) if smoothing else true_class
