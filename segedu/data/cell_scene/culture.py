"""Where cells lie and how large they are, before any of them has a shape.

Lengths are in 1/1024 of the picture's height, so that the dish grows with the picture; all of it is int64, ``(N, K)``.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.data.cell_scene.dials import Dials
from segedu.data.counter import Draws

PLACES = 18
"""Places for cells in a square picture."""
HEIGHT = 1024

_DIRECTIONS = [
    (round(256 * math.cos(turn * math.tau / 64)), round(256 * math.sin(turn * math.tau / 64))) for turn in range(64)
]


def places(size: tuple[int, int]) -> int:
    """Places for cells in a picture of this size: as many for each square of its height."""
    return max(1, PLACES * size[1] // size[0])


@dataclass(frozen=True)
class Culture:
    """The cells of each dish: centres ``x`` and ``y``, ``radius`` (0 for a place that is empty) and ``brightness``."""

    x: Tensor
    y: Tensor
    radius: Tensor
    brightness: Tensor

    @classmethod
    def draw(cls, draws: Draws, size: tuple[int, int], dials: Dials) -> "Culture":
        count = places(size)
        width = HEIGHT * size[1] // size[0]
        x, y = draws.integers(0, width, count), draws.integers(0, HEIGHT, count)
        radius = draws.integers(74, 132, count) * draws.chance(dials.density, count)
        grown = draws.chance(dials.touching, count)
        parent = draws.words(count)
        direction = draws.choice(torch.tensor(_DIRECTIONS, device=x.device), count)
        brightness = draws.integers(110, 200, count)
        for cell in range(1, count):
            _grow(x, y, radius, cell, parent[:, cell] * cell >> 32, direction[:, cell], grown[:, cell])
        return cls(x, y, radius, brightness)


def _grow(x: Tensor, y: Tensor, radius: Tensor, cell: int, parent: Tensor, direction: Tensor, grown: Tensor) -> None:
    """Move a cell against its parent if it has grown there, and give its place up where it would bury another."""
    own = radius[:, cell]
    stem = [field.gather(1, parent[:, None])[:, 0] for field in (x, y, radius)]
    grown = grown & (stem[2] > 0)
    apart = (own + stem[2]) * 13 // 16  # nearer than the sum of the radii: the two press against each other
    for place, start, toward in ((x, stem[0], direction[:, 0]), (y, stem[1], direction[:, 1])):
        place[:, cell] = torch.where(grown, start + (apart * toward >> 8), place[:, cell])
    across, down = x[:, :cell] - x[:, cell, None], y[:, :cell] - y[:, cell, None]
    room = (own[:, None] + radius[:, :cell]) * 11 // 16 * (radius[:, :cell] > 0)
    buried = (across * across + down * down < room * room).any(1)
    radius[:, cell] = own * ~buried
