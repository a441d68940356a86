"""How the loss landscape looks: curves of single pixels beside those of the whole object, a table, and the scene."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from segedu.classroom.colours import AMBER, GREEN, PINK, REST
from segedu.classroom.explorers.heat import CIVIDIS, grid_lines, outlines
from segedu.classroom.explorers.loss_landscape_curves import GRID, PIXELS, Curve, Landscape, Values
from segedu.classroom.explorers.plot import Axes
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

WIDTH, HEIGHT, TITLE = 840, 448, 28  # CSS pixels
SIDE, TALL = 226, 268  # of a plot
PLOTS = {"pixel": 50, "object": 334}  # where they begin
TABLE, VALUE, PULL = 588, 768, 838  # where the table begins, and where its numbers end
ROW = 26  # from one line of the table to the next
STRIP = (50, 386, 510, 60)  # the scene, in rows of 4 by 25
ROWS, COLS = 4, 25
LINES = ((REST, 5.0), (PINK, 3.0), (GREEN, 2.0), (AMBER, 2.0))
"""Colour and width of each curve of a plot: where two coincide, both can be seen."""

TITLES = {"pixel": "one pixel of the object", "object": "the object as a whole"}
SCALES: dict[tuple[str, bool], tuple[tuple[float, ...], Sequence[str]]] = {
    ("pixel", False): ((0, 1, 2, 3, 4, 5), "012345"),
    ("object", False): ((0, 0.25, 0.5, 0.75, 1), ("0", "0.25", "0.5", "0.75", "1")),
    ("pixel", True): ((0.001, 0.01, 0.1, 1, 10, 100), ("0.001", "0.01", "0.1", "1", "10", "100")),
    ("object", True): ((0.001, 0.01, 0.1, 1, 10, 100), ("0.001", "0.01", "0.1", "1", "10", "100")),
}
"""Ticks of the values and of the pulls; those of the pulls are alike, so that both plots can be compared."""

SHADES = gradient(*CIVIDIS)
NOTHING = np.zeros((1, 4), np.uint8)


def scene(result: Landscape) -> Scene:
    """Everything but what is pointed at."""
    items: list[Primitive] = []
    for plot, curves in result.curves.items():
        items += _plot(result, plot, curves)
    return Scene(WIDTH, HEIGHT, [*items, *_table(result), *_strip(result), *_legend()])


def marks(result: Landscape, shown: Scene, panel: str, place: tuple[int, int]) -> list[Primitive]:
    """A line through both plots at the probability pointed at, or a frame around a pixel of the scene."""
    if panel == "scene":
        return outlines(next(item for item in shown.items if item.get("panel") == panel), [place])
    across = float(GRID[place[1]])
    return [_upright(_axes(result, plot), across, "text") for plot in PLOTS]


def _plot(result: Landscape, plot: str, curves: dict[str, Curve]) -> Iterator[Primitive]:
    """A plot with its curves, and where they are now."""
    axes = _axes(result, plot)
    left, top, width, height = axes.box
    yield text((left, TITLE / 2), TITLES[plot])
    yield from axes.frame(SCALES[plot, result.pulls][1], "p, given to the object")
    for curve, (stroke, thick) in zip(curves.values(), LINES, strict=False):
        yield from axes.curve(GRID, _shown(result, curve), stroke=stroke, width=thick)
    yield _upright(axes, result.setting.p, "now")
    for curve in curves.values():
        value = float(_shown(result, curve)[result.setting.place])
        if axes.holds(value):
            yield ring(axes.at(result.setting.p, value), 3, width=3)
    margin = width / (2 * (len(GRID) + 1))  # with it each probability stands in the middle of its own column
    columns = (left + margin, top, width - 2 * margin, height)
    yield cells(columns, np.zeros((1, len(GRID)), np.uint8), NOTHING, panel=plot)


def _axes(result: Landscape, plot: str) -> Axes:
    return Axes((PLOTS[plot], TITLE, SIDE, TALL), SCALES[plot, result.pulls][0], result.pulls)


def _shown(result: Landscape, curve: Curve) -> Values:
    return curve.pull if result.pulls else curve.value


def _upright(axes: Axes, across: float, stroke: str) -> Primitive:
    left, top, width, height = axes.box
    x = left + width * across
    return line([(x, top), (x, top + height)], stroke=stroke, width=2 if stroke == "now" else 1)


def _table(result: Landscape) -> Iterator[Primitive]:
    """Value and pull of every loss now, after a piece of its curve."""
    y = TITLE / 2
    yield rectangle((TABLE, y - 7, 14, 14), fill="now")
    yield text((TABLE + 20, y), "now")
    yield text((VALUE, y), "loss", align="right", fill="muted" if result.pulls else "text")
    yield text((PULL, y), "pull", align="right", fill="text" if result.pulls else "muted")
    y = TITLE + ROW / 2
    for plot, curves in result.curves.items():
        yield text((TABLE, y), TITLES[plot], fill="muted")
        y += ROW
        for (name, curve), (stroke, thick) in zip(curves.items(), LINES, strict=False):
            yield line([(TABLE, y), (TABLE + 18, y)], stroke=stroke, width=thick)
            yield text((TABLE + 26, y), name)
            for right, values in ((VALUE, curve.value), (PULL, curve.pull)):
                yield text((right, y), figure(values[result.setting.place]), align="right")
            y += ROW
        y += ROW / 2


def figure(value: float) -> str:
    """Three figures, of which at most three stand after the point: ``12.5``, ``0.125``, ``0.000``."""
    places = next(places for places, least in ((0, 99.95), (1, 9.995), (2, 0.9995), (3, -np.inf)) if value >= least)
    return f"{value:.{places}f}"


def _strip(result: Landscape) -> Iterator[Primitive]:
    """The pixels of the scene, shaded by the probability of object that each of them is given."""
    setting = result.setting
    x, y, *_ = STRIP
    yield text((x, y - 14), f"the scene: {PIXELS} pixels, those inside the line are the object")
    given = np.where(is_object(setting.objects), setting.p, setting.false_alarm)
    yield cells(STRIP, _shades(given), SHADES, panel="scene")
    yield from grid_lines(STRIP, ROWS, COLS)
    outline = _outline(setting.objects)
    yield line(outline, stroke="#ffffff", width=5)
    yield line(outline, stroke="now", width=3)


def _outline(objects: int) -> list[Point]:
    """Around the object: whole columns of the strip, and what is over at the top of the next."""
    x, y, width, height = STRIP
    whole, rest = divmod(objects, ROWS)
    edge, foot = x + width / COLS * whole, y + height / ROWS * rest
    tip, bottom = edge + width / COLS * bool(rest), y + height if whole else foot
    return [(x, y), (tip, y), (tip, foot), (edge, foot), (edge, bottom), (x, bottom), (x, y)]


def is_object(objects: int) -> npt.NDArray[np.bool_]:
    """Which pixels of the strip are object, ``(4, 25)``: column after column from the left."""
    return (np.arange(PIXELS) < objects).reshape(COLS, ROWS).T


def _shades(given: Values) -> Bytes:
    return np.asarray(np.rint(given * (len(SHADES) - 1)), np.uint8)


def _legend() -> Iterator[Primitive]:
    """What the shades of the strip mean, and what a pull is."""
    _, y, _, height = STRIP
    bar: Box = (TABLE + 14, y + height - 16, 120, 14)
    explained = (
        "pull: minus the gradient by the",
        "logit of one object pixel; of the",
        "whole object's losses, times 100",
    )
    for row, words in enumerate(explained):
        yield text((TABLE, 314 + 21 * row), words, fill="muted")
    yield text((TABLE, bar[1] - 15), "probability of object")
    yield cells(bar, np.arange(len(SHADES), dtype=np.uint8)[None], SHADES)
    yield rectangle(bar, stroke="border")
    yield text((bar[0] - 6, bar[1] + 7), "0", align="right")
    yield text((bar[0] + bar[2] + 6, bar[1] + 7), "1")
