# mypy: disable-error-code="import-untyped,import-not-found,untyped-decorator,no-untyped-def,no-untyped-call"
"""``losses.lovasz_bins`` on a GPU: one kernel from logits to histograms of the softmax, and one back."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from segedu.losses.inputs import arithmetic_dtype
from segedu.losses.triton_blocks import launch, own_labels, own_pixels, score_and_log_sum
from segedu.operators import operator


def _empty_histograms(logits: Tensor, index: Tensor, valid: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    counts = logits.new_empty((2, *logits.shape[:2], bins), dtype=torch.int32)
    return counts, logits.new_empty(index.shape, dtype=arithmetic_dtype(logits))


@operator("softmax_histograms", fake=_empty_histograms)
def softmax_histograms(logits: Tensor, index: Tensor, valid: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """``(2, N, K, bins)`` counts of the softmax, and each pixel's log-sum-exp ``(N, P)``, infinite at void.

    The first histogram is of all pixels, the second of a class's own. A void pixel counts as a softmax of 0, of which
    class 0 is true. Integers are added atomically, in which the order does not show: the counts repeat.
    """
    counts, log_sum = _empty_histograms(logits, index, valid, bins)
    maps = (index.contiguous(), valid.contiguous(), log_sum)
    launch(_forward, logits, *maps, counts.zero_(), bins, ROOM=triton.next_power_of_2(bins))
    return counts, log_sum


@operator("softmax_histograms_backward", fake=lambda logits, *_: torch.empty_like(logits))
def softmax_histograms_backward(
    logits: Tensor, index: Tensor, log_sum: Tensor, by_true: Tensor, by_false: Tensor
) -> Tensor:
    """The gradient for the logits where an error's slope is looked up by its bin: two readings, one writing.

    ``by_true`` and ``by_false`` ``(N or 1, K, bins)`` are the slopes by the errors, ``1 - p`` on a class and ``p`` off
    it.
    """
    out = torch.empty_like(logits)
    slopes = torch.stack((by_false, -by_true)).to(log_sum.dtype)
    of_image, bins = 0 if slopes.shape[1] == 1 else slopes.stride(1), slopes.shape[3]
    launch(_backward, logits, index.contiguous(), log_sum, slopes, slopes.stride(0), of_image, bins, out, *out.stride())
    return out


@triton.jit
def _bin(probability, bins):
    return (tl.maximum(probability, 0.0) * (bins - 1) + 0.5).to(tl.int32)  # what is not a number goes to 0


@triton.jit
def _forward(
    logit_ptr,
    index_ptr,
    valid_ptr,
    log_sum_ptr,
    counts_ptr,
    bins,
    classes,
    pixels,
    image_stride,
    class_stride,
    pixel_stride,
    BLOCK: tl.constexpr,  # noqa: N803
    ROOM: tl.constexpr,  # noqa: N803
):
    image, pixel, inside = own_pixels(pixels, BLOCK)
    logit_ptr += image * image_stride + pixel * pixel_stride
    place = image * pixels + pixel
    label = own_labels(index_ptr + place, inside, classes)
    valid = tl.load(valid_ptr + place, mask=inside, other=0) != 0
    dtype = log_sum_ptr.dtype.element_ty
    score, log_sum = score_and_log_sum(logit_ptr, class_stride, classes, label, inside, dtype, 0)
    tl.store(log_sum_ptr + place, tl.where(valid, log_sum, float("inf")), mask=inside)

    every_ptr = counts_ptr + image * classes * bins
    true_ptr = every_ptr + (tl.num_programs(0) // tl.cdiv(pixels, BLOCK)).to(tl.int64) * classes * bins
    own_bin = _bin(tl.where(valid, tl.exp(score - log_sum), 0.0), bins)
    tl.atomic_add(true_ptr + label * bins + own_bin, 1, mask=inside, sem="relaxed")
    for _ in range(classes):
        logit = tl.load(logit_ptr, mask=inside, other=0.0).to(dtype)
        level = _bin(tl.where(valid, tl.exp(logit - log_sum), 0.0), bins)
        if ROOM <= 8192:  # what fits the memory of a block is counted there, so that few programs meet at a bin
            counts = tl.histogram(level, ROOM, mask=inside)
            tl.atomic_add(every_ptr + tl.arange(0, ROOM), counts, mask=counts > 0, sem="relaxed")
        else:
            tl.atomic_add(every_ptr + level, 1, mask=inside, sem="relaxed")
        logit_ptr += class_stride
        every_ptr += bins


@triton.jit
def _backward(
    logit_ptr,
    index_ptr,
    log_sum_ptr,
    slopes_ptr,
    own_stride,
    slopes_image_stride,
    bins,
    out_ptr,
    out_image_stride,
    out_class_stride,
    out_pixel_stride,
    classes,
    pixels,
    image_stride,
    class_stride,
    pixel_stride,
    BLOCK: tl.constexpr,  # noqa: N803
):
    image, pixel, inside = own_pixels(pixels, BLOCK)
    logit_ptr += image * image_stride + pixel * pixel_stride
    out_ptr += image * out_image_stride + pixel * out_pixel_stride
    place = image * pixels + pixel
    label = own_labels(index_ptr + place, inside, classes)
    log_sum = tl.load(log_sum_ptr + place, mask=inside, other=float("inf"))
    valid = log_sum != float("inf")
    slopes_ptr += image * slopes_image_stride

    mean = tl.zeros_like(log_sum)  # sum_k p_k times the slope by p_k
    class_ptr = logit_ptr
    for k in range(classes):
        logit = tl.load(class_ptr, mask=inside, other=0.0).to(log_sum.dtype)
        probability = tl.where(valid, tl.exp(logit - log_sum), 0.0)
        found = k * bins + _bin(probability, bins) + tl.where(label == k, own_stride, 0)
        mean += probability * tl.load(slopes_ptr + found)
        class_ptr += class_stride
    for k in range(classes):
        logit = tl.load(logit_ptr, mask=inside, other=0.0).to(log_sum.dtype)
        probability = tl.where(valid, tl.exp(logit - log_sum), 0.0)
        found = k * bins + _bin(probability, bins) + tl.where(label == k, own_stride, 0)
        tl.store(out_ptr, probability * (tl.load(slopes_ptr + found) - mean), mask=inside)
        logit_ptr += class_stride
        out_ptr += out_class_stride
