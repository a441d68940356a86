# mypy: disable-error-code="import-untyped,import-not-found,untyped-decorator,no-untyped-def,no-untyped-call"
"""``losses.masses`` on a GPU: one kernel from logits to the sums that region losses are made of, and one back."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from segedu.losses.inputs import arithmetic_dtype
from segedu.losses.triton_blocks import BLOCK, launch, own_labels, own_pixels, score_and_log_sum
from segedu.operators import operator


def _empty_sums(logits: Tensor, index: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    sums = logits.new_empty((3, *logits.shape[:2]), dtype=torch.float64)
    return sums, logits.new_empty(index.shape, dtype=arithmetic_dtype(logits))


@operator("class_masses", fake=_empty_sums)
def class_masses(logits: Tensor, index: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """``(3, N, K)`` sums over the valid pixels, and each pixel's log-sum-exp ``(N, P)``, infinite at void.

    The three are the probability of a class on all pixels, that on the class's own, and how many these are. A program
    leaves the sums of its block in a place of their own, and these are added up in float64 in a fixed order: no float
    is added atomically, so the value repeats to the bit.
    """
    images, classes, pixels = logits.shape
    log_sum = logits.new_empty(index.shape, dtype=arithmetic_dtype(logits))
    partial = log_sum.new_empty((3, images, classes, triton.cdiv(pixels, BLOCK)))
    launch(_forward, logits, index.contiguous(), valid.contiguous(), log_sum, partial)
    return partial.sum(-1, dtype=torch.float64), log_sum


@operator("class_masses_backward", fake=lambda logits, *_: torch.empty_like(logits))
def class_masses_backward(logits: Tensor, index: Tensor, log_sum: Tensor, slope: Tensor, own_slope: Tensor) -> Tensor:
    """The gradient for the logits from the slopes ``(N, K)`` of the first two sums: two readings, one writing."""
    out = torch.empty_like(logits)
    slope, own_slope = slope.to(log_sum.dtype).contiguous(), own_slope.to(log_sum.dtype).contiguous()
    launch(_backward, logits, index.contiguous(), log_sum, slope, own_slope, out, *out.stride())
    return out


@triton.jit
def _forward(
    logit_ptr,
    index_ptr,
    valid_ptr,
    log_sum_ptr,
    partial_ptr,
    classes,
    pixels,
    image_stride,
    class_stride,
    pixel_stride,
    BLOCK: tl.constexpr,  # noqa: N803
):
    image, pixel, inside = own_pixels(pixels, BLOCK)
    logit_ptr += image * image_stride + pixel * pixel_stride
    place = image * pixels + pixel
    label = own_labels(index_ptr + place, inside, classes)
    valid = tl.load(valid_ptr + place, mask=inside, other=0) != 0
    dtype = log_sum_ptr.dtype.element_ty
    _, log_sum = score_and_log_sum(logit_ptr, class_stride, classes, label, inside, dtype, 0.0)
    tl.store(log_sum_ptr + place, tl.where(valid, log_sum, float("inf")), mask=inside)

    blocks = tl.cdiv(pixels, BLOCK)
    kind = tl.num_programs(0).to(tl.int64) * classes  # how many numbers each of the three sums takes
    partial_ptr += image * classes * blocks + tl.program_id(0) % blocks
    label = tl.where(valid, label, -1)
    for k in range(classes):
        logit = tl.load(logit_ptr, mask=inside, other=0.0).to(log_sum.dtype)
        probability = tl.where(valid, tl.exp(logit - log_sum), 0.0)
        tl.store(partial_ptr, tl.sum(probability))
        tl.store(partial_ptr + kind, tl.sum(tl.where(label == k, probability, 0.0)))
        tl.store(partial_ptr + 2 * kind, tl.sum(tl.where(label == k, 1.0, 0.0)))
        logit_ptr += class_stride
        partial_ptr += blocks


@triton.jit
def _backward(
    logit_ptr,
    index_ptr,
    log_sum_ptr,
    slope_ptr,
    own_slope_ptr,
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
    slope_ptr += image * classes
    own_slope_ptr += image * classes

    mean = tl.zeros_like(log_sum)  # sum_k p_k a_k
    own = tl.zeros_like(log_sum)  # p_t b_t
    class_ptr = logit_ptr
    for k in range(classes):
        logit = tl.load(class_ptr, mask=inside, other=0.0).to(log_sum.dtype)
        probability = tl.exp(logit - log_sum)
        mean += probability * tl.load(slope_ptr + k)
        own = tl.where(label == k, probability * tl.load(own_slope_ptr + k), own)
        class_ptr += class_stride
    mean += own
    for k in range(classes):
        logit = tl.load(logit_ptr, mask=inside, other=0.0).to(log_sum.dtype)
        gradient = tl.exp(logit - log_sum) * (tl.load(slope_ptr + k) - mean) + tl.where(label == k, own, 0.0)
        tl.store(out_ptr, tl.where(valid, gradient, 0.0), mask=inside)
        logit_ptr += class_stride
        out_ptr += out_class_stride
