"""Heat maps of counts: colours, a legend with numbers, grid lines, and an outline around cells."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from segedu.classroom.explorers.scene import (
    FONT_SIZE,
    Box,
    Bytes,
    Point,
    Primitive,
    cells,
    gradient,
    line,
    rectangle,
    text,
)

CIVIDIS = [(0, 34, 78), (26, 56, 111), (67, 78, 108), (97, 101, 111), (125, 124, 120)]
CIVIDIS += [(155, 148, 118), (188, 174, 108), (222, 201, 88), (254, 232, 56)]
HEAT = np.concatenate([np.full((1, 4), 255, np.uint8), gradient(*CIVIDIS)])
"""White for zero, then cividis, which anyone can order by brightness: zero and one could not look less alike."""

GRID = "#80808080"
FINEST_GRID = 8  # CSS pixels: smaller cells have no room for lines between them
TICK = 1.3 * FONT_SIZE  # from one number to the next in a column
DIGIT = 0.62 * FONT_SIZE  # the width of a figure, a little generous


def heat(counts: npt.NDArray[np.integer], most: int) -> Bytes:
    """Indices into `HEAT`: 0 -> white, 1 -> the darkest, ``most`` -> the brightest.

    The scale is logarithmic, since a count on the map is the product of those of its row and its column.
    """
    shades = 1 + np.rint((len(HEAT) - 2) * _height(np.maximum(counts, 1), most))
    return np.where(counts == 0, 0, shades).astype(np.uint8)


def _height(count: npt.ArrayLike, most: int) -> npt.NDArray[np.float64]:
    """Where a count stands between 1 and ``most``, as a fraction."""
    return np.asarray(np.log(count) / np.log(max(most, 2)), np.float64)


def heat_map(at: Point, side: float, counts: npt.NDArray[np.integer], most: int, panel: str) -> list[Primitive]:
    """Square cells for ``(n, n)`` counts with their corner ``at``, as large as whole pixels allow within ``side``."""
    whole = len(counts) * max(1, int(side / len(counts)))
    box = (*at, whole, whole)
    return [
        cells(box, heat(counts, most), HEAT, panel=panel),
        *grid_lines(box, *counts.shape),
        rectangle(box, stroke="border"),
    ]


def grid_lines(box: Box, rows: int, cols: int) -> list[Primitive]:
    """The lines between cells, where there is room: one stroke to and fro along the columns, one along the rows."""
    x, y, width, height = box
    if min(width / cols, height / rows) < FINEST_GRID:
        return []
    across = [(x + width * i / cols, y + height * (i % 2 ^ turn)) for i in range(cols + 1) for turn in (0, 1)]
    down = [(x + width * (i % 2 ^ turn), y + height * i / rows) for i in range(rows + 1) for turn in (0, 1)]
    return [line(across, stroke=GRID, width=1), line(down, stroke=GRID, width=1)]


def legend(box: Box, most: int, nothing: str = "") -> list[Primitive]:
    """The colours with their numbers, ``most`` at the top down to 1, and below them white for 0, with what it means."""
    x, y, width, height = box
    bar = (x, y, width, height - 2 * width)
    swatch = (x, y + height - width, width, width)
    shades = np.arange(len(HEAT) - 1, 0, -1, dtype=np.uint8)[:, None]
    return [
        cells(bar, shades if most > 1 else shades[-1:], HEAT),
        rectangle(bar, stroke="border"),
        *(text((x + width + 7, y + down), f"{count}") for count, down in _ticks(most, bar[3]).items()),
        rectangle(swatch, fill="#ffffff", stroke="border"),
        text((x + width + 7, swatch[1] + width / 2), f"0{nothing}"),
    ]


def _ticks(most: int, length: float) -> dict[int, float]:
    """Counts to write beside a bar, and how far down: its ends, then round ones, then any that still have room."""
    ticks: dict[int, float] = {}
    for count in [1, most, *(digit * power for power in (1, 10, 100) for digit in (2, 5, 10)), *range(3, most)]:
        down = length * (1 - float(_height(count, most)))
        if count <= most and all(abs(down - other) >= TICK for other in ticks.values()):
            ticks[count] = down
    return ticks


def outlines(panel: Primitive, places: Iterable[tuple[int, int]]) -> list[Primitive]:
    """A frame inside each of a panel's cells ``(row, col)``; cells too small for a frame are filled."""
    (x, y, width, height), (rows, cols) = panel["box"], panel["shape"]
    across, down = width / cols, height / rows
    if min(across, down) < FINEST_GRID:
        return [rectangle((x + col * across, y + row * down, across, down), fill="now") for row, col in places]
    inset = 2
    return [
        rectangle(
            (x + col * across + inset, y + row * down + inset, across - 2 * inset, down - 2 * inset),
            stroke="now",
            halo=True,
            width=2,
        )
        for row, col in places
    ]


def tag(panel: Primitive, place: tuple[int, int], words: str) -> Primitive:
    """Words beside one cell of a panel, on the side that has more room."""
    (x, y, width, height), (rows, cols) = panel["box"], panel["shape"]
    row, col = place
    middle = min(max(y + (row + 0.5) * height / rows, y + 12), y + height - 12)
    if col < cols / 2:
        return text((x + (col + 1) * width / cols + 8, middle), words, plate=True)
    return text((x + col * width / cols - 8, middle), words, align="right", plate=True)
