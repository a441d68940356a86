"""The Lovász extension of the Jaccard loss over errors that are counted in levels, without a sort."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from segedu.losses.chunks import chunks
from segedu.losses.derivatives import gradient_to_follow
from segedu.losses.gpu import takes_kernels
from segedu.losses.inputs import accumulator, arithmetic_dtype, kept_labels
from segedu.losses.lovasz_sorted import jaccard_steps
from segedu.losses.pages import gradient_like
from segedu.losses.powers import powers_of, scratch
from segedu.losses.tversky import Over

_MOST_BINS = 2**22  # of all classes together: up to here a bin's number is exact in float32, to a quarter


def check_bins(bins: int, num_classes: int) -> None:
    """Raises ``ValueError`` for a number of levels that cannot be counted in."""
    if not 2 <= bins <= _MOST_BINS // num_classes:
        raise ValueError(
            f"bins is {bins}; for {num_classes} classes it must lie in 2..{_MOST_BINS // num_classes}, "
            "or be None for the exact order"
        )


def in_bins(logits: Tensor, index: Tensor, valid: Tensor, over: Over, bins: int) -> tuple[Tensor, Tensor]:
    """Each class's loss and size: ``logits (N, K, P)``, ``index`` and ``valid (N, P)`` -> ``(N or 1, K)`` both.

    A softmax ``p`` falls into bin ``round(p (bins - 1))``: an error of that level where the class is false, and of the
    opposite level where it is true. One histogram of all pixels and one of the true ones give the steps of
    ``jaccard_steps``, and with them the loss at the levels and the gradient at the pixels. As in
    ``masses.class_masses`` only the log-sum-exp of the pixels is kept for the backward pass.
    """
    on_cpu = logits.device.type == "cpu"
    if torch.compiler.is_compiling() or not (on_cpu or takes_kernels(logits)):
        return _in_one_expression(logits, index, valid, over, bins)
    loss, size, *_ = _InBins.apply(logits, index, valid, over, bins)
    if on_cpu and loss.isnan().any():  # cheaper to see than to prevent: void held NaN
        loss, size, *_ = _InBins.apply(logits.masked_fill(~valid[:, None], 0), index, valid, over, bins)
    return loss, size


class _InBins(torch.autograd.Function):
    """Loss and size beside what the backward pass needs: the steps of each bin and the pixels' log-sum-exp."""

    @staticmethod
    def forward(logits: Tensor, index: Tensor, valid: Tensor, over: Over, bins: int) -> tuple[Tensor, ...]:
        if takes_kernels(logits):
            from segedu.losses import triton_lovasz

            counts, log_sum = triton_lovasz.softmax_histograms(logits, index, valid, bins)
        else:
            counts, log_sum = _histograms(logits, index, valid, bins)
        loss, size, by_true, by_false = _levels(counts, valid, over)
        return loss + 0 * log_sum.masked_fill(~valid, 0).sum(), size, by_true, by_false, log_sum  # NaN stays NaN

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        logits, index, valid, ctx.over, ctx.bins = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(logits, kept_labels(index, logits.shape[1]), valid, *output[2:])

    @staticmethod
    def backward(ctx: Any, slope: Tensor, *_: Tensor) -> tuple[Tensor, None, None, None, None]:
        logits, index, valid, by_true, by_false, log_sum = ctx.saved_tensors
        if torch.is_grad_enabled():
            again = partial(_in_one_expression, index=index.long(), valid=valid, over=ctx.over, bins=ctx.bins)
            return gradient_to_follow(lambda logits: again(logits)[0], logits, slope), None, None, None, None
        slopes = (slope[..., None] * by_true, slope[..., None] * by_false)
        if takes_kernels(logits):
            from segedu.losses import triton_lovasz

            return triton_lovasz.softmax_histograms_backward(logits, index, log_sum, *slopes), None, None, None, None
        return _gradient(logits, index, log_sum, *slopes), None, None, None, None


