"""Batched drawing in integers: layers painted far to near, shapes that are sums of a column and a row profile, noise.

A shape is a pair of profiles: pixel (y, x) lies inside where ``columns[x] + rows[y] < 0``. Boxes, ellipses, wedges,
half planes and skylines all have this form, so a shape costs three passes of 16-bit arithmetic over the picture,
whatever it is; a comparison and a masked write would cost several times that on a CPU. Nothing here is rounded by a
device's own rules, so labels are equal on all of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.data.counter import mix

UNIT = 8192
"""One in the fixed point of the profiles."""
OUTSIDE = 12000
"""A profile value that no value of the other profile brings below zero; two of them still fit 16 bits."""

_DEEP = 16384
"""More than any sum of two profiles; taken off one of them, the sum still fits 16 bits."""


def below(bound: Tensor, size: tuple[int, int], where: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Profiles of the pixels ``y >= bound(x)`` in the columns of ``where``: ``(N, W) -> (N, 1, W), (1, H, 1)``."""
    return _half_plane(bound, where)[:, None, :], -1 - _places(size[0], bound.device)[None, :, None]


def right_of(bound: Tensor, size: tuple[int, int], where: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Profiles of the pixels ``x >= bound(y)`` in the rows of ``where``: ``(N, H) -> (1, 1, W), (N, H, 1)``."""
    return -1 - _places(size[1], bound.device)[None, None, :], _half_plane(bound, where)[:, :, None]


def _half_plane(bound: Tensor, where: Tensor | None) -> Tensor:
    bound = bound.clamp(-UNIT, UNIT)
    return (bound if where is None else torch.where(where, bound, OUTSIDE)).short()


def _places(size: int, device: torch.device) -> Tensor:
    return torch.arange(size, dtype=torch.int16, device=device)


@dataclass(frozen=True)
class Shapes:
    """Boxes in pixels and what is drawn in each: every field is ``(N, P)`` int64.

    The box covers columns ``left <= x < right`` and rows ``top <= y < bottom``; an empty box draws nothing. It is
    filled whole, or with an ellipse (``round`` = 1), or narrowed towards its upper or lower end by ``taper / 256`` of
    its width. ``rough`` (0..255) frays its outline.
    """

    left: Tensor
    right: Tensor
    top: Tensor
    bottom: Tensor
    round: Tensor
    taper_up: Tensor
    taper_down: Tensor
    rough: Tensor

    def profiles(self, size: tuple[int, int], fray: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Column profiles ``(N, P, 1, W)`` and row profiles ``(N, P, H, 1)``, int16.

        ``fray``: how ragged an outline is in each row and column, bytes ``(N, H)`` and ``(N, W)``.
        """
        height, width = size
        curved, up, down, rough = (
            field.int()[..., None] for field in (self.round, self.taper_up, self.taper_down, self.rough)
        )
        straight = ((up + down) > 0).int() * UNIT
        u, columns = _across(self.left, self.right, width)
        u.abs_()
        columns += u * (u * curved + straight) >> 13
        columns += rough * fray[1].int()[:, None] >> 4
        v, rows = _across(self.top, self.bottom, height)
        rows += v * v * curved >> 13
        rows += v * (down - up) + (up + down) * UNIT >> 9
        rows += rough * fray[0].int()[:, None] >> 4
        columns, rows = columns.clamp_(max=OUTSIDE) - UNIT, rows.clamp_(max=OUTSIDE)
        return columns.short()[:, :, None, :], rows.short()[..., None]


def _across(low: Tensor, high: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Where each pixel lies from ``low`` (-UNIT) to ``high`` (UNIT), and OUTSIDE or 0 for beyond: ``(N, P, size)``."""
    low, high = low.int()[..., None], high.int()[..., None]
    span = (high - low).clamp(min=0)
    away = 2 * torch.arange(size, dtype=torch.int32, device=low.device) + (1 - low - high)
    beyond = (span - 1 - away.abs() >> 31).bitwise_and_(OUTSIDE)
    inverse = 128 * UNIT // span.clamp(min=1)
    return torch.minimum(torch.maximum(away, -span), span).mul_(inverse).bitwise_right_shift_(7), beyond


class Canvas:
    """A picture of whole numbers ``(N, H, W)`` int16, zero at first, on which the higher number hides the lower."""

    def __init__(self, batch: int, size: tuple[int, int], device: torch.device) -> None:
        self.size = size
        self.picture = torch.zeros(batch, *size, dtype=torch.int16, device=device)
        self._scratch = torch.empty_like(self.picture)
        self._sign = torch.full((), 15, dtype=torch.int16, device=device)

    def paint(self, columns: Tensor, rows: Tensor, number: int | Tensor) -> None:
        """Put a number on every pixel inside a shape; a tensor may give each pixel its own."""
        if isinstance(number, int):
            self._stamp(columns - _DEEP, rows, number)
        else:
            torch.add(columns, rows, out=self._scratch)
            self._scratch.bitwise_right_shift_(self._sign).bitwise_and_(number.short())  # the sign, spread, is the mask
            torch.maximum(self.picture, self._scratch, out=self.picture)

    def paint_all(self, shapes: Shapes, fray: tuple[Tensor, Tensor], numbers: range) -> None:
        """Paint one shape after the other, each with its own number."""
        columns, rows = shapes.profiles(self.size, fray)
        columns -= _DEEP
        for shape in zip(columns.unbind(1), rows.unbind(1), numbers, strict=True):
            self._stamp(*shape)

    def _stamp(self, columns: Tensor, rows: Tensor, number: int) -> None:
        """Put one number inside a shape whose profiles are lowered so far that their sum is below zero everywhere.

        Three passes: inside the shape the sum gives way to the number, outside it is less than any number on the
        canvas.
        """
        torch.add(columns, rows, out=self._scratch)
        torch.threshold_(self._scratch, -1 - _DEEP, number)
        torch.maximum(self.picture, self._scratch, out=self.picture)


class Layers:
    """The painter's layers: which one is on top at each pixel, and what each is made of.

    Layers are numbered as they are made, and a later one hides those before it.
    """

    def __init__(self, batch: int, size: tuple[int, int], device: torch.device) -> None:
        self.canvas = Canvas(batch, size, device)
        self.count = 0
        self._labels: list[Tensor] = []
        self._colours: list[Tensor] = []
        self._textures: list[Tensor] = []
        self._order: list[Tensor] = []

    def make(
        self, label: int | Tensor, colour: Tensor, texture: tuple[int, int] | Tensor, order: Tensor | None = None
    ) -> range:
        """Make ``K`` layers and return their numbers.

        ``label``: one for all or ``(N, K)``; ``colour``: ``(N, K, 3)``, 0..255; ``texture``: strengths of the fine
        grain and of the broad mottle, one pair for all or ``(N, K, 2)``; ``order``: which object each layer belongs
        to, counted from the farthest, ``(N, K)``, none for the backdrop.
        """
        batch, layers = colour.shape[:2]
        if isinstance(label, int):
            label = colour.new_full((batch, layers), label)
        if isinstance(texture, tuple):
            texture = torch.stack([colour.new_full((batch, layers), strength) for strength in texture], 2)
        self._labels.append(label)
        self._colours.append(colour)
        self._textures.append(texture)
        self._order.append(torch.zeros_like(label) if order is None else order)
        first, self.count = self.count, self.count + layers
        return range(first, self.count)

    @property
    def labels(self) -> Tensor:
        """The label of each layer, ``(N, K)`` int64."""
        return torch.cat(self._labels, 1)

    @property
    def colours(self) -> Tensor:
        """The colour of each layer, ``(N, K, 3)`` int64."""
        return torch.cat(self._colours, 1)

    @property
    def textures(self) -> Tensor:
        """The grain and mottle of each layer, ``(N, K, 2)`` int64."""
        return torch.cat(self._textures, 1)

    @property
    def order(self) -> Tensor:
        """The object that each layer belongs to, 1, 2... from the farthest on, 0 for the backdrop: ``(N, K)`` int64."""
        return torch.cat(self._order, 1)


def look_up(table: Tensor, layer: Tensor) -> Tensor:
    """What each pixel's layer has in a table: ``(N, K)`` and ``(N, H, W)`` int64 -> ``(N, H, W)``."""
    return table.gather(1, layer.flatten(1)).view(layer.shape)


def within(layer: Tensor, layers: range) -> Tensor:
    """A mask of bits: -1 where the layer is one of a range's, 0 elsewhere; same shape and type."""
    return ~((layer - layers.start) | (layers.stop - 1 - layer)) >> 15


def thicken(mask: Tensor, width: int) -> Tensor:
    """The maximum over the square of ``width`` pixels to each side: ``(N, H, W)``, any integer type."""
    for _ in range(width):
        for axis in (1, 2):
            size = mask.shape[axis]
            grown = mask.clone()
            for low, high in ((0, 1), (1, 0)):
                target = grown.narrow(axis, low, size - 1)
                torch.maximum(target, mask.narrow(axis, high, size - 1), out=target)
            mask = grown
    return mask


def white_bytes(key: Tensor, count: int) -> Tensor:
    """A byte for each place along a line: ``(N,)`` keys -> ``(N, count)`` int64, 0..255."""
    return mix(key[:, None] + torch.arange(count, device=key.device)) >> 24


def white_noise(key: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Two independent noise pictures, -128..127: ``(N,)`` keys -> two ``(N, H, W)`` int16.

    One hash for each row and column, then a round of mixing for each pixel: a third of the price of hashing all pixels.
    """
    rows, columns = (
        (mix(key[:, None] + start + torch.arange(count, device=key.device)) >> 17).int()
        for start, count in ((0, size[0]), (size[0], size[1]))
    )
    word = (rows[:, :, None] ^ columns[:, None, :]) * 0x6F4D
    word = ((word ^ (word >> 11)) & 0x7FFF) * 0x5BD7
    return ((word >> 7) & 255).short() - 128, ((word >> 15) & 255).short() - 128


def smooth_noise(knots: Tensor, size: tuple[int, int]) -> Tensor:
    """Random values at a coarse grid of knots, joined bilinearly: ``(N, h, w)`` in -128..127 -> ``(N, H, W)`` int16."""
    picture = knots.short()
    for axis in (1, 2):
        places = torch.arange(size[axis - 1], device=knots.device) * ((knots.shape[axis] - 1) * 128) // size[axis - 1]
        shape = (1, -1, 1) if axis == 1 else (1, 1, -1)
        weight = (places & 127).short().view(shape)
        before, after = (picture.index_select(axis, (places >> 7) + one) for one in (0, 1))
        picture = before + ((after - before) * weight >> 7)
    return picture


def soften(picture: Tensor) -> Tensor:
    """A lens that spreads each point over its neighbours by 1-2-1 along both axes: ``(N, C, H, W)``."""
    for axis in (2, 3):
        size = picture.shape[axis]
        spread = picture * 2
        spread.narrow(axis, 1, size - 1).add_(picture.narrow(axis, 0, size - 1))
        spread.narrow(axis, 0, size - 1).add_(picture.narrow(axis, 1, size - 1))
        for edge in (0, size - 1):
            spread.narrow(axis, edge, 1).add_(picture.narrow(axis, edge, 1))
        picture = spread >> 2
    return picture
