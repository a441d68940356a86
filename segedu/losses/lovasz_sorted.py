"""The Lovász extension of the Jaccard loss over errors in their exact order."""

import torch
from torch import Tensor

from segedu.losses.inputs import accumulator, arithmetic_dtype
from segedu.losses.tversky import Over


def jaccard_steps(true: Tensor, false: Tensor) -> tuple[Tensor, Tensor]:
    """What one true pixel and one false pixel take from the Jaccard index, at each place of the order of errors.

    ``true`` and ``false (..., B)`` count the pixels on and off a class at each of ``B`` places, largest error first.
    With ``c`` true and ``n`` false pixels given up, ``size - c`` of ``size + n`` are still shared: the index falls by
    ``1 / (size + n)`` with a true pixel, by ``(size - c) / ((size + n) (size + n + 1))`` with a false one. Within a
    place the order is open, and its two extremes (the true pixels first or last) are averaged. The steps of all pixels
    add up to 1. Where a class has no pixel, the first place that holds a false one takes all of the index.
    """
    size = true.sum(-1, keepdim=True).clamp(min=1e-30)  # the limit of a class that vanishes
    true_after, false_after = true.cumsum(-1), false.cumsum(-1)
    before, after = size + (false_after - false), size + false_after
    left = (size - true_after + true / 2).clamp(min=0)
    return (1 / before + 1 / after) / 2, left / (before * after.clamp(min=1))


def softmax_sorted(logits: Tensor, index: Tensor, valid: Tensor, over: Over) -> tuple[Tensor, Tensor]:
    """Each class's loss and size: ``logits (N, K, P)``, ``index`` and ``valid (N, P)`` -> ``(N or 1, K)`` both."""
    void = ~valid[:, None]
    softmax = logits.to(arithmetic_dtype(logits)).masked_fill(void, 0).softmax(1)
    losses = [
        _extension(torch.where(index == c, 1 - softmax[:, c], softmax[:, c]), (index == c) & valid, valid, over)
        for c in range(logits.shape[1])
    ]
    loss, true = (torch.cat(parts, 1) for parts in zip(*losses, strict=True))
    return loss, true


def binary_sorted(logits: Tensor, index: Tensor, valid: Tensor, over: Over) -> tuple[Tensor, Tensor, Tensor]:
    """The foreground's loss and size, and how many pixels are valid: ``(N, P)`` each -> ``(N or 1, 1)`` each."""
    values = logits.to(arithmetic_dtype(logits)).masked_fill(~valid, 0)
    errors = torch.where(index == 1, 1 - values, 1 + values).relu()
    loss, true = _extension(errors, (index == 1) & valid, valid, over)
    return loss, true, _units(valid, over).sum(1, keepdim=True)


def _extension(errors: Tensor, true: Tensor, valid: Tensor, over: Over) -> tuple[Tensor, Tensor]:
    """One class's loss, the errors ``(N, P)`` weighed by their steps, and its size: ``(N or 1, 1)`` both."""
    errors, true, valid = (_units(tensor, over) for tensor in (errors, true, valid))
    with torch.no_grad():  # the order is constant between ties, so its steps are, too
        order = errors.masked_fill(~valid, -1).argsort(1, descending=True)  # void comes last and takes nothing
        dtype = accumulator(errors)
        inside, outside = (mask.gather(1, order).to(dtype) for mask in (true, valid & ~true))
        by_true, by_false = jaccard_steps(inside, outside)
        steps = torch.zeros_like(by_true).scatter_(1, order, inside * by_true + outside * by_false)
    return (errors * steps).sum(1, keepdim=True), true.sum(1, keepdim=True, dtype=dtype)


def _units(tensor: Tensor, over: Over) -> Tensor:
    """``(N, P)`` as it is compared: image by image, or as one."""
    return tensor if over == "image" else tensor.reshape(1, -1)
