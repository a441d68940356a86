"""How an FCN adds its score maps, drawn from a live model: every size is one that the model has just produced."""

import math
from collections.abc import Iterator, Sequence
from typing import Protocol

import torch
from matplotlib.axes import Axes
from torch import Tensor

from segedu.classroom.colours import NOW
from segedu.classroom.figures import INK, figure

CELLS = torch.tensor([(0.80, 0.88, 0.94), (0.62, 0.76, 0.88)])  # two light blues, so that neighbouring cells differ
ROW, STEP, RADIUS = 1.7, 1.5, 0.16  # from map to map, from column to column, of a sum; a map is 1 high


class Fuses(Protocol):
    """The part of a model that :func:`fusion` uses: scores, coarse to fine, and their fusion at the image's size."""

    training: bool

    def train(self, mode: bool = True) -> object: ...

    def parameters(self) -> Iterator[Tensor]: ...

    def scores(self, images: Tensor) -> dict[str, Tensor]: ...

    def fuse(self, scores: dict[str, Tensor], size: tuple[int, int]) -> Tensor: ...


def fusion(model: Fuses, size: tuple[int, int]) -> None:
    """Draw how an FCN adds its score maps for an image of ``size=(H, W)``, coarse at the top.

    All maps cover the same picture and are drawn equally large: what differs is the size of their cells. The model runs
    once in evaluation mode, on the device it is on, and keeps the mode it was in.
    """
    training = model.training
    model.train(False)
    with torch.no_grad():
        scores = model.scores(torch.zeros(1, 3, *size, device=next(model.parameters()).device))
        fused = model.fuse(scores, size)
    model.train(training)
    maps = [tuple(score.shape[1:]) for score in scores.values()]
    wide = size[1] / size[0]
    with figure(_words(list(scores), maps, tuple(fused.shape[1:])), height=60 + 125 * len(maps)) as canvas:
        axis = canvas.subplots()
        corner = (wide, 0.0)  # where the path of the sum has got to
        for level, (name, shape) in enumerate(zip(scores, maps, strict=True)):
            y = -ROW * level
            _map(axis, (0, y), wide, shape, f"{name}  {_shape(shape)}  stride {_nearest_power(size[0] / shape[1])}")
            if level:
                node = (max(wide, 1.5) + STEP * level, y)
                _path(axis, [corner, (node[0], corner[1]), (node[0], y + RADIUS)])
                _path(axis, [(wide, y), (node[0] - RADIUS, y)])
                _label(axis, (node[0] + 0.08, y + ROW / 2), f"×{_nearest_power(shape[1] / maps[level - 1][1])}")
                _sum(axis, node)
                corner = (node[0] + RADIUS, y)
        end = corner[0] + STEP
        _path(axis, [corner, (end, corner[1])])
        _label(axis, (corner[0] + STEP / 2 - 0.2, corner[1] + 0.2), f"×{_nearest_power(size[0] / maps[-1][1])}")
        _map(axis, (end, corner[1]), wide, tuple(fused.shape[1:]), f"out  {_shape(tuple(fused.shape[1:]))}")
        axis.set(xlim=(-0.1, end + wide + 0.6), ylim=(-ROW * (len(maps) - 1) - 0.6, 0.9), aspect="equal")
        axis.set_axis_off()


def _map(axis: Axes, at: tuple[float, float], wide: float, shape: Sequence[int], title: str) -> None:
    """A map of ``(K, h, w)`` with its cells, its left edge's middle ``at``."""
    _, rows, columns = shape
    cells = CELLS[(torch.arange(rows)[:, None] + torch.arange(columns)) % 2]
    x, y = at
    axis.imshow(cells.numpy(), extent=(x, x + wide, y - 0.5, y + 0.5), interpolation="antialiased")
    axis.text(x, y + 0.58, title, va="bottom")


def _sum(axis: Axes, at: tuple[float, float]) -> None:
    axis.plot(*at, "o", markersize=20, color="white", markeredgecolor=NOW, markeredgewidth=2)
    axis.text(*at, "+", ha="center", va="center_baseline", color=NOW, fontsize=16, fontweight="bold")


def _path(axis: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Straight pieces through ``points``, an arrowhead at the last."""
    axis.plot(*zip(*points[:-1], strict=True), color=INK, linewidth=1.5)
    arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", points[-1], points[-2], arrowprops=arrow)


def _label(axis: Axes, at: tuple[float, float], text: str) -> None:
    axis.text(*at, text, va="center", color=NOW, fontweight="bold")


def _nearest_power(ratio: float) -> int:
    """The whole factor between two maps whose sizes were rounded by padding and pooling."""
    return 1 << round(math.log2(ratio))


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _words(names: Sequence[str], maps: Sequence[Sequence[int]], out: Sequence[int]) -> str:
    first, *others = (f"{name} ({_shape(shape)})" for name, shape in zip(names, maps, strict=True))
    added = "".join(f", upsampled and added to those of {other}" for other in others)
    return f"the scores of {first}{added}, upsampled to the image: {_shape(out)}."
