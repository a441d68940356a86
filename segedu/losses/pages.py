"""The memory that a gradient is worked out in.

PyTorch gives large memory on the CPU back to the system when a tensor dies, so every step's gradient is new memory, and
the first write to each of its pages stops the processor until the system has found and cleared one: of a region loss's
step that was a third. Here the memory of what died is kept for the next, as PyTorch does on a GPU: of three, for a
loss of one class needs a gradient and a place to work in, and a sum of two losses may add one more.
"""

import ctypes
import functools
import mmap
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor

from segedu.losses.inputs import arithmetic_dtype

_LEAST, _MOST = 2**20, 2**28
"""In bytes: below, PyTorch keeps memory itself; above, all together, the system had better have it back."""

_spare: deque[Tensor] = deque(maxlen=3)
"""What died last, the oldest first; appending and popping are one step to every thread."""


def gradient_like(logits: Tensor, **layout: Any) -> Tensor:
    """``torch.empty_like``, for large gradients on the CPU in the memory of one that died, if it was of the same size.

    ``layout`` is what ``empty_like`` takes. Memory is free for the next when no tensor shares it any longer, whoever
    held the last of them.
    """
    if type(logits) is not Tensor or logits.device.type != "cpu":
        return torch.empty_like(logits, **layout)
    plan = torch.empty_like(logits, device="meta", **layout)
    size = plan.numel() * plan.element_size()
    if not _LEAST <= size <= _MOST:
        return torch.empty_like(logits, **layout)
    gradient = torch.empty(0, dtype=plan.dtype, device="cpu")
    return gradient.set_(_lent(_block(size), plan.dtype), 0, plan.shape, plan.stride())


def slope_like(logits: Tensor) -> Tensor:
    """Memory for a derivative at each logit, before it is a gradient: contiguous, in the type of arithmetic."""
    return gradient_like(logits, dtype=arithmetic_dtype(logits), memory_format=torch.contiguous_format)


def release_memory() -> None:
    """Give the memory that is kept for the next gradients, 256 MiB at the most, back to the system."""
    _spare.clear()


def _block(size: int) -> Tensor:
    """Bytes to lend: spare ones, or new ones."""
    with suppress(IndexError):  # another thread took the last
        for _ in range(len(_spare)):
            block = _spare.pop()
            if block.numel() == size:
                return block
            _spare.appendleft(block)
    return _in_large_pages(size)


def _lent(block: Tensor, dtype: torch.dtype) -> torch.UntypedStorage:
    """A storage over the block, which becomes a spare one when the storage dies."""
    view = (ctypes.c_char * block.numel()).from_address(block.data_ptr())
    weakref.finalize(view, _keep, block).atexit = False
    return torch.frombuffer(view, dtype=dtype).untyped_storage()


def _keep(block: Tensor) -> None:
    """Make the block a spare one, and let go of the oldest that are too much with it."""
    _spare.append(block)
    with suppress(IndexError):  # another thread took them
        while sum(map(len, tuple(_spare))) > _MOST:
            _spare.popleft()


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
