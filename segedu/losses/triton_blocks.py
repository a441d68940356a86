# mypy: disable-error-code="import-untyped,import-not-found,untyped-decorator,no-untyped-def,no-untyped-call"
"""What the Triton kernels of the losses share: how pixels fall to programs, and a pixel's log-sum-exp.

A program owns ``BLOCK`` pixels of one image, with all of their classes, and walks through the classes in a loop, so
that neighbouring threads read neighbouring pixels of a class plane. Logits ``(N, K, P)`` come with their strides
(``channels_last`` is another order of the same loop); maps ``(N, P)`` are contiguous. Offsets are 64-bit: a batch may
hold more than 2**31 logits. Arithmetic is in the type of the pixel's log-sum-exp, whatever the logits are stored in.

A label outside ``0..K-1`` fails an assertion on the device, as PyTorch's own look-ups do: the host is told at its next
synchronisation, and no step of training waits for it.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024  # pixels a program owns: 8 for each of its 128 threads, two 16-byte loads of float32 or one of bfloat16


def launch(kernel: Any, logits: Tensor, *arguments: Tensor | int, **constants: float) -> None:
    """One program for each block of pixels: ``kernel(logits, *arguments, K, P, strides of logits, **constants)``."""
    images, classes, pixels = logits.shape
    with torch.cuda.device_of(logits):  # a kernel goes to the current device, which need not be that of the logits
        kernel[(images * triton.cdiv(pixels, BLOCK),)](
            logits,
            *arguments,
            classes,
            pixels,
            *logits.stride(),
            BLOCK=BLOCK,
            **constants,
            num_warps=4,
            enable_fp_fusion=True,
            debug=True,  # labels are asserted ...
            sanitize_overflow=False,  # ... and nothing else
        )


@triton.jit
def own_pixels(pixels, BLOCK: tl.constexpr):  # noqa: N803
    """The program's image, its pixels, and which of those are inside the image."""
    blocks = tl.cdiv(pixels, BLOCK)
    program = tl.program_id(0)
    pixel = (program % blocks).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return (program // blocks).to(tl.int64), pixel, pixel < pixels


@triton.jit
def own_labels(index_ptr, inside, classes):
    """The pixels' labels as 32-bit numbers, asserted to be classes."""
    label = tl.load(index_ptr, mask=inside, other=0)
    tl.device_assert((label >= 0) & (label < classes), "a label is outside 0..K-1 and is not ignore_index")
    return label.to(tl.int32)


@triton.jit
def score_and_log_sum(
    logit_ptr,
    class_stride,
    classes,
    label,
    inside,
    DTYPE: tl.constexpr,  # noqa: N803
    SMOOTHING: tl.constexpr,  # noqa: N803
):
    """Each pixel's logit of the (smoothed) label and its ``log sum_k exp(x_k)``, in one reading of the logits.

    The sum is kept relative to the largest logit so far. That starts from the lowest finite number rather than minus
    infinity, so that a class ruled out by a logit of minus infinity leaves no ``inf - inf`` behind.
    """
    largest = tl.where(inside, -3.4028234e38, 0.0).to(DTYPE)
    total = tl.zeros_like(largest)
    score = tl.zeros_like(largest)
    mean = tl.zeros_like(largest)
    for k in range(classes):
        logit = tl.load(logit_ptr, mask=inside, other=0.0).to(DTYPE)
        rise = logit - largest
        smaller = tl.exp(-tl.abs(rise))
        total = tl.where(rise > 0, total * smaller + 1, total + smaller)
        largest = tl.maximum(largest, logit)
        score = tl.where(label == k, logit, score)
        mean += logit
        logit_ptr += class_stride
    if SMOOTHING > 0:
        score += SMOOTHING * (mean / classes - score)
    return score, largest + tl.log(total)
