"""How the ASPP explorer looks: one cell's taps on the map and in its padding, each branch by itself, and all rates."""

from collections.abc import Iterator
from functools import cache

import numpy as np

from segedu.classroom.colours import AMBER, GREEN, NOW, PINK, REST
from segedu.classroom.explorers.aspp_heads import Pyramid
from segedu.classroom.explorers.heat import GRID, HEAT, grid_lines, heat
from segedu.classroom.explorers.scene import (
    Box,
    Bytes,
    Point,
    Primitive,
    Scene,
    cells,
    gradient,
    line,
    rectangle,
    ring,
    text,
)
from segedu.receptive_field.taps import ValidTaps, valid_taps

WIDTH, HEIGHT, TITLE = 840, 452, 28  # CSS pixels
LEFT, SIDE = 2, 348  # the map with its padding
KEYS = (395, 417, 439)  # the lines below it
BRANCHES, SMALL, STEP = 374, 90, 30  # where the branches begin, the side of each, and that of one of its weights
KERNELS = 145  # the top of the kernels
PLOTTED = 66  # the rates of the plot, from 1
PLOT: Box = (420, 296, 6.3 * PLOTTED, 110)  # the shares of all rates
TICKS = range(6, PLOTTED, 6)
TAP = (9, 13)  # the smallest and the largest side of a tap
COLOURS = (REST, GREEN, PINK, AMBER)
"""One for each rate; the 1x1 branch, which is every kernel's centre, is vermilion."""

MAP, INK = np.array([(250, 250, 250, 255)], np.uint8), "#212121"  # light in both themes, and what is written on it
USAGE = gradient((255, 255, 255), (126, 190, 226))
NOTHING = np.zeros((1, 4), np.uint8)
NUMBERS = (9, 6, 4, 2, 1)
"""How many taps of a 3x3 kernel can be on a square map."""
SHADES = heat(np.arange(NUMBERS[0] + 1), NUMBERS[0])


def scene(result: Pyramid) -> Scene:
    """Everything but the taps of one cell."""
    items = [*_map(result), *_keys(result)]
    for number, column in enumerate(_columns(result)):
        items += _branch(f"branch {number}", *column)
    items.append(
        text((BRANCHES, KERNELS + SMALL + 15), "effective kernel: cells that use each weight, %", fill="muted")
    )
    return Scene(WIDTH, HEIGHT, [*items, *_legend(), *_plot(result)])


def marks(result: Pyramid, place: tuple[int, int], rate: int | None) -> list[Primitive]:
    """The taps of one cell, where it is in every branch and which weights it uses, and a rate in the plot if any."""
    row, col = place
    marked = [*_taps(result, place)]
    for left, _, branch in _columns(result):
        step = SMALL / result.size
        down, right = branch.block(row, col)
        x, y = _kernel_corner(left, branch)
        span = (STEP * (right.stop - right.start), STEP * (down.stop - down.start))
        marked += [
            ring((left + (col + 0.5) * step, TITLE + (row + 0.5) * step), 4),
            rectangle((x + STEP * right.start, y + STEP * down.start, *span), stroke="now", width=2),
        ]
    if rate is not None:
        x, (_, top, _, height) = _across(rate), PLOT
        beside = x + 8 if rate < PLOTTED / 2 else x - 8
        marked.append(line([(x, top), (x, top + height)], stroke="now", width=2))
        marked.append(text((beside, top + 14), f"rate {rate}", align="left" if beside > x else "right", plate=True))
    return marked


def _columns(result: Pyramid) -> Iterator[tuple[float, str, ValidTaps]]:
    """Where each branch is drawn, in what colour."""
    pointwise = [NOW] * (len(result.branches) - len(result.rates))
    pitch = (WIDTH - 2 - BRANCHES - SMALL) / max(1, len(result.branches) - 1)
    for column, (colour, branch) in enumerate(zip((*pointwise, *COLOURS), result.branches, strict=False)):
        yield BRANCHES + pitch * column, colour, branch


def _map(result: Pyramid) -> list[Primitive]:
    """The map in the middle of the padding that the widest kernel needs."""
    corner, step = _geometry(result)
    box = (*corner, step * result.size, step * result.size)
    return [
        text((LEFT, TITLE / 2), f"map {result.size} × {result.size} in padding of {max(result.rates)}"),
        text((LEFT + SIDE, TITLE / 2), "point at a cell", fill="muted", align="right"),
        rectangle((LEFT, TITLE, SIDE, SIDE), fill=GRID, stroke="border"),
        cells(box, np.zeros((result.size, result.size), np.uint8), MAP, panel="map"),
        *grid_lines(box, result.size, result.size),
        rectangle(box, stroke=INK, width=2),
    ]


def _geometry(result: Pyramid) -> tuple[Point, float]:
    """Where the map begins, and the side of a cell."""
    step = SIDE / (result.size + 2 * max(result.rates))
    return (LEFT + max(result.rates) * step, TITLE + max(result.rates) * step), step


