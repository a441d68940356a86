# mypy: disable-error-code="import-untyped,import-not-found,untyped-decorator,no-untyped-def,no-untyped-call"
"""``losses.pixels`` on a GPU: one kernel from logits to log-probabilities, and one back."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from segedu.losses.inputs import arithmetic_dtype
from segedu.losses.triton_blocks import launch, own_labels, own_pixels, score_and_log_sum
from segedu.operators import operator


def _empty_maps(logits: Tensor, index: Tensor, valid: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    dtype = arithmetic_dtype(logits)
    return logits.new_empty(index.shape, dtype=dtype), logits.new_empty(index.shape, dtype=dtype)


@operator("true_log_probability", fake=_empty_maps)
def true_log_probability(logits: Tensor, index: Tensor, valid: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    """``pixels.true_log_probability`` and each pixel's log-sum-exp, both ``(N, P)``, in one reading of the logits."""
    found, log_sum = _empty_maps(logits, index, valid, smoothing)
    launch(_forward, logits, index.contiguous(), valid.contiguous(), found, log_sum, SMOOTHING=smoothing)
    return found, log_sum


@operator("true_log_probability_backward", fake=lambda logits, *_: torch.empty_like(logits))
def true_log_probability_backward(
    logits: Tensor, index: Tensor, valid: Tensor, log_sum: Tensor, slope: Tensor, smoothing: float
) -> Tensor:
    """``slope * (label - softmax(logits))``, in one reading of the logits and one writing of the gradient."""
    out = torch.empty_like(logits)
    maps = (index.contiguous(), valid.contiguous(), log_sum, slope.contiguous())
    launch(_backward, logits, *maps, out, *out.stride(), SMOOTHING=smoothing)
    return out


@triton.jit
def _forward(
    logit_ptr,
    index_ptr,
    valid_ptr,
    found_ptr,
    log_sum_ptr,
    classes,
    pixels,
    image_stride,
    class_stride,
    pixel_stride,
    BLOCK: tl.constexpr,  # noqa: N803
    SMOOTHING: tl.constexpr,  # noqa: N803
):
    image, pixel, inside = own_pixels(pixels, BLOCK)
    logit_ptr += image * image_stride + pixel * pixel_stride
    place = image * pixels + pixel
    label = own_labels(index_ptr + place, inside, classes)
    valid = tl.load(valid_ptr + place, mask=inside, other=0) != 0
    dtype = log_sum_ptr.dtype.element_ty
    score, log_sum = score_and_log_sum(logit_ptr, class_stride, classes, label, inside, dtype, SMOOTHING)
    tl.store(found_ptr + place, tl.where(valid, score - log_sum, 0.0), mask=inside)
    tl.store(log_sum_ptr + place, log_sum, mask=inside)


@triton.jit
def _backward(
    logit_ptr,
    index_ptr,
    valid_ptr,
    log_sum_ptr,
    slope_ptr,
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
    SMOOTHING: tl.constexpr,  # noqa: N803
):
    image, pixel, inside = own_pixels(pixels, BLOCK)
    logit_ptr += image * image_stride + pixel * pixel_stride
    out_ptr += image * out_image_stride + pixel * out_pixel_stride
    place = image * pixels + pixel
    label = own_labels(index_ptr + place, inside, classes)
    valid = tl.load(valid_ptr + place, mask=inside, other=0) != 0
    log_sum = tl.load(log_sum_ptr + place, mask=inside, other=0.0)
    slope = tl.load(slope_ptr + place, mask=inside, other=0.0)
    everywhere = slope * SMOOTHING / classes  # the smoothed label gives this to each class ...
    for k in range(classes):
        logit = tl.load(logit_ptr, mask=inside, other=0.0).to(log_sum.dtype)
        gradient = everywhere - slope * tl.exp(logit - log_sum)
        gradient += tl.where(label == k, slope - slope * SMOOTHING, 0.0)  # ... and the rest to the true one
        tl.store(out_ptr, tl.where(valid, gradient, 0.0), mask=inside)
        logit_ptr += class_stride
        out_ptr += out_class_stride
