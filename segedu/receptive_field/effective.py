"""How much of its receptive field a unit really uses: a heat map of gradients over real images."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from segedu.mode import mode
from segedu.receptive_field.analysis import receptive_field
from segedu.receptive_field.table import Box

Unit = tuple[int, int]


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """What one output ``unit``, a row and a column, answers to.

    ``heat (H, W)`` is float64, on the CPU and sums to 1: the share of each pixel in the unit's gradient. ``box`` is the
    unit's theoretical field, ``((top, bottom), (left, right))``, of which parts may lie in the padding; it is None
    where no rule tells it, and infinite after global pooling.
    """

    heat: Tensor
    unit: Unit
    box: Box | None

    @property
    def inside_half(self) -> float:
        """The share of the gradient inside the central box of half the theoretical height and width."""
        return self.inside(0.5)

    def inside(self, share: float) -> float:
        """The share of the gradient inside the central box whose sides are ``share`` of the theoretical field's.

        A pixel is inside when its centre is, or lies on the edge: of 7 pixels in a row, half are the middle 3; of 8,
        the middle 4. NaN where the field is infinite or unknown: it has no half. Raises ``ValueError`` for a negative
        ``share``.
        """
        if not share >= 0:
            raise ValueError(f"share is {share}, expected a part of the field's height and width, such as 0.5")
        if self.box is None or any(map(math.isinf, self.box[0] + self.box[1])):
            return math.nan
        rows, columns = (
            ((torch.arange(pixels) - (first + last) / 2).abs() <= share * (last - first + 1) / 2).double()
            for pixels, (first, last) in zip(self.heat.shape, self.box, strict=True)
        )
        return float(rows @ self.heat @ columns)


def effective_receptive_field(model: nn.Module, images: Tensor, *, unit: Unit | None = None) -> EffectiveField:
    """The pixels that one output unit of ``model`` answers to, on average over ``images (N, C, H, W)``.

    For each image it is the gradient of the unit's highest channel, absolute and summed over colours (Luo et al. 2016,
    "Understanding the effective receptive field in deep convolutional networks", who feed back a gradient of 1). The
    unit is the middle one if left out. ``model`` returns maps ``(N, K, h, w)`` or a dictionary with them as ``"out"``;
    it runs in evaluation mode on one image at a time, and its mode and its parameters' gradients are left as they are.
    Raises ``ValueError`` for images or maps of another shape, a unit that is not there, and a gradient that is zero
    everywhere or not finite; and what `receptive_field` raises.
    """
    heat, unit = gradient_heat(model, images, unit)
    channels, height, width = images.shape[1:]
    output = receptive_field(model, (height, width), in_channels=channels).output
    return EffectiveField(heat, unit, None if output.unknown else output.box(*unit))


def gradient_heat(model: nn.Module, images: Tensor, unit: Unit | None = None) -> tuple[Tensor, Unit]:
    """The heat map alone, ``(H, W)`` with a sum of 1, and the unit: for callers that know the theoretical field."""
    if images.dim() != 4 or not images.numel() or not images.is_floating_point():
        raise ValueError(
            f"images has shape {tuple(images.shape)} and dtype {images.dtype}, "
            "expected (N, C, H, W) of a floating-point dtype with N of at least 1"
        )
    with mode(model, training=False), torch.inference_mode(False), torch.enable_grad():
        total = torch.zeros(images.shape[2:], dtype=torch.float64)
        for image in torch.split(images.detach(), 1):
            gradient, place = _gradient(model, image, unit)
            total += gradient.abs().sum(0).cpu().double()
    mass = float(total.sum())
    if mass == 0 or not math.isfinite(mass):
        raise ValueError(
            f"the gradient of unit {place} is {'zero everywhere' if mass == 0 else 'not finite'}: "
            "try other images or another unit; ReLUs that are all shut pass no gradient"
        )
    return total / mass, place


def _gradient(model: nn.Module, image: Tensor, unit: Unit | None) -> tuple[Tensor, Unit]:
    """Of the unit's highest channel by one image ``(1, C, H, W)``: ``(C, H, W)``, and which unit it is."""
    leaf = image.clone().requires_grad_()
    maps = _maps(model(leaf.clone()))  # a copy, which a first layer in place may write into
    row, column = _existing(unit, maps)
    (gradient,) = torch.autograd.grad(maps[0, :, row, column].max(0).values, leaf, materialize_grads=True)
    return gradient[0], (row, column)


def _maps(output: Any) -> Tensor:
    maps = output.get("out") if isinstance(output, dict) else output
    if not isinstance(maps, Tensor) or maps.dim() != 4:
        got = f"shape {tuple(maps.shape)}" if isinstance(maps, Tensor) else type(output).__name__
        raise ValueError(f"the model returns {got}, expected maps (N, K, h, w), or a dictionary with them as 'out'")
    return maps


def _existing(unit: Unit | None, maps: Tensor) -> Unit:
    height, width = maps.shape[2:]
    row, column = unit or (height // 2, width // 2)
    if not (0 <= row < height and 0 <= column < width):
        raise ValueError(
            f"unit is {unit}, but the output has {height} rows and {width} columns of units, counted from 0"
        )
    return row, column
