"""A batch of dishes with cells: shaped once, then read as instances, as labels, or as what the microscope sees."""

from copy import copy

import torch
from torch import Tensor

from segedu.data.cell_scene.culture import HEIGHT, Culture, places
from segedu.data.cell_scene.dials import Dials
from segedu.data.counter import Draws
from segedu.data.painting import look_up, smooth_noise, soften, thicken, white_noise
from segedu.data.separation import separated
from segedu.instances import components

_BENDS, _LIGHTS = (7, 9), (4, 5)
"""Knots of the noise that bends the outlines, and of the noise that is the uneven light."""
_FAR = 30_000
"""Farther than any radius, and its square twice over still fits 32 bits."""


class Dish:
    """The dishes of ``indices`` ``(N,)`` int64, on the device of the indices.

    Each cell is a disc in a plane that is bent at random; where discs overlap, a pixel is of the cell in whose disc it
    lies deepest, so that touching cells meet along a smooth seam (the power diagram of the discs, Aurenhammer 1987).
    """

    def __init__(self, seed: int, indices: Tensor, size: tuple[int, int], dials: Dials) -> None:
        count = places(size)
        bends, lights = (knots[0] * knots[1] for knots in (_BENDS, _LIGHTS))
        draws = Draws(seed, indices, 8 * count + 2 * bends + 2 * lights + 2)
        self._size, self._dials = size, dials
        self._culture = Culture.draw(draws, size, dials)
        self._owner, self._depth = self._discs(*_bent_plane(draws, size))
        self._draws = draws
        self._instances = _whole_cells(separated(self._owner), size)

    def instances(self) -> Tensor:
        """An id for each cell, 1, 2, ... as reading the picture meets them, 0 for background: ``(N, H, W)`` int64."""
        return self._instances

    def labels(self) -> Tensor:
        """1 on cells, 0 on background, of which a line two pixels wide parts touching cells: ``(N, H, W)`` int64."""
        return (self._instances > 0).long()

    def images(self) -> Tensor:
        """What the microscope sees, the same in all channels: ``(N, 3, H, W)`` int16, 0..255."""
        draws, dials = copy(self._draws), self._dials  # a second call draws the same numbers
        kept = self._instances > 0
        body = (self._owner > 0) & (thicken(kept.short(), 1) > 0)  # a cell's own rim lies in the line that parts it
        brightness = look_up(self._culture.brightness, (self._owner - 1).clamp(min=0))
        level = brightness * (160 + (self._depth * 3 >> 3)) >> 8
        level = level * (256 - round(160 * dials.seam) * (body & ~kept)) >> 8
        glow, light = (smooth_noise(draws.integers(-128, 128, *_LIGHTS), self._size) for _ in range(2))
        uneven = round(256 * dials.unevenness)
        picture = 36 + (glow.int() * uneven >> 10) + level.int() * body
        picture = picture * (256 + (light.int() * uneven >> 7)) >> 8
        picture = soften(picture.short()[:, None])[:, 0]
        grain, fine = white_noise(draws.words(), self._size)
        strength = round(256 * dials.noise)
        picture = picture + (grain.int() * strength * 36 >> 15) + (fine.int() * strength * 18 >> 15)
        return picture.clamp(0, 255).short()[:, None].expand(-1, 3, -1, -1)

    def _discs(self, across: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
        """The cell that each pixel lies in, from 1 on, 0 outside; and how deep, 0 at its outline to 255 at its centre.

        Two ``(N, H, W)`` int64, from the place of each pixel in the bent plane, int32.
        """
        culture, count = self._culture, self._culture.x.shape[1]
        bits = count.bit_length()
        deepest = torch.zeros_like(across)
        for cell in range(count):
            x, y, radius = (field[:, cell, None, None].int() for field in (culture.x, culture.y, culture.radius))
            away, below = (across - x).clamp_(-_FAR, _FAR), down - y
            away.mul_(away).add_(below.mul_(below)).sub_(radius * radius)  # square_ takes integers one by one
            away.clamp_(max=0).bitwise_left_shift_(bits)
            away += cell
            torch.minimum(deepest, away, out=deepest)
        inside = deepest < 0
        owner = (deepest & (1 << bits) - 1).long()
        squared = look_up(culture.radius.square(), owner).clamp(min=1)
        depth = -(deepest >> bits).long() * 255 // squared
        return torch.where(inside, owner + 1, 0), torch.where(inside, depth, 0)


def _bent_plane(draws: Draws, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Where each pixel lies in a plane that is bent at random, in 1/1024 of the height: two ``(N, H, W)`` int32."""
    bent = [smooth_noise(draws.integers(-128, 128, *_BENDS), size).int() >> 1 for _ in range(2)]
    device = bent[0].device
    columns, rows = (
        (2 * torch.arange(count, dtype=torch.int32, device=device) + 1) * HEIGHT // (2 * size[0])
        for count in (size[1], size[0])
    )
    return bent[0] + columns, bent[1] + rows[:, None]


def _whole_cells(ids: Tensor, size: tuple[int, int]) -> Tensor:
    """Numbered afresh so that each connected piece is a cell of its own, without scraps under (H / 24)^2 pixels."""
    pieces = components(ids > 0)
    most = size[0] * size[1] // 2 + 1
    image = torch.arange(len(pieces), device=pieces.device)[:, None] * (most + 1)
    areas = torch.zeros(len(pieces) * (most + 1), dtype=torch.int64, device=pieces.device)
    areas.index_add_(0, (pieces.flatten(1) + image).flatten(), torch.ones_like(pieces).flatten())
    kept = areas.view(len(pieces), -1) * (24 * 24) >= size[0] * size[0]
    kept[:, 0] = False
    return look_up(kept.cumsum(1) * kept, pieces)
