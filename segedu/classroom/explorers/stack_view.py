"""What the receptive-field explorer shows: a layer of a stack, one of its units, and what that unit sees and uses."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from segedu.receptive_field.effective import EffectiveField, gradient_heat
from segedu.receptive_field.fields import Axis, Bounded, Endless
from segedu.receptive_field.paths import expected_heat
from segedu.receptive_field.stack import Layer, Level, StackNet, stacked
from segedu.receptive_field.table import AxisField, Box, Interval

HeatKind = Literal["none", "expected", "measured"]
Unit = tuple[int, int]

NETWORKS = 4  # random ones, over which a measured heat map is averaged
CHANNELS = 4
LARGEST_MAP = 2048  # units along a side


@dataclass(frozen=True, eq=False)
class View:
    """A unit of one layer of a stack, on an image of ``pixels`` by ``pixels``.

    ``levels`` are those of ``layers`` that can be; ``problem`` says why the next one cannot, and is empty where all
    can. ``chosen`` is the place of the level looked at, -1 for the image itself. ``heat`` is None where none is asked
    for and where no gradient arrives.
    """

    layers: tuple[Layer, ...]
    levels: tuple[Level, ...]
    problem: str
    pixels: int
    chosen: int
    unit: Unit
    kind: HeatKind
    heat: EffectiveField | None

    @property
    def units(self) -> int:
        """The side of the chosen map."""
        return self.levels[self.chosen].units if self.chosen >= 0 else self.pixels

    @cached_property
    def field(self) -> AxisField:
        """What the chosen map's units see along one axis; both are alike."""
        return self.levels[self.chosen].field if self.chosen >= 0 else AxisField(Axis.of_image(self.pixels))

    @cached_property
    def ends(self) -> npt.NDArray[np.float64]:
        """The first and the last pixel of each unit's theoretical field, ``(2, units)``, padding and all.

        From inf to -inf for a unit that falls between the taps of a transposed layer and sees nothing.
        """
        field = self._endless
        turns, phase = np.divmod(np.arange(self.units), len(field.low))
        return np.array([field.low[phase], field.high[phase]]) + turns * field.shift

    @cached_property
    def along(self) -> npt.NDArray[np.int64]:
        """The size of each unit's theoretical field along one axis, ``(units,)``."""
        sizes: npt.NDArray[np.int64] = (self.ends[1] - self.ends[0] + 1).clip(min=0).astype(np.int64)
        return sizes

    @cached_property
    def in_picture(self) -> npt.NDArray[np.float64]:
        """How many pixels of each unit's theoretical field lie on the image along one axis, ``(units,)``."""
        first, last = self.ends
        overlap: npt.NDArray[np.float64] = np.minimum(last, self.pixels - 1) - np.maximum(first, 0) + 1
        return overlap.clip(min=0)

    @cached_property
    def share(self) -> float:
        """The share of the gradient inside half the size of the unit's field; NaN where there is no heat map."""
        return math.nan if self.heat is None else self.heat.inside_half

    def box(self, unit: Unit) -> Box | None:
        """The theoretical field of a unit; None when it sees nothing."""
        if not all(self.along[place] for place in unit):
            return None
        rows, columns = (self.ends[:, place].astype(int).tolist() for place in unit)
        return (rows[0], rows[1]), (columns[0], columns[1])

    def reached(self, unit: Unit) -> Box | None:
        """The box of the pixels whose values can reach a unit; None when it sees padding only."""
        rows, columns = (self._bounded.at(place) for place in unit)
        if rows[0] > rows[1] or columns[0] > columns[1]:
            return None
        return _whole(rows), _whole(columns)

    def cut(self, unit: Unit) -> Box | None:
        """The theoretical field of a unit as far as it lies on the image."""
        box = self.box(unit)
        if box is None or not all(self.in_picture[place] for place in unit):
            return None
        rows, columns = ((max(first, 0), min(last, self.pixels - 1)) for first, last in box)
        return rows, columns

    def padded(self, unit: Unit) -> tuple[int, int]:
        """How many pixels of a unit's theoretical field lie in the padding, and how many it has."""
        every, on_image = (int(np.prod([sides[place] for place in unit])) for sides in (self.along, self.in_picture))
        return every - on_image, every

    def viewers(self, pixel: int) -> tuple[int, int] | None:
        """The first and the last unit along one axis whose field holds a pixel; None where there is none."""
        units = np.flatnonzero((self._bounded.low <= pixel) & (pixel <= self._bounded.high))
        return (int(units[0]), int(units[-1])) if len(units) else None

    @property
    def _endless(self) -> Endless:
        return cast(Endless, self.field.axis.endless)  # `possible` leaves no unknown level

    @property
    def _bounded(self) -> Bounded:
        return cast(Bounded, self.field.axis.bounded)