def _histograms(logits: Tensor, index: Tensor, valid: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """``(2, N, K, B)`` counts of the softmax, of all pixels and of the true ones, and the log-sum-exp ``(N, P)``.

    At a void pixel the log-sum-exp is infinite; it counts as a softmax of 0, and of class 0. The first pixels that are
    not finite make the whole log-sum-exp NaN.
    """
    images, classes, _ = logits.shape
    log_sum = torch.empty_like(index, dtype=arithmetic_dtype(logits))
    counts = torch.zeros(2, images, classes * bins, dtype=torch.int64)
    room, key_room, first_bins = scratch(logits, log_sum.dtype), scratch(logits, torch.int32), _first_bins(logits, bins)
    for image, pixels in _pieces(logits):
        powers, totals, log_sum[image, pixels] = powers_of(logits[image, :, pixels], room)
        if not totals.isfinite().all():
            log_sum.fill_(torch.nan)
            break
        scale = (valid[image, pixels] / totals).mul_(bins - 1)
        keys = key_room(powers).copy_(torch.addcmul(first_bins, powers, scale, out=powers))
        counts[0, image] += keys.flatten().bincount(minlength=classes * bins)
        counts[1, image] += keys.gather(0, index[image, None, pixels])[0].bincount(minlength=classes * bins)
    return counts.view(2, images, classes, bins), log_sum.masked_fill_(~valid, torch.inf)


def _gradient(logits: Tensor, index: Tensor, log_sum: Tensor, by_true: Tensor, by_false: Tensor) -> Tensor:
    """The gradient for the logits, where ``by_true`` and ``by_false (N or 1, K, B)`` are the slopes of the errors."""
    out, bins = gradient_like(logits), by_true.shape[2]
    if log_sum.isnan().any():
        return out.fill_(torch.nan)
    by_true, by_false = (
        slopes.to(log_sum.dtype).flatten(1).expand(logits.shape[0], -1) for slopes in (by_true.neg(), by_false)
    )
    room, more_room, key_room = (scratch(logits, dtype) for dtype in (log_sum.dtype, log_sum.dtype, torch.int32))
    first_bins = _first_bins(logits, bins)
    for image, pixels in _pieces(logits):
        values, labels = logits[image, :, pixels], index[image, None, pixels].long()
        softmax, steps = torch.sub(values, log_sum[image, pixels], out=room(values)).exp_(), more_room(values)
        keys = key_room(values).copy_(torch.add(first_bins, softmax, alpha=bins - 1, out=steps))
        torch.index_select(by_false[image], 0, keys.flatten(), out=steps.view(-1))
        steps.scatter_(0, labels, by_true[image].index_select(0, keys.gather(0, labels)[0])[None])
        mean = steps.mul_(softmax).sum(0)
        torch.addcmul(steps, softmax, mean, value=-1, out=out[image, :, pixels])
    return out


def _pieces(logits: Tensor) -> Iterator[tuple[int, slice]]:
    """What ``chunks`` gives, image by image."""
    for image in range(logits.shape[0]):
        for _, pixels in chunks(logits[image : image + 1]):
            yield image, pixels


def _first_bins(logits: Tensor, bins: int) -> Tensor:
    """The place of each class's first bin among all of them, ``(K, 1)``, and a half with which to round."""
    starts = torch.arange(logits.shape[1], dtype=arithmetic_dtype(logits), device=logits.device)
    return starts.mul_(bins).add_(0.5)[:, None]


def _levels(counts: Tensor, valid: Tensor, over: Over) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Loss and size of each class, and the steps of each bin, from the two histograms without their void pixels."""
    void = (~valid).sum(1)
    counts[0, :, :, 0] -= void[:, None]
    counts[1, :, 0, 0] -= void
    if over == "batch":
        counts = counts.sum(1, keepdim=True)
    every, true = counts.to(accumulator(counts))
    false = (every - true).flip(-1)  # as the true ones: largest error first
    by_true, by_false = jaccard_steps(true, false)
    levels = torch.linspace(1, 0, counts.shape[-1], dtype=true.dtype, device=true.device)
    loss = ((true * by_true + false * by_false) * levels).sum(-1)
    return loss, true.sum(-1), by_true, by_false.flip(-1)


def _in_one_expression(logits: Tensor, index: Tensor, valid: Tensor, over: Over, bins: int) -> tuple[Tensor, Tensor]:
    """The same in steps that autograd and a compiler can follow: the levels' loss, and the pixels' gradient."""
    images, classes, _ = logits.shape
    void = ~valid[:, None]
    softmax = logits.to(arithmetic_dtype(logits)).masked_fill(void, 0).softmax(1).masked_fill(void, 0)
    keys = (softmax.detach() * (bins - 1) + 0.5).long().clamp(0, bins - 1)  # NaN, too, must fall somewhere
    own_keys = keys.gather(1, index[:, None])
    every = keys.new_zeros(images, classes, bins).scatter_add(2, keys, torch.ones_like(keys))
    flat = index * bins + own_keys[:, 0]
    true = keys.new_zeros(images, classes * bins).scatter_add(1, flat, torch.ones_like(flat)).view_as(every)
    loss, size, by_true, by_false = _levels(torch.stack((every, true)), valid, over)
    by_true, by_false = (steps.expand(images, -1, -1) for steps in (by_true, by_false))
    steps = by_false.gather(2, keys)
    steps = steps.scatter(1, index[:, None], -by_true.flatten(1).gather(1, flat)[:, None])
    inner = (softmax * steps).sum(2)
    if over == "batch":
        inner = inner.sum(0, keepdim=True)
    return loss + (inner - inner.detach()), size
