"""Max pooling that remembers where each maximum stood in two bits of a byte, and the unpooling that puts it back.

PyTorch's ``return_indices=True`` keeps an int64 position in the whole map. The window is known, so the place within it
is enough: offset ``2 * row + column``, from 0 to 3, in uint8. That is what SegNet stores in place of feature maps
(Badrinarayanan, Kendall and Cipolla, section 3; the paper counts two bits).

Three linear operations, once the offsets are fixed: pooling takes one number out of each window, unpooling puts one
into each, and each is the other's gradient. So the offsets are all that autograd keeps, and derivatives of any order
exist.
"""

from typing import Any

import torch
from torch import Tensor, nn

from segedu.layers import windows
from segedu.operators import operator

__all__ = ["OffsetMaxPool2d", "OffsetMaxUnpool2d", "max_pool", "max_unpool", "pack", "unpack"]

pack, unpack = windows.pack, windows.unpack


def max_pool(x: Tensor, *, packed: bool = False) -> tuple[Tensor, Tensor]:
    """The maximum of each 2x2 window and where it stood: ``(N, C, H, W) -> (N, C, h, w)`` and offsets of that shape.

    ``h = ceil(H / 2)``, ``w = ceil(W / 2)``: a window at an odd edge holds what is there. Values, ties (the first in
    reading order) and NaN (the last) are those of ``F.max_pool2d(x, 2, ceil_mode=True)``. The offsets are uint8;
    ``packed`` puts four of a row into a byte, ``(N, C, h, ceil(w / 4))``. Any floating-point dtype; the memory format
    stays. Raises ``TypeError`` for another dtype and ``ValueError`` for another number of dimensions or an empty map.
    """
    if not x.is_floating_point():
        raise TypeError(f"x has dtype {x.dtype}, expected a floating-point one")
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(f"x has shape {tuple(x.shape)}, expected (N, C, H, W) with at least one channel and one pixel")
    pooled, offsets = _pool(x, packed)
    return pooled, offsets


def max_unpool(pooled: Tensor, offsets: Tensor, output_size: tuple[int, int]) -> Tensor:
    """Each value at the place of its window that the offsets tell, zero elsewhere: ``(N, C, h, w) -> (N, C, H, W)``.

    ``output_size=(H, W)`` is that of the map that was pooled. ``offsets`` are those of `max_pool`, packed or not; their
    values are trusted, and at an odd edge they may not point outside. Raises ``TypeError`` for other offsets than
    uint8 and ``ValueError`` for shapes that do not belong together.
    """
    height, width = output_size
    cells = (windows.half(height), windows.half(width))
    if offsets.dtype != torch.uint8:
        raise TypeError(f"offsets have dtype {offsets.dtype}, expected the uint8 offsets of max_pool")
    if pooled.ndim != 4 or tuple(pooled.shape[-2:]) != cells:
        raise ValueError(
            f"pooled has shape {tuple(pooled.shape)}, "
            f"but output_size {height}x{width} has {cells[0]}x{cells[1]} windows"
        )
    rows = pooled.shape[:-1]
    if offsets.shape not in (pooled.shape, (*rows, windows.bytes_of(cells[1]))):
        raise ValueError(f"offsets have shape {tuple(offsets.shape)}, expected that of pooled, {tuple(pooled.shape)}")
    result: Tensor = _unpool(pooled, offsets, height, width)
    return result


class OffsetMaxPool2d(nn.Module):
    """`max_pool` as a layer: ``(N, C, H, W) -> (N, C, h, w)`` and the uint8 offsets, ``packed`` four to a byte."""

    def __init__(self, *, packed: bool = False) -> None:
        super().__init__()
        self.packed = packed

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return max_pool(x, packed=self.packed)

    def extra_repr(self) -> str:
        return "packed=True" if self.packed else ""


class OffsetMaxUnpool2d(nn.Module):
    """`max_unpool` as a layer: ``(N, C, h, w)``, its offsets and ``(H, W)`` in, ``(N, C, H, W)`` out."""

    def forward(self, pooled: Tensor, offsets: Tensor, output_size: tuple[int, int]) -> Tensor:
        return max_unpool(pooled, offsets, output_size)


# Operators of their own, because each is then one node for autograd, torch.compile and torch.export, whatever is
# computed inside; on the CPU that is other code than elsewhere.


def _empty_pool(x: Tensor, packed: bool) -> tuple[Tensor, Tensor]:
    pooled = windows.empty_like(x, windows.half(x.shape[-2]), windows.half(x.shape[-1]))
    width = windows.bytes_of(pooled.shape[-1]) if packed else pooled.shape[-1]
    return pooled, windows.empty_like(x, pooled.shape[-2], width, torch.uint8)


def _empty_unpool(pooled: Tensor, offsets: Tensor, height: int, width: int) -> Tensor:
    return windows.empty_like(pooled, height, width)


def _empty_take(x: Tensor, offsets: Tensor) -> Tensor:
    return windows.empty_like(x, windows.half(x.shape[-2]), windows.half(x.shape[-1]))


def _keep_offsets_of_pool(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(output[1])
    ctx.set_materialize_grads(False)
    ctx.size = inputs[0].shape[-2:]


def _keep_offsets(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[1])
    ctx.size = inputs[0].shape[-2:]


def _pool_backward(ctx: Any, pooled: Tensor | None, _: None) -> tuple[Tensor | None, None]:
    return None if pooled is None else _unpool(pooled, *ctx.saved_tensors, *ctx.size), None


def _unpool_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
    return _take(gradient, *ctx.saved_tensors), None, None, None


def _take_backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
    return _unpool(gradient, *ctx.saved_tensors, *ctx.size), None


@operator("offset_max_pool", _empty_pool, backward=_pool_backward, setup_context=_keep_offsets_of_pool)
def _pool(x: Tensor, packed: bool) -> tuple[Tensor, Tensor]:
    pooled, offsets = windows.largest(x)
    return pooled, windows.pack(offsets) if packed else offsets


@operator("offset_max_unpool", _empty_unpool, backward=_unpool_backward, setup_context=_keep_offsets)
def _unpool(pooled: Tensor, offsets: Tensor, height: int, width: int) -> Tensor:
    return windows.put(pooled, windows.unpacked(offsets, pooled), (height, width))


@operator("offset_take", _empty_take, backward=_take_backward, setup_context=_keep_offsets)
def _take(x: Tensor, offsets: Tensor) -> Tensor:
    return windows.take(x, windows.unpacked(offsets, x[..., ::2, ::2]))
