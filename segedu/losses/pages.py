"""The memory that a gradient is worked out in.

PyTorch gives large memory on the CPU back to the system when a tensor dies, so every step's gradient is new memory, and
the first write to each of its pages stops the processor until the system has found and cleared one: of a region loss's
step that was a third. Here the memory of one gradient that died is kept for the next, as PyTorch does on a GPU.
"""

import ctypes
import functools
import mmap
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_LEAST, _MOST = 2**23, 2**28
"""In bytes: below, PyTorch keeps memory itself; above, the system had better have it back."""

_spare: deque[Tensor] = deque(maxlen=1)
"""What the last gradient that died was worked out in; appending and popping are one step to every thread."""


def gradient_like(logits: Tensor) -> Tensor:
    """``torch.empty_like``, for large gradients on the CPU in the memory of one that died, if it was of the same size.

    Memory is free for the next when no tensor shares it any longer, whoever held the last of them.
    """
    size = logits.numel() * logits.element_size()
    if type(logits) is not Tensor or logits.device.type != "cpu" or not _LEAST <= size <= _MOST:
        return torch.empty_like(logits)
    layout = torch.empty_like(logits, device="meta")
    gradient = torch.empty(0, dtype=logits.dtype, device="cpu")
    return gradient.set_(_lent(_block(size), logits.dtype), 0, layout.shape, layout.stride())


def release_memory() -> None:
    """Give the memory that is kept for the next gradient, 256 MiB at the most, back to the system."""
    _spare.clear()


def _block(size: int) -> Tensor:
    """Bytes to lend: the spare ones, or new ones."""
    try:
        block = _spare.pop()
    except IndexError:
        return _in_large_pages(size)
    return block if block.numel() == size else _in_large_pages(size)


def _lent(block: Tensor, dtype: torch.dtype) -> torch.UntypedStorage:
    """A storage over the block, which becomes the spare one when the storage dies."""
    view = (ctypes.c_char * block.numel()).from_address(block.data_ptr())
    weakref.finalize(view, _spare.append, block).atexit = False
    return torch.frombuffer(view, dtype=dtype).untyped_storage()


def _in_large_pages(size: int) -> Tensor:
    """New bytes, which on Linux come in pages of 2 MiB rather than 4 KiB: so the first step, too, waits less often."""
    block = torch.empty(size, dtype=torch.uint8, device="cpu")
    if advise := _advise():
        start = -(-block.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
        advise(start, block.data_ptr() + size - start, mmap.MADV_HUGEPAGE)  # a refusal changes nothing but the time
    return block


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