@functools.lru_cache(maxsize=64)
def possible(layers: tuple[Layer, ...], pixels: int) -> tuple[tuple[Level, ...], str]:
    """The levels of a stack as far as it can be built and told, and the sentence that says why it stops there."""
    levels: tuple[Level, ...] = ()
    small, problem = _of_small_maps(layers, pixels)
    for count in range(small, 0, -1):
        try:
            levels = stacked(layers[:count], pixels)
            break
        except ValueError as error:
            problem = str(error)
    for at, level in enumerate(levels):
        if level.field.axis.unknown:
            return levels[:at], f"what layer {at + 1} sees is unknown: {', '.join(level.field.axis.unknown)}"
    return levels, problem


def _of_small_maps(layers: tuple[Layer, ...], pixels: int) -> tuple[int, str]:
    """How many layers it takes to a map larger than can be shown, and what to say of it: transposed layers explode."""
    units = pixels
    for at, layer in enumerate(layers):
        units = layer.units(units)
        if units > LARGEST_MAP:
            return at, f"layer {at + 1}, {layer.code()}, makes {units} × {units} units, over {LARGEST_MAP} a side"
        if units < 1:
            break  # which `stacked` tells of
    return len(layers), ""


def expected(levels: Sequence[Level], pixels: int, unit: Unit) -> Tensor | None:
    """`expected_heat`, or None where no pixel reaches the unit."""
    try:
        return torch.from_numpy(expected_heat(levels, pixels, unit))
    except ValueError:
        return None


@functools.lru_cache(maxsize=32)
def measured(layers: tuple[Layer, ...], images: "Images", pixels: int, unit: Unit) -> Tensor | None:
    """The mean heat map of a few random networks on the images; None where no gradient passes in any of them."""
    heats = []
    for seed in range(NETWORKS):
        try:
            heats.append(gradient_heat(random_network(layers, pixels, seed), images.of(pixels), unit)[0])
        except ValueError:  # every ReLU on the way is shut
            continue
    return torch.stack(heats).mean(0) if heats else None


def random_network(layers: Sequence[Layer], pixels: int, seed: int) -> StackNet:
    """The network of a stack with He's weights (He et al. 2015), under which neither signals nor gradients fade."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = StackNet(layers, pixels, CHANNELS)
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                taps = module.kernel_size[0] / (module.stride[0] if isinstance(module, nn.ConvTranspose2d) else 1)
                nn.init.normal_(module.weight, std=(2 / (module.in_channels * taps**2)) ** 0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    return net.requires_grad_(False)


class Images:
    """Normalised pictures ``(N, 3, H, W)``, cut to squares and brought to any size. Compared by identity."""

    def __init__(self, images: Tensor) -> None:
        if images.dim() != 4 or images.shape[1] != 3 or not len(images):
            raise ValueError(f"images has shape {tuple(images.shape)}, expected (N, 3, H, W) with N of at least 1")
        height, width = images.shape[2:]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        self._square = images.detach().as_subclass(Tensor).cpu().float()[:, :, top : top + side, left : left + side]
        self.of = functools.lru_cache(maxsize=8)(self._resized)

    def _resized(self, pixels: int) -> Tensor:
        """The pictures at ``pixels`` by ``pixels``: ``(N, 3, pixels, pixels)``."""
        return F.interpolate(self._square, (pixels, pixels), mode="bilinear", antialias=True)


def sizes_of(field: AxisField) -> list[int]:
    """The sizes that fields of a layer have along an axis; 0 for units that see nothing."""
    return sorted({int(max(size, 0)) for size in field.sizes or ()})


def _whole(interval: Interval) -> Interval:
    return int(interval[0]), int(interval[1])
