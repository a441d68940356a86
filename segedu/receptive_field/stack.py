"""A stack of layers without weights: what its units see, computed in a moment, for formulas and explorers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from segedu.receptive_field.fields import Axis
from segedu.receptive_field.reads import Reads, Spread, Window
from segedu.receptive_field.table import AxisField

Kind = Literal["conv", "pool", "transposed", "ASPP", "skip"]
ASPP_FACTORS = (1, 2, 3)  # rates 6, 12, 18 at a dilation of 6


@dataclass(frozen=True)
class Layer:
    """One layer of a stack, alike along both axes.

    ``conv`` and ``pool`` read windows, ``transposed`` is a transposed convolution. ``ASPP`` joins a 1x1 convolution and
    three dilated ones at one, two and three times ``dilation``, padded so that the map keeps its size; ``padding`` and
    ``stride`` do not count. ``skip`` joins the map with the last one of the same stride from before the map last became
    coarser, cropped to its middle where that is larger (U-Net); no number of it counts. Raises ``ValueError`` for
    numbers that no layer can have.
    """

    kind: Kind = "conv"
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    padding: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind is {self.kind!r}; it is one of {', '.join(get_args(Kind))}")
        if min(self.kernel, self.stride, self.dilation) < 1 or self.padding < 0:
            raise ValueError(f"{self} needs a kernel, a stride and a dilation of at least 1 and no negative padding")
        if self.kind == "ASPP" and self.kernel % 2 == 0:
            raise ValueError(f"{self} needs an odd kernel, or its branches would not meet")
        if self.kind == "pool" and 2 * self.padding > self.kernel:
            raise ValueError(f"{self} pads more than half of its kernel, which no pooling may")

    @property
    def reads(self) -> tuple[Reads, ...]:
        """What its branches read; one branch, but for ASPP."""
        if self.kind == "transposed":
            return (Spread(self.kernel, self.stride, self.padding, self.dilation),)
        if self.kind == "ASPP":
            rates = [factor * self.dilation for factor in ASPP_FACTORS]
            return (Window(), *(Window(self.kernel, 1, rate * (self.kernel - 1) // 2, rate) for rate in rates))
        return (Window(self.kernel, self.stride, self.padding, self.dilation),)

    def units(self, cells: int) -> int:
        """How many units it makes of a row of ``cells``."""
        if self.kind in ("ASPP", "skip"):
            return cells
        span = self.dilation * (self.kernel - 1) + 1
        if self.kind == "transposed":
            return (cells - 1) * self.stride + span - 2 * self.padding
        return (cells + 2 * self.padding - span) // self.stride + 1

    def code(self, channels: str = "C") -> str:
        """The line of PyTorch that makes it."""
        maker = {"conv": "nn.Conv2d", "pool": "nn.MaxPool2d", "transposed": "nn.ConvTranspose2d"}.get(self.kind)
        if maker is None:
            rates = ", ".join(str(factor * self.dilation) for factor in ASPP_FACTORS)
            return f"ASPP({channels}, rates=({rates}))" if self.kind == "ASPP" else "torch.cat([skip, x], 1)"
        options = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        shown = [f"{name}={value}" for name, value in options.items() if value != (0 if name == "padding" else 1)]
        if self.kind == "pool" and self.stride != self.kernel and self.stride == 1:
            shown.insert(0, "stride=1")  # a pooling's stride is its kernel unless told
        sides = [] if self.kind == "pool" else [channels, channels]
        return f"{maker}({', '.join([*sides, str(self.kernel), *shown])})"


@dataclass(frozen=True)
class Level:
    """A layer of a stack with what its units see: ``units`` of them along each axis."""

    layer: Layer
    field: AxisField
    units: int


def stacked(layers: Sequence[Layer], pixels: int) -> tuple[Level, ...]:
    """What the units of each layer see of an image of ``pixels`` by ``pixels``, by the rules of `receptive_field`.

    Raises ``ValueError`` for a layer that leaves no unit, and for a skip that has nothing to join.
    """
    levels: list[Level] = []
    axis, units = Axis.of_image(pixels), pixels
    for number, layer in enumerate(layers, 1):
        if layer.kind == "skip":
            other = levels[partner(levels)]
            crop = Window(padding=-((other.units - units) // 2))
            axis = axis.join(other.field.axis.read(crop, units))
        else:
            made = layer.units(units)
            if made < 1:
                raise ValueError(f"layer {number}, {layer.code()}, has nothing left to read on a map of {units} cells")
            axis, units = reduce(Axis.join, [axis.read(reads, made) for reads in layer.reads]), made
        levels.append(Level(layer, AxisField(axis), units))
    return tuple(levels)


def partner(levels: Sequence[Level]) -> int:
    """The index of the level that a skip after ``levels`` joins. Raises ``ValueError`` where there is none."""
    stride = levels[-1].field.stride if levels else None
    earlier = len(levels) - 1
    while earlier >= 0 and levels[earlier].field.stride == stride:
        earlier -= 1
    while earlier >= 0 and levels[earlier].field.stride != stride:
        earlier -= 1
    if earlier < 0:
        raise ValueError(
            f"layer {len(levels) + 1}, a skip, finds no earlier map of stride {stride}: go down and up first"
        )
    if levels[earlier].units < levels[-1].units:
        raise ValueError(
            f"layer {len(levels) + 1}, a skip, cannot crop the {levels[earlier].units} cells after layer {earlier + 1} "
            f"to {levels[-1].units}: the map that it joins is the smaller"
        )
    return earlier


class StackNet(nn.Module):
    """The same stack with random weights, ``channels`` wide: ``(N, 3, H, W) -> (N, channels, h, w)``.

    A ReLU follows every convolution, so that a gradient shows an effective receptive field. Layer ``i`` is a module
    called ``layers.i``. Raises what `stacked` raises for ``pixels``, which settles what each skip joins.
    """

    def __init__(self, layers: Sequence[Layer], pixels: int, channels: int = 4) -> None:
        super().__init__()
        levels = stacked(layers, pixels)
        self.joins = {at: partner(levels[:at]) for at, layer in enumerate(layers) if layer.kind == "skip"}
        width, modules = 3, []
        for layer in layers:
            modules.append(_module(layer, width, channels))
            width = {"pool": width, "skip": 2 * channels}.get(layer.kind, channels)
        self.layers = nn.ModuleList(modules)

    def forward(self, images: Tensor) -> Tensor:
        maps: list[Tensor] = []
        x = images
        for at, layer in enumerate(self.layers):
            x = layer(x)
            if at in self.joins:
                skip = maps[self.joins[at]]
                top, left = ((skip.shape[dim] - x.shape[dim]) // 2 for dim in (2, 3))
                x = torch.cat([skip[:, :, top : top + x.shape[2], left : left + x.shape[3]], x], 1)
            maps.append(x)
        return x


class Branches(nn.ModuleList):
    """ASPP's way: several views of one map, added up."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([branch(x) for branch in self]).sum(0)


def _module(layer: Layer, width: int, channels: int) -> nn.Module:
    settings = (layer.kernel, layer.stride, layer.padding)
    if layer.kind == "skip":
        return nn.Identity()
    if layer.kind == "pool":
        return nn.MaxPool2d(*settings, dilation=layer.dilation)
    if layer.kind == "transposed":
        return nn.Sequential(nn.ConvTranspose2d(width, channels, *settings, dilation=layer.dilation), nn.ReLU())
    if layer.kind == "ASPP":
        views = [window for window in layer.reads if isinstance(window, Window)]
        dilated = [nn.Conv2d(width, channels, v.kernel, 1, v.padding, v.dilation) for v in views]
        return nn.Sequential(Branches(dilated), nn.ReLU())
    return nn.Sequential(nn.Conv2d(width, channels, *settings, dilation=layer.dilation), nn.ReLU())
