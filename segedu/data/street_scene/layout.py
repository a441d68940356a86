"""The plan of a street and the camera over it: where kerbs, pavements and houses lie, and where that is in the picture.

Lengths in the scene are centimetres, lengths in the picture are 1/256 pixel; ``scale`` is picture units for 100 cm.
All of it is int64 and one-dimensional: something for each picture, each column or each row.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.data.counter import Draws

SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)
"""The label values, in the order of `segedu.data.palette.CAMVID`."""

VOID = 255
"""The label of what has no class."""

HOUSES = 6
"""Blocks along each side of the street: houses, trees or gaps; the last one reaches to the vanishing point."""


@dataclass(frozen=True)
class Perspective:
    """A pinhole camera over flat ground: all fields ``(N,)`` but the size.

    ``horizon`` and ``vanishing`` are the vanishing point (y, x), ``camera`` its height over the ground, ``bend`` the
    curve of the road.
    """

    size: tuple[int, int]
    horizon: Tensor
    vanishing: Tensor
    camera: Tensor
    bend: Tensor

    @classmethod
    def draw(cls, draws: Draws, size: tuple[int, int]) -> "Perspective":
        height, width = size
        return cls(
            size,
            horizon=draws.integers(height * 97, height * 128),
            vanishing=width * 128 + draws.integers(-height * 60, height * 60),
            camera=draws.integers(130, 190),
            bend=draws.integers(-30, 31) * draws.chance(0.6),
        )

    @property
    def focal(self) -> int:
        """Focal length: a picture sees 45 degrees from top to bottom, however wide it is."""
        return self.size[0] * 256 * 6 // 5

    def scale(self, depth: Tensor) -> Tensor:
        """The scale at a distance: ``(N, A) -> (N, A)``."""
        return self.focal * 100 // depth.clamp(min=100)

    def depth(self, scale: Tensor) -> Tensor:
        """The distance at which things have this scale: ``(N, A) -> (N, A)``."""
        return self.focal * 100 // scale.clamp(min=1)

    def height(self, level: int | Tensor, scale: Tensor) -> Tensor:
        """The place in the picture, downwards, of a point this high over the ground: ``(N, A) -> (N, A)``."""
        return self.horizon[:, None] + (self.camera[:, None] - level) * scale // 100

    def across(self, lateral: Tensor, scale: Tensor) -> Tensor:
        """The place in the picture, rightwards, of a point this far right of the camera: ``(N, A) -> (N, A)``."""
        curve = self.bend[:, None] * self.depth(scale).clamp(max=6000) * self.size[0] // 3000
        return self.vanishing[:, None] + curve + lateral * scale // 100

    def rows(self) -> Tensor:
        """The scale of the ground that shows in each row, below one at and over the horizon: ``(N, H)``."""
        centres = torch.arange(self.size[0], device=self.horizon.device) * 256 + 128
        return (centres - self.horizon[:, None]) * 100 // self.camera[:, None]


@dataclass(frozen=True)
class Street:
    """The plan of a street: distances from the camera's path, left and right, ``(N, 2)``; houses ``(N, 2 * HOUSES)``.

    ``kerb`` is signed, ``pavement`` a width. Each house of a side is ``length`` deep; the first begins ``start``
    behind the camera.
    """

    kerb: Tensor
    pavement: Tensor
    start: Tensor
    length: Tensor
    label: Tensor
    """BUILDING, TREE or, for a gap between houses, SKY."""
    height: Tensor

    @classmethod
    def draw(cls, draws: Draws) -> "Street":
        near, far = draws.integers(170, 340), draws.integers(300, 750)
        mirrored = draws.chance(0.5)
        built = draws.integers(20, 100, 1)  # the share of built-up blocks: from a lane in the green to a street canyon
        lot = draws.integers(0, 100, 2 * HOUSES)
        green = lot < built + (100 - built) * 2 // 3
        label = torch.where(lot < built, BUILDING, torch.where(green, TREE, SKY))
        height = torch.where(
            label == TREE, draws.integers(250, 1000, 2 * HOUSES), draws.integers(450, 1500, 2 * HOUSES)
        )
        return cls(
            kerb=torch.stack([-torch.where(mirrored, near, far), torch.where(mirrored, far, near)], 1),
            pavement=draws.integers(100, 360, 2),
            start=draws.integers(0, 900, 2),
            length=draws.integers(700, 1700, 2),
            label=label,
            height=height * (label != SKY),
        )

    def house(self, side: Tensor, depth: Tensor) -> Tensor:
        """Which house stands on a side (0 or 1) at a distance, an index to ``label`` and ``height``: ``(N, A)``."""
        number = (depth + self.start.gather(1, side)) // self.length.gather(1, side)
        return side * HOUSES + number.clamp(max=HOUSES - 1)


@dataclass(frozen=True)
class Walls:
    """The house fronts as the columns of the picture see them: every field ``(N, W)``."""

    side: Tensor
    house: Tensor
    scale: Tensor
    depth: Tensor

    @classmethod
    def see(cls, view: Perspective, street: Street) -> "Walls":
        centres = torch.arange(view.size[1], device=view.vanishing.device) * 256 + 128
        offset = centres - view.vanishing[:, None]
        side = (offset > 0).long()
        scale = (offset.abs() * 100 // (street.kerb.abs() + street.pavement).gather(1, side)).clamp(min=1)
        depth = view.depth(scale)
        return cls(side, street.house(side, depth), scale, depth)
