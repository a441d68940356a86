"""An image of any size in tiles: where each is read, and which of its scores are those of the whole image.

The overlap-tile strategy of U-Net (Ronneberger et al., 2015, section 2 and figure 2), for any network: how far tiles
overlap follows from the receptive field, exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import ceil, inf, lcm
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from segedu.receptive_field import AxisField, ReceptiveField, receptive_field
from segedu.receptive_field.fields import Endless

__all__ = ["Span", "Tile", "tiles_of"]

PROBE = 512  # sides above are analysed on a smaller image; it is congruent modulo every stride there is
CYCLE = 128


@runtime_checkable
class Shrinking(Protocol):
    """A network without padding: its scores lack ``margin`` pixels of the image on each side."""

    margin: int

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The smallest image whose scores cover ``size``."""


@dataclass(frozen=True)
class Span:
    """One axis of a tile: pixels to ``read``, and which of the scores to ``keep`` as which pixels (``goes_to``).

    What is read may run past the image, which is mirrored there.
    """

    read: range
    keep: slice
    goes_to: slice

    def take(self, images: Tensor, dim: int) -> Tensor:
        """These pixels of ``images`` along ``dim``; a view where the image has them all."""
        length = images.shape[dim]
        if self.read.start >= 0 and self.read.stop <= length:
            return images.narrow(dim, self.read.start, len(self.read))
        turn = max(2 * (length - 1), 1)
        away = torch.arange(self.read.start, self.read.stop, device=images.device).abs() % turn
        return images.index_select(dim, torch.minimum(away, turn - away).clamp(max=length - 1))


@dataclass(frozen=True)
class Tile:
    """A part of an image to score, and the part of its scores that counts."""

    rows: Span
    columns: Span

    def read(self, images: Tensor) -> Tensor:
        """What the network gets to see: ``(..., H, W) -> (..., h, w)``."""
        return self.columns.take(self.rows.take(images, images.dim() - 2), images.dim() - 1)

    def keep(self, scores: Tensor) -> Tensor:
        """The scores that equal the whole image's: ``(..., h, w)`` of the tile become ``(..., h', w')``."""
        return scores[..., self.rows.keep, self.columns.keep]

    def place(self, labels: Tensor) -> Tensor:
        """Where they belong in ``(..., H, W)``, as a view."""
        return labels[..., self.rows.goes_to, self.columns.goes_to]


def tiles_of(
    model: nn.Module,
    size: tuple[int, int],
    tile: tuple[int, int],
    *,
    margin: int | None = None,
    in_channels: int | None = None,
) -> list[Tile]:
    """Tiles that cover an image of ``size=(H, W)`` in blocks of about ``tile=(h, w)``, each read with its surroundings.

    A tile begins where every pooling of the whole image begins a window, reads as far as the scores it keeps can see,
    and ends with the image or inside it: so the borders stay the whole image's own, and all tiles are of one size. To
    a network without padding (one that has ``margin`` and ``input_size``) the image is continued by mirroring. Where
    one tile is enough there is one. ``margin`` overlaps by that many pixels in place of the receptive field, and gives
    up the equality where the network sees farther. Raises ``ValueError`` for sizes below 1, for a network that sees
    everything or holds operators without a rule unless ``margin`` is given, and for one that does not score each pixel.
    """
    for name, pair in (("size", size), ("tile", tile)):
        if min(pair) < 1:
            raise ValueError(f"{name} is {pair}, expected a height and a width of at least 1 pixel")
    if margin is not None and margin < 0:
        raise ValueError(f"margin is {margin}, expected 0 pixels or more")
    lost = model.margin if isinstance(model, Shrinking) else 0
    extended = model.input_size(size) if isinstance(model, Shrinking) else size
    spans = [[_whole(*sides, lost)] for sides in zip(size, extended, strict=True)]
    if any(side > block for side, block in zip(size, tile, strict=True)):
        probe = tuple(side if side <= PROBE else PROBE + (side - PROBE) % CYCLE for side in extended)
        fields = receptive_field(model, (probe[0], probe[1]), in_channels=in_channels)
        for at, output in enumerate((fields.output.vertical, fields.output.horizontal)):
            if size[at] > tile[at]:
                period = _period(fields, at)
                reach = _reach(output, extended[at], lost, model) if margin is None else (max(margin, lost),) * 2
                spans[at] = list(_spans(size[at], extended[at], lost, tile[at], period, reach))
    return [Tile(rows, columns) for rows, columns in product(*spans)]


def _whole(side: int, extended: int, lost: int) -> Span:
    return Span(range(-lost, extended - lost), slice(0, side), slice(0, side))


def _spans(side: int, extended: int, lost: int, tile: int, period: int, reach: tuple[int, int]) -> Iterator[Span]:
    """Cut one axis. Pixel ``y`` of the image is pixel ``y + lost`` of the extended one, in which origins are counted.

    Origins are multiples of ``period``, and so is what one tile keeps; what it reads ends in step with the image.
    """
    block = ceil(tile / period) * period
    needed = block + sum(reach) + (lost - reach[0]) % period
    length = needed + (extended - needed) % period
    if length >= extended:
        yield _whole(side, extended, lost)
        return
    for first in range(0, side, block):
        origin = max(0, min((first + lost - reach[0]) // period * period, extended - length))
        stop = min(first + block, side)
        read = range(origin - lost, origin - lost + length)
        yield Span(read, slice(first - origin, stop - origin), slice(first, stop))


def _period(fields: ReceptiveField, axis: int) -> int:
    """Pixels after which all maps of the network have come round to the same phase."""
    strides = [(row.vertical, row.horizontal)[axis].stride for row in fields]
    return lcm(*(int(stride) for stride in strides if stride and stride < inf and float(stride).is_integer()))


def _reach(field: AxisField, side: int, lost: int, model: nn.Module) -> tuple[int, int]:
    """Pixels at a tile's beginning and end whose scores see past it, where the image goes on.

    Exact, phase by phase: unit ``o`` of the output stands for pixel ``o + lost`` and sees an interval of pixels.
    """
    name = type(model).__name__
    endless = field.axis.endless
    if not isinstance(endless, Endless):
        raise ValueError(
            f"how far {name} sees is unknown (there is no rule for {', '.join(field.unknown)}); give the tiles' "
            "overlap in pixels as margin="
        )
    if field.size == inf:
        raise ValueError(
            f"{name} sees the whole image from every pixel, so no tile can equal it; choose an overlap in pixels, "
            "margin=, to accept labels that depend on the tile"
        )
    if endless.stride != 1:
        raise ValueError(
            f"the scores of {name} lie {endless.stride:g} pixels apart on an image with a side of {side}; tiles need "
            "one score a pixel: make the side a multiple of the network's coarsest stride"
        )
    phases, shift = len(endless.low), endless.shift
    blind = [phase + (ceil(-low / shift) - 1) * phases for phase, low in enumerate(endless.low) if low < 0]
    first_right = max(blind, default=-1) + 1
    end = side + ceil(endless.high.max() / shift) * int(shift)  # far enough that no phase reaches it from the start
    first_blind = min(phase + ceil((end - high) / shift) * phases for phase, high in enumerate(endless.high))
    return first_right + lost, max(end - (first_blind + lost), lost)
