"""The arithmetic of 2x2 windows behind `segedu.layers.unpool`: largest, put, take, and offsets in other forms.

Each of the three has two bodies. On a GPU what counts is kernels and bytes: numbers are moved under masks. On a CPU
masks are slow, and PyTorch's own pooling and unpooling are fast but ask for int64 indices: these are made for one level
and dropped. Both give the same numbers bit for bit.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

CACHE = 1 << 16  # windows at a time, so that what one step writes is still in the cache when the next one reads it


def half(size: int) -> int:
    """Windows along an axis of ``size`` pixels; the last one is smaller where the size is odd."""
    return (size + 1) // 2


def bytes_of(windows: int) -> int:
    """Bytes that hold the packed offsets of a row of windows."""
    return (windows + 3) // 4


def pack(offsets: Tensor) -> Tensor:
    """Four neighbours of a row in one byte, the first in the lowest bits: ``(..., h, w) -> (..., h, ceil(w / 4))``."""
    missing = -offsets.shape[-1] % 4
    first, second, third, fourth = (F.pad(offsets, (0, missing))[..., at::4] for at in range(4))
    return first | second << 2 | third << 4 | fourth << 6


def unpack(packed: Tensor, width: int) -> Tensor:
    """What `pack` was given, ``width`` offsets a row: ``(..., h, ceil(w / 4)) -> (..., h, w)``."""
    if packed.shape[-1] != bytes_of(width):
        raise ValueError(f"packed holds {packed.shape[-1]} bytes a row, but {width} offsets need {bytes_of(width)}")
    offsets = packed.new_empty(*packed.shape[:-1], packed.shape[-1] * 4)
    if packed.ndim == 4:
        offsets = offsets.contiguous(memory_format=format_of(packed))
    for at in range(4):
        offsets[..., at::4] = packed >> 2 * at & 3
    return offsets[..., :width]


def unpacked(offsets: Tensor, cells: Tensor) -> Tensor:
    """Offsets one to a byte, for the windows ``cells``; a row of one window is the same packed or not."""
    return offsets if offsets.shape == cells.shape else unpack(offsets, cells.shape[-1])


def format_of(x: Tensor) -> torch.memory_format:
    """The memory format that an operation on ``x (N, C, H, W)`` should keep."""
    last = x.stride(1) == 1 and x.stride(3) >= x.shape[1] > 1  # tells them apart even for a single pixel
    return torch.channels_last if last else torch.contiguous_format


def empty_like(x: Tensor, height: int, width: int, dtype: torch.dtype | None = None) -> Tensor:
    """An unfilled map of another size in the memory format of ``x``."""
    shape = (*x.shape[:2], height, width)
    return torch.empty(shape, dtype=dtype or x.dtype, device=x.device, memory_format=format_of(x))


def on_cpu(x: Tensor) -> bool:
    """Which of the two bodies is run."""
    return x.device.type == "cpu"


def largest(x: Tensor) -> tuple[Tensor, Tensor]:
    """The maximum of each window and its offset: ``(N, C, H, W) -> (N, C, h, w)`` twice."""
    if on_cpu(x) and format_of(x) == torch.contiguous_format:
        return _largest_by_planes(x.contiguous())
    x = x.contiguous(memory_format=format_of(x))
    pooled, indices = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
    return pooled, _offsets(indices, x.shape[-1])


def put(values: Tensor, offsets: Tensor, size: tuple[int, int]) -> Tensor:
    """Each value into its window, zeros around it: ``(N, C, h, w) -> (N, C, H, W)`` for ``size=(H, W)``."""
    if on_cpu(values):
        values = values.contiguous(memory_format=format_of(values))
        return F.max_unpool2d(values, _indices(offsets, size[1]), (2, 2), output_size=size)
    height, width = values.shape[-2:]
    full = empty_like(values, 2 * height, 2 * width)
    here = offsets[..., :, None, :, None] == torch.arange(4, device=values.device).view(2, 1, 2)
    zero = values.new_zeros(())
    torch.where(here, values[..., :, None, :, None], zero, out=full.view(*values.shape[:2], height, 2, width, 2))
    return full[..., : size[0], : size[1]].contiguous(memory_format=format_of(values))


def take(x: Tensor, offsets: Tensor) -> Tensor:
    """The number at each window's offset: ``(N, C, H, W) -> (N, C, h, w)``."""
    x = x.contiguous(memory_format=format_of(x))
    if on_cpu(x):
        return _gather(x, _indices(offsets, x.shape[-1]))
    x = F.pad(x, (0, x.shape[-1] % 2, 0, x.shape[-2] % 2))
    right = (offsets & 1).bool()
    upper, lower = (torch.where(right, x[..., row::2, 1::2], x[..., row::2, 0::2]) for row in (0, 1))
    return torch.where(offsets > 1, lower, upper)


