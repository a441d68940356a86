"""What max-pooling keeps and what it forgets: a small map pooled, and brought back with and without the offsets."""

from collections.abc import Iterator

import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from segedu.classroom.colours import NOW, REST
from segedu.classroom.figures import INK, figure
from segedu.layers.unpool import max_pool, max_unpool
from segedu.layers.way_back import WAYS_BACK

BESIDE, BELOW = 2.6, 1.6  # cells between two columns of grids, and from a grid to the next below it
FAINT, LINE = "#8A8A8A", 1.6
SHADE = 0.55  # how blue the largest value is

Place = tuple[float, float]


def unpooling(values: Tensor) -> None:
    """Draw a map ``(H, W)`` of numbers not below 0, its maxima and their offsets, and two ways back from these.

    Every number comes from the package's layers. A vermilion frame marks where a maximum stood and where its offset
    puts it; thick lines are the edges of windows. Raises what ``layers.unpool.max_pool`` raises.
    """
    x = values[None, None].double()
    size = (x.shape[-2], x.shape[-1])
    pooled, offsets = max_pool(x)
    unpooled = max_unpool(pooled, offsets, size)[0, 0]
    smooth = WAYS_BACK["bilinear"].unpool()(pooled, None, size)[0, 0]
    places = max_unpool(torch.ones_like(pooled), offsets, size)[0, 0].bool()
    (height, width), (down, across) = size, pooled.shape[-2:]
    middle, right = width + BESIDE, width + across + 2 * BESIDE
    bottom = 2 * height + BELOW
    left_top, middle_top = (bottom - height - BELOW - 2) / 2, (bottom - 2 * down - BELOW) / 2
    with figure(_words(values, pooled[0, 0], offsets[0, 0]), height=430) as canvas:
        axis = canvas.subplots()
        top = float(values.max())
        _grid(axis, (0, left_top), "a feature map", values, top, places)
        _grid(axis, (width / 2 - 1, left_top + height + BELOW), "offsets of a window", torch.arange(4).view(2, 2))
        _grid(axis, (middle, middle_top), "maxima: what", pooled[0, 0], top)
        _grid(axis, (middle, middle_top + down + BELOW), "offsets: where", offsets[0, 0])
        _grid(axis, (right, 0), "put back by the offsets", unpooled, top, places)
        _grid(axis, (right, height + BELOW), "bilinear, by the maxima alone", smooth, top)
        _arrow(axis, (width, bottom / 2), "pool")
        _arrow(axis, (middle + across, bottom / 2), "go back")
        axis.set(xlim=(-0.2, right + width + 0.2), ylim=(bottom + 0.2, -1), aspect="equal")
        axis.set_axis_off()


def _grid(
    axis: Axes, at: Place, title: str, values: Tensor, top: float | None = None, places: Tensor | None = None
) -> None:
    """Cells with their numbers, the corner ``at``, blue up to ``top``; with ``places`` also the windows and frames."""
    x, y = at
    height, width = values.shape
    for (row, column), value in _cells(values):
        cell = (x + column, y + row)
        axis.add_patch(Rectangle(cell, 1, 1, facecolor="white", edgecolor=FAINT, linewidth=0.6))
        if top:
            axis.add_patch(Rectangle(cell, 1, 1, facecolor=REST, alpha=SHADE * value / top, linewidth=0))
        ink = FAINT if places is not None and not value else INK
        axis.text(cell[0] + 0.5, cell[1] + 0.5, f"{value:.2g}", ha="center", va="center_baseline", color=ink)
    if places is not None:
        for column in (*range(0, width, 2), width):
            axis.plot([x + column] * 2, [y, y + height], color=INK, linewidth=LINE)
        for row in (*range(0, height, 2), height):
            axis.plot([x, x + width], [y + row] * 2, color=INK, linewidth=LINE)
        for row, column in places.nonzero().tolist():
            inside = (x + column + 0.1, y + row + 0.1)
            axis.add_patch(Rectangle(inside, 0.8, 0.8, fill=False, edgecolor=NOW, linewidth=LINE, zorder=3))
    axis.text(x + width / 2, y - 0.3, title, ha="center")


def _arrow(axis: Axes, start: Place, word: str) -> None:
    """From one column of grids to the next."""
    x, y = start
    arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": LINE, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", (x + BESIDE - 0.3, y), (x + 0.3, y), arrowprops=arrow)
    axis.text(x + BESIDE / 2, y - 0.3, word, ha="center", color=NOW, fontweight="bold")


def _cells(values: Tensor) -> Iterator[tuple[tuple[int, int], float]]:
    for row, line in enumerate(values.tolist()):
        for column, value in enumerate(line):
            yield (row, column), value


def _words(values: Tensor, pooled: Tensor, offsets: Tensor) -> str:
    before, after = (" × ".join(map(str, one.shape)) for one in (values, pooled))
    maxima, where = (", ".join(f"{number:g}" for number in one.flatten().tolist()) for one in (pooled, offsets))
    return (
        f"a map of {before} cells is pooled to {after} maxima, {maxima}, with the offsets {where}. By their offsets "
        "the maxima go back to the cells that they came from, with zeros between; bilinear interpolation spreads them "
        "over all cells."
    )
