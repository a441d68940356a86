"""The U of a U-Net, drawn from a live model: every size is one that the model has just produced."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2, sqrt

import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from segedu.classroom.colours import NOW, REST
from segedu.classroom.figures import INK, figure
from segedu.inference import device_of, inference
from segedu.models.unet import UShape

COLUMN, DROP = 1.6, 1.75  # from arm to bottom, a level takes this much across and down
TALLEST, THICKEST = 1.15, 0.62  # of the map with the most rows, and of that with the most channels

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Level:
    """One rung of the U: the map on the way down, what of it is handed across, and the map on the way up."""

    down: Shape
    across: Shape
    up: Shape

    @property
    def cropped(self) -> bool:
        """Whether the border of the copy is cut off."""
        return self.across[1:] != self.down[1:]


def u_shape(model: UShape, size: tuple[int, int]) -> None:
    """Draw the five levels of ``model`` for an image of ``size=(H, W)``, the copies in vermilion.

    A map is as tall as it has rows and as wide as it has channels, both on a scale that shows the small ones too. The
    model runs once, on the device it is on (``meta`` will do), and keeps the mode it was in.
    """
    channels = next(model.parameters()).shape[1]
    image: Shape = (channels, *size)
    levels, bottom, scores = _run(model, image)
    most = (max(image[1], 1), bottom[0])
    with figure(_words(image, levels, bottom, scores), height=520) as canvas:
        axis = canvas.subplots()
        right = COLUMN * (2 * len(levels))
        for depth, level in enumerate(levels):
            y, left, end = -DROP * depth, COLUMN * depth, right - COLUMN * depth
            start, stop = (_map(axis, (x, y), shape, most) for x, shape in ((left, level.down), (end, level.up)))
            _copy(axis, (left + start, end - stop), y, level)
            below = COLUMN * (depth + 1), y - DROP
            _arrow(axis, (left, y - 0.9), (below[0] - 0.42, below[1] + 0.3))
            _arrow(axis, (right - below[0] + 0.42, below[1] + 0.3), (end, y - 0.9))
        _map(axis, (right / 2, -DROP * len(levels)), bottom, most)
        axis.text(-0.35, 0.85, f"image {_said(image)}", va="bottom", color=INK)
        axis.text(right + 0.35, 0.85, f"scores {_said(scores)}", va="bottom", ha="right", color=INK)
        axis.set(xlim=(-1.0, right + 1.0), ylim=(-DROP * len(levels) - 1.0, 1.2))
        axis.set_axis_off()


def _run(model: UShape, image: Shape) -> tuple[list[Level], Shape, Shape]:
    """The levels from fine to coarse, the map at the bottom, and the scores."""
    joined: list[Shape] = []
    up: list[Shape] = []

    def note_join(_: nn.Module, inputs: Sequence[Tensor]) -> None:
        joined.append(tuple(inputs[0].shape[1:]))

    def note_result(_: nn.Module, __: object, result: Tensor) -> None:
        up.append(tuple(result.shape[1:]))

    hooks = [step.get_submodule("convs").register_forward_pre_hook(note_join) for step in model.expand]
    hooks += [step.register_forward_hook(note_result) for step in model.expand]
    try:
        with inference(model):
            features = model.encode(torch.zeros(1, *image, device=device_of(model)))
            scores = model.decode(features)
    finally:
        for hook in hooks:
            hook.remove()
    *down, bottom = (tuple(feature.shape[1:]) for feature in features)
    across = [(own[0], *join[1:]) for own, join in zip(down, reversed(joined), strict=True)]
    levels = [Level(*shapes) for shapes in zip(down, across, reversed(up), strict=True)]
    return levels, bottom, tuple(scores.shape[1:])


def _map(axis: Axes, at: tuple[float, float], shape: Shape, most: tuple[int, int]) -> float:
    """A map as a box around ``at``, its shape below; returns half the box's width."""
    tall = TALLEST * sqrt(shape[1] / most[0])
    wide = THICKEST * (1 + log2(shape[0])) / (1 + log2(most[1]))
    box = Rectangle((at[0] - wide / 2, at[1] - tall / 2), wide, tall, facecolor=REST, alpha=0.75, edgecolor=INK)
    axis.add_patch(box)
    axis.text(at[0], at[1] - tall / 2 - 0.06, _said(shape), ha="center", va="top", color=INK, fontsize=10)
    return wide / 2


def _copy(axis: Axes, ends: tuple[float, float], y: float, level: Level) -> None:
    arrow = {"arrowstyle": "-|>", "color": NOW, "linewidth": 2, "shrinkA": 2, "shrinkB": 2}
    axis.annotate("", (ends[1], y), (ends[0], y), arrowprops=arrow)
    said = f"crop {level.across[1]} × {level.across[2]}" if level.cropped else "copy"
    axis.text(sum(ends) / 2, y + 0.07, said, ha="center", va="bottom", color=NOW, fontsize=10, fontweight="bold")


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", end, start, arrowprops=arrow)


def _said(shape: Shape) -> str:
    return " × ".join(map(str, shape))


def _words(image: Shape, levels: Sequence[Level], bottom: Shape, scores: Shape) -> str:
    down = ", ".join(_said(level.down) for level in levels)
    up = ", ".join(_said(level.up) for level in reversed(levels))
    how = "cropped and copied" if any(level.cropped for level in levels) else "copied"
    return (
        f"the U for an image of {_said(image)}: down through maps of {down} to {_said(bottom)}, up through {up} to "
        f"scores of {_said(scores)}; at each level the left map is {how} across."
    )