def _largest_by_planes(x: Tensor) -> tuple[Tensor, Tensor]:
    """`largest` for a CPU and channels in planes, where PyTorch's own pooling looks at one number at a time."""
    height, width = x.shape[-2:]
    pooled = empty_like(x, half(height), half(width))
    offsets = empty_like(x, half(height), half(width), torch.uint8)
    planes = max(1, CACHE // (half(height) * half(width)))
    groups = (torch.split(one.flatten(0, 1), planes) for one in (x, pooled, offsets))
    for group, maxima, places in zip(*groups, strict=True):
        if height % 2 or width % 2:
            group = F.pad(group, (0, width % 2, 0, height % 2), value=-torch.inf)
        left, right = group[..., 0::2].contiguous(), group[..., 1::2].contiguous()
        rows, is_right = torch.maximum(left, right), _wins(right, left)
        upper, lower = rows[..., 0::2, :], rows[..., 1::2, :]
        is_lower = _wins(lower, upper)
        torch.maximum(upper, lower, out=maxima)
        upper_right, lower_right = is_right[..., 0::2, :], is_right[..., 1::2, :]
        column = upper_right ^ ((upper_right ^ lower_right) & is_lower)  # a choice without a branch
        torch.add(column.view(torch.uint8), is_lower.view(torch.uint8), alpha=2, out=places)
    return pooled, offsets


def _wins(later: Tensor, earlier: Tensor) -> Tensor:
    """Whether the later of two numbers is the maximum: only if it is larger, but NaN beats all."""
    return (later > earlier) | later.isnan()


def _offsets(indices: Tensor, width: int) -> Tensor:
    """Positions in a map of ``width`` columns, as ``F.max_pool2d`` returns them, as offsets in their windows."""
    lower_rows = torch.arange(1, 2 * indices.shape[-2], 2, device=indices.device)[:, None] * width
    is_lower = (indices >= lower_rows).view(torch.uint8)
    parity = indices.to(torch.uint8)
    column = (parity ^ is_lower if width % 2 else parity) & 1  # an odd width turns the parity from row to row
    return column.add_(is_lower, alpha=2)


def _indices(offsets: Tensor, width: int) -> Tensor:
    """Offsets as positions in a map of ``width`` columns, int64, as ``F.max_unpool2d`` takes them."""
    height, columns = offsets.shape[-2:]
    narrow = torch.int16 if width < 2**15 - 1 else torch.int32  # four times faster than int64 while that suffices
    within = (offsets >> 1).to(narrow).mul_(width - 2).add_(offsets.to(narrow))
    rows = torch.arange(0, 2 * height, 2, device=offsets.device)[:, None] * width
    return within.to(torch.int64).add_(rows + torch.arange(0, 2 * columns, 2, device=offsets.device))


def _gather(x: Tensor, indices: Tensor) -> Tensor:
    """The numbers of each plane at ``indices``, in the memory format that both have."""
    if format_of(x) == torch.contiguous_format:
        return x.flatten(2).gather(2, indices.flatten(2)).view(indices.shape)
    pixels, cells = (one.permute(0, 2, 3, 1).flatten(1, 2) for one in (x, indices))
    batch, channels, height, width = indices.shape
    return pixels.gather(1, cells).view(batch, height, width, channels).permute(0, 3, 1, 2)
