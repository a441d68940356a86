"""Soft labels: a pixel that is partly one class and partly another."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from segedu.losses.chunks import chunks
from segedu.losses.derivatives import gradient_to_follow
from segedu.losses.inputs import arithmetic_dtype, check_logits
from segedu.losses.pages import gradient_like
from segedu.losses.powers import powers_of, scratch


def check_shares(logits: Tensor, shares: Tensor) -> None:
    """Raises ``TypeError`` or ``ValueError`` unless ``shares`` are floating-point numbers, as many as the logits."""
    check_logits(logits)
    if not shares.is_floating_point():
        raise TypeError(f"target is {shares.dtype}; the shares of soft labels must be floating-point numbers")
    if logits.ndim < 3 or shares.shape != logits.shape:
        raise ValueError(
            f"target is {tuple(shares.shape)} and logits are {tuple(logits.shape)}; soft labels need the shape "
            "(N, K, H, W) of the logits, one share for each class"
        )


def shared_log_probability(logits: Tensor, shares: Tensor) -> Tensor:
    """``sum_k shares_k log softmax(logits)_k``: ``(N, K, P), (N, K, P) -> (N, P)``, float32 (float64 for float64).

    The shares of a pixel need not add up to 1; they are given, not learnt, and get no gradient. Where all are 0 the
    pixel is void: 0, without a gradient. As with ``pixels.true_log_probability``, the backward pass rebuilds the
    softmax from the log-sum-exp, and a second derivative is defined.
    """
    shares = shares.detach()
    if torch.compiler.is_compiling():
        return _in_one_expression(logits, shares)
    found: Tensor = _SharedLogProbability.apply(logits, shares)[0]
    return found


class _SharedLogProbability(torch.autograd.Function):
    """The value beside each pixel's log-sum-exp, in chunks that fit the cache."""

    @staticmethod
    def forward(logits: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        log_sum = logits.new_empty((logits.shape[0], logits.shape[2]), dtype=arithmetic_dtype(logits))
        found, room = torch.empty_like(log_sum), scratch(logits, log_sum.dtype)
        for images, pixels in chunks(logits):
            values, part = (tensor[images, :, pixels].to(found.dtype) for tensor in (logits, shares))
            *_, log_sum[images, pixels] = powers_of(values, room)
            terms = torch.sub(values, log_sum[images, None, pixels]).mul_(part)
            found[images, pixels] = terms.masked_fill_(part == 0, 0).sum(1)
        return found, log_sum

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*inputs, output[1])

    @staticmethod
    def backward(ctx: Any, slope: Tensor, _: Tensor) -> tuple[Tensor, None]:
        logits, shares, log_sum = ctx.saved_tensors
        if torch.is_grad_enabled():
            return gradient_to_follow(partial(_in_one_expression, shares=shares), logits, slope), None
        out = gradient_like(logits)
        for images, pixels in chunks(logits):
            part = shares[images, :, pixels].to(slope.dtype)
            whole = part.sum(1, keepdim=True)
            softmax = torch.sub(logits[images, :, pixels], log_sum[images, None, pixels]).exp_()
            slopes = torch.addcmul(part, softmax, whole, value=-1).mul_(slope[images, None, pixels])
            out[images, :, pixels] = slopes.masked_fill_(whole == 0, 0)
        return out, None


def _in_one_expression(logits: Tensor, shares: Tensor) -> Tensor:
    dtype = arithmetic_dtype(logits)
    void = (shares == 0).all(1, keepdim=True)
    terms = shares.to(dtype) * logits.to(dtype).masked_fill(void, 0).log_softmax(1)
    return torch.where(shares == 0, 0, terms).sum(1)
