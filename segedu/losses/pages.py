"""The memory that a gradient is worked out in."""

import ctypes
import functools
import mmap
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_LEAST = 2**23
"""From so many bytes the system's answer is worth the question: four large pages of 2 MiB."""


def gradient_like(logits: Tensor) -> Tensor:
    """``torch.empty_like``, which on Linux comes in pages of 2 MiB rather than 4 KiB.

    PyTorch gives large memory back to the system when a tensor dies, so every step's gradient is new memory, and the
    first write to each of its pages stops the processor until the system has found and cleared one. Of a region loss's
    step that was a third.
    """
    found = torch.empty_like(logits)
    size = found.numel() * found.element_size()
    if type(found) is Tensor and found.device.type == "cpu" and size >= _LEAST and (advise := _advise()):
        start = -(-found.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        advise(start, found.data_ptr() + size - start, mmap.MADV_HUGEPAGE)  # a refusal changes nothing but the time
    return found


@contextmanager
def written_to(place: Tensor, dtype: torch.dtype) -> Iterator[Tensor]:
    """Memory to work out a piece of the gradient in: ``place`` itself, or of ``dtype`` and copied there at the end."""
    if place.dtype == dtype:
        yield place
    else:
        worked_out = torch.empty_like(place, dtype=dtype)
        yield worked_out
        place.copy_(worked_out)


@functools.cache
def _advise() -> Callable[[int, int, int], int] | None:
    """The system's ``madvise(address, length, advice)``; None where there is none, or none that knows large pages."""
    if sys.platform != "linux" or not hasattr(mmap, "MADV_HUGEPAGE"):
        return None
    advise = ctypes.CDLL(None).madvise
    advise.argtypes, advise.restype = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int), ctypes.c_int
    return advise
