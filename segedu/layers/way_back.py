"""Ways back from a pooled map to the map before it, and what each has to keep for that.

SegNet's decoder is one design; what it is told about the encoder is another. A `WayBack` is a pooling, which returns
the pooled map and what is to be kept of it, and an unpooling, which is given a coarse map, what was kept and the size
to come back to. All of them map ``(N, C, H, W) -> (N, C, ceil(H / 2), ceil(W / 2))`` and back, so that decoders which
differ in nothing else can be compared (SegNet, tables 1 and 2).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segedu.layers.grid import Grid
from segedu.layers.unpool import OffsetMaxPool2d, OffsetMaxUnpool2d
from segedu.layers.upsample import BilinearUpsample

Size = tuple[int, int]


@dataclass(frozen=True)
class WayBack:
    """``pool()`` makes a module ``x -> (pooled, kept)``, ``unpool()`` a module ``(coarse, kept, size) -> fine``."""

    pool: Callable[[], nn.Module]
    unpool: Callable[[], nn.Module]


class Pool(nn.Module):
    """The maximum of each 2x2 window, of which nothing is kept: ``(N, C, H, W) -> (N, C, h, w), None``."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return F.max_pool2d(x, 2, ceil_mode=True), None


class PoolKeepingIndices(Pool):
    """PyTorch's own: int64 positions in the whole map are kept."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)


class PoolKeepingPooled(Pool):
    """The pooled map itself is kept."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        pooled, _ = super().forward(x)
        return pooled, pooled


class PoolKeepingAll(Pool):
    """The map before pooling is kept, as U-Net does."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return super().forward(x)[0], x


class IndexUnpool(nn.Module):
    """``F.max_unpool2d`` by int64 indices."""

    def forward(self, coarse: Tensor, kept: Tensor, size: Size) -> Tensor:
        return F.max_unpool2d(coarse, kept, (2, 2), output_size=size)


class ShuffledOffsetUnpool(OffsetMaxUnpool2d):
    """Unpooling by the offsets of other windows: as many of each as there were, but nothing about this place.

    The control for what offsets are worth. The order is one fixed permutation of the windows, the same for all
    channels, that takes neighbours far apart: window ``k`` gets the offset of window ``k * step`` modulo their number.
    """

    def forward(self, coarse: Tensor, kept: Tensor, size: Size) -> Tensor:
        windows = math.prod(coarse.shape[-2:])
        step = next(step for step in range(round(0.618 * windows), windows + 1) if math.gcd(step, windows) == 1)
        order = torch.arange(1, windows + 1, device=kept.device) * step % windows
        shuffled = kept.flatten(2)[..., order].view(kept.shape)
        if size[0] % 2:
            shuffled[..., -1, :] &= 1  # at an odd edge a window has one row
        if size[1] % 2:
            shuffled[..., -1] &= 2
        return super().forward(coarse, shuffled, size)


class NearestUpsample(nn.Module):
    """Each value to all pixels of its window; nothing that was kept is used."""

    def forward(self, coarse: Tensor, kept: Tensor | None, size: Size) -> Tensor:
        return F.interpolate(coarse, scale_factor=2, mode="nearest")[..., : size[0], : size[1]]


class BilinearWindowUpsample(BilinearUpsample):
    """Bilinear interpolation between the centres of the windows; nothing that was kept is used."""

    def __init__(self) -> None:
        super().__init__(Grid(2, 0.5), Grid())

    def forward(self, coarse: Tensor, kept: Tensor | None, size: Size) -> Tensor:  # type: ignore[override]
        return super().forward(coarse, size)


class AddPooled(BilinearWindowUpsample):
    """The pooled encoder map is added before interpolation (FCN's place for a skip)."""

    def forward(self, coarse: Tensor, kept: Tensor, size: Size) -> Tensor:  # type: ignore[override]
        return super().forward(coarse + kept, None, size)


class AddAll(BilinearWindowUpsample):
    """The whole encoder map is added after interpolation (SegNet's "EncoderAddition", without its offsets)."""

    def forward(self, coarse: Tensor, kept: Tensor, size: Size) -> Tensor:  # type: ignore[override]
        return super().forward(coarse, None, size) + kept


OFFSETS = WayBack(OffsetMaxPool2d, OffsetMaxUnpool2d)

WAYS_BACK: dict[str, WayBack] = {
    "offsets": OFFSETS,
    "packed offsets": WayBack(partial(OffsetMaxPool2d, packed=True), OffsetMaxUnpool2d),
    "indices": WayBack(PoolKeepingIndices, IndexUnpool),
    "shuffled offsets": WayBack(OffsetMaxPool2d, ShuffledOffsetUnpool),
    "nearest": WayBack(Pool, NearestUpsample),
    "bilinear": WayBack(Pool, BilinearWindowUpsample),
    "pooled skip": WayBack(PoolKeepingPooled, AddPooled),
    "full skip": WayBack(PoolKeepingAll, AddAll),
}
"""By name. The first four put each value on one pixel of its window; they differ in what is kept and in which pixel."""