def _taps(result: Pyramid, place: tuple[int, int]) -> Iterator[Primitive]:
    """A frame around each kernel and a square for each tap, hollow off the map; the cell itself last, in vermilion."""
    (left, top), step = _geometry(result)
    x, y = left + (place[1] + 0.5) * step, top + (place[0] + 0.5) * step
    size = min(max(step, TAP[0]), TAP[1])
    for _, colour, branch in _columns(result):
        reach, spread = branch.padding * step, branch.rate * step
        yield rectangle((x - reach, y - reach, 2 * reach, 2 * reach), stroke=colour, width=1)
        down, right = branch.block(*place)
        for row, col in np.ndindex(branch.kernel, branch.kernel):
            at = (x + (col - branch.kernel // 2) * spread, y + (row - branch.kernel // 2) * spread)
            box = (at[0] - size / 2, at[1] - size / 2, size, size)
            if down.start <= row < down.stop and right.start <= col < right.stop:
                yield rectangle(box, fill=colour, stroke="#ffffff")
            else:
                yield rectangle(box, fill="#ffffff", stroke=colour, width=2)
    yield rectangle((x - size / 2, y - size / 2, size, size), fill="now", stroke="#ffffff")


def _keys(result: Pyramid) -> Iterator[Primitive]:
    """What the squares on the map mean, and what reads all of it."""
    left, inside = LEFT + 2, LEFT + 132
    yield rectangle((left, KEYS[0] - 6, 12, 12), fill="muted")
    yield text((left + 20, KEYS[0]), "on the map")
    yield rectangle((inside, KEYS[0] - 6, 12, 12), stroke="muted", width=2)
    yield text((inside + 20, KEYS[0]), "in the padding, a zero")
    yield rectangle((left, KEYS[1] - 6, 12, 12), fill="now")
    yield text((left + 20, KEYS[1]), "the cell: the centre of every kernel")
    if result.head == "v3":
        yield rectangle((left, KEYS[2] - 6, 12, 12), stroke="text", width=2)
        yield text((left + 20, KEYS[2]), "image pooling reads the whole map")
    else:
        yield text((left + 20, KEYS[2]), "v2 adds the branches; no image pooling")


def _branch(panel: str, left: float, colour: str, branch: ValidTaps) -> Iterator[Primitive]:
    """A branch by itself: its taps on the map at every cell, their mean, and how often each weight is among them."""
    box = (left, TITLE, SMALL, SMALL)
    yield rectangle((left, TITLE / 2 - 7, 14, 14), fill=colour, stroke="border")
    yield text((left + 20, TITLE / 2), "1 × 1" if branch.kernel == 1 else f"rate {branch.rate}")
    yield cells(box, SHADES[branch.counts], HEAT, panel=panel)
    yield rectangle(box, stroke="border")
    yield text((left + SMALL / 2, TITLE + SMALL + 14), f"mean {branch.mean:.2f}", align="center")
    x, y = _kernel_corner(left, branch)
    side = STEP * branch.kernel
    yield cells((x, y, side, side), np.rint(branch.usage * (len(USAGE) - 1)).astype(np.uint8), USAGE)
    yield from grid_lines((x, y, side, side), branch.kernel, branch.kernel)
    yield rectangle((x, y, side, side), stroke="border")
    for (row, col), used in np.ndenumerate(branch.usage):
        at = (x + STEP * (col + 0.5), y + STEP * (row + 0.5) + 1)
        yield text(at, _percent(float(used)), fill=INK, align="center")


def _kernel_corner(left: float, branch: ValidTaps) -> Point:
    """Where a branch's kernel begins: a 1x1 stands where the centre of a 3x3 would."""
    inset = (SMALL - STEP * branch.kernel) / 2
    return left + inset, KERNELS + inset


def _percent(share: float) -> str:
    return "<1" if 0 < share < 0.005 else f"{100 * share:.0f}"


def _legend() -> Iterator[Primitive]:
    """What the colours of the branches and of the plot mean."""
    y = 275
    yield text((BRANCHES, y), "cells by their taps on the map:")
    for place, number in enumerate(NUMBERS):
        red, green, blue, _ = HEAT[SHADES[number]]
        x = BRANCHES + 250 + 42 * place
        yield rectangle((x, y - 7, 14, 14), fill=f"#{red:02x}{green:02x}{blue:02x}", stroke="border")
        yield text((x + 20, y), f"{number}")


def _plot(result: Pyramid) -> Iterator[Primitive]:
    """The shares of cells by their taps on the map for every rate, with the branches' rates."""
    x, y, width, height = PLOT
    yield cells(PLOT, _spectrum(result.size), HEAT)
    yield rectangle(PLOT, stroke="border")
    yield cells(PLOT, np.zeros((1, PLOTTED), np.uint8), NOTHING, panel="rates")
    for share in (0, 50, 100):
        yield text((x - 6, y + height * (1 - share / 100)), f"{share}", align="right")
    yield text((BRANCHES, y + height / 4), "%", fill="muted")
    for rate in TICKS:
        yield text((_across(rate), y + height + 13), f"{rate}", align="center")
    yield text((x + width / 2, y + height + 33), "rate", align="center")
    for _, colour, branch in _columns(result):
        if branch.kernel > 1:
            ends = [(_across(branch.rate), y - 7), (_across(branch.rate), y + height)]
            yield line(ends, stroke="#ffffff", width=5)
            yield line(ends, stroke=colour, width=3)


def _across(rate: int) -> float:
    """Where a rate stands in the plot: in the middle of its column."""
    return PLOT[0] + PLOT[2] * (rate - 0.5) / PLOTTED


@cache
def _spectrum(size: int) -> Bytes:
    """Indices into `HEAT`, a column for each rate: cells with most taps at the foot, each as high as its share."""
    heights = (np.arange(int(PLOT[3]), 0, -1) - 0.5) / int(PLOT[3])
    columns = []
    for rate in range(1, PLOTTED + 1):
        shares = valid_taps(size, rate).shares
        below = np.array([*shares.values()]).cumsum()[:-1]
        columns.append(SHADES[[*shares]][below.searchsorted(heights)])
    return np.stack(columns, axis=1)
