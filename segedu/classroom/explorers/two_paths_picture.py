"""How the two paths explorer looks: the picture through both paths into the prediction, its errors, and its scores."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from segedu.classroom.colours import GREEN, NOW
from segedu.classroom.explorers.heat import CIVIDIS, outlines, tag
from segedu.classroom.explorers.labelled import Fit, Labelled, cell_at, rgb_pictures, share, thinned
from segedu.classroom.explorers.scene import (
    FONT_SIZE,
    Box,
    Point,
    Primitive,
    Scene,
    cells,
    gradient,
    line,
    picture,
    rectangle,
    ring,
    text,
)
from segedu.classroom.explorers.score_bars import key
from segedu.classroom.explorers.two_paths_scores import SHORTEST, score_column

if TYPE_CHECKING:
    from segedu.classroom.explorers.two_paths import Passage

WIDTH, EDGE, GAP, TITLE, LINE = 840, 2, 28, 28, 24  # CSS pixels
PANEL, TALLEST = 188, 160  # the width of a panel, and its height at most
LETTER = 0.62 * FONT_SIZE  # the width of a letter, a little generous
HEAT = gradient(*CIVIDIS)
Ways = tuple[list[Point], list[Point]]  # into a path and out of it
PATHS = ("spatial", "context")
RIGHT, WORSE, BETTER, WRONG, VOID = range(5)
OUTCOMES = ("right", "newly wrong", "newly right", "wrong as before", "void")
INKS = {WORSE: NOW, BETTER: GREEN, WRONG: "#9e9e9e", VOID: "#4a4a4a"}
OUTCOME_COLOURS = np.array([(0, 0, 0, 0), *((*bytes.fromhex(ink[1:]), 255) for ink in INKS.values())], np.uint8)


class TwoPathsPicture:
    """Draws a `Passage`: the image, both paths and the prediction, as they follow; truth and errors below, bars beside.

    A vermilion frame is around what is not as trained, and a path that is off has pale arrows.
    """

    def __init__(self, given: Labelled) -> None:
        self._labels, self.legend, self._size, self._palette = given.labels, given.legend, given.size, given.colours
        self._normalisation = given.normalisation
        self._panel, _, self._step = Fit.into(given.size, PANEL, TALLEST)

    def scene(self, shown: Passage) -> Scene:
        """Two rows of three panels, a column of bars, and what the colours mean."""
        below = max(self._top(1) + self._panel[1], TITLE + SHORTEST) + 6
        names = [*self._class_names(below + 1.5 * LINE)]
        items = [
            *self._arrows(shown),
            *self._given(shown),
            *self._paths(shown),
            *self._predicted(shown),
            *score_column(shown, (self._left(3), self._top(0)), self._top(1) + self._panel[1] - self._top(0)),
            *self._heat_scale(below + LINE / 2),
            *self._outcome_names(below + LINE / 2),
            *names,
        ]
        last = names[-1]["at"][1] if names else below + LINE / 2
        return Scene(WIDTH, round(last + LINE / 2), items)

    def _given(self, shown: Passage) -> Iterator[Primitive]:
        """The image at the size that the model reads, and the truth."""
        rgb = rgb_pictures(shown.seen[None], *self._normalisation, self._step)[0]
        height, width = shown.seen.shape[1:]
        scaled = (height, width) != self._size
        title = f"image {shown.image}" + (f", {height} × {width}" if scaled else "")
        yield from self._titled(0, 0, title, picture(self._box(0, 0), rgb, panel="image"), now=scaled)
        yield from self._labelled(1, 0, "truth", self._labels[shown.image])

    def _paths(self, shown: Passage) -> Iterator[Primitive]:
        """How active each path is where, as bright as the brightest place of the same path as trained."""
        setting = shown.setting
        maps = zip(PATHS, (setting.spatial, setting.context), shown.active, shown.loudest, strict=True)
        for row, (name, on, active, loudest) in enumerate(maps):
            shades = ((len(HEAT) - 1) * (active / (loudest or 1)).clamp(0, 1)).round()
            heat = cells(self._box(row, 1), thinned(shades, self._step), HEAT, panel=name)
            changed = setting.within_context != shown.trained.within_context if row else not on
            yield from self._titled(row, 1, f"{name} path" + ("" if on else ": off"), heat, now=changed)

    def _predicted(self, shown: Passage) -> Iterator[Primitive]:
        yield from self._labelled(0, 2, "prediction", shown.prediction)
        outcomes = self.outcomes(shown)
        valid = int((outcomes != VOID).sum())
        wrong = int(((outcomes == WORSE) | (outcomes == WRONG)).sum())
        grid = cells(self._box(1, 2), thinned(outcomes, self._step), OUTCOME_COLOURS, panel="errors")
        yield from self._titled(1, 2, f"errors: {share(wrong / valid if valid else math.nan)}", grid)

    def _arrows(self, shown: Passage) -> Iterator[Primitive]:
        """From the image into both paths, and from these into the prediction; what is on lies over what is off."""
        width, height = self._panel
        above, under = (self._top(row) + height / 2 for row in range(2))
        image, paths, prediction = (self._left(column) for column in range(3))
        fork, join = image + (width + PANEL + GAP) / 2, paths + (width + PANEL + GAP) / 2
        spatial: Ways = [(image + width, above), (paths, above)], [(paths + width, above), (prediction, above)]
        context: Ways = (
            [(image + width, above), (fork, above), (fork, under), (paths, under)],
            [(paths + width, under), (join, under), (join, above), (prediction, above)],
        )
        setting = shown.setting
        for on, ways in sorted([(setting.spatial, spatial), (setting.context, context)], key=operator.itemgetter(0)):
            for way in ways:
                yield from _arrow(way, "text" if on else "border")

    def _heat_scale(self, middle: float) -> Iterator[Primitive]:
        bar = (self._left(0) + 96, middle - 6, 120, 12)
        yield text((EDGE, middle), "activation 0")
        yield cells(bar, np.arange(len(HEAT), dtype=np.uint8)[None], HEAT)
        yield rectangle(bar, stroke="border")
        yield text((bar[0] + bar[2] + 8, middle), "largest as trained")

    def _outcome_names(self, middle: float) -> Iterator[Primitive]:
        for outcome, x in ((WORSE, 0), (BETTER, 124), (WRONG, 246)):
            yield from key((self._left(2) + x, middle), OUTCOMES[outcome], INKS[outcome])

    def _class_names(self, middle: float) -> Iterator[Primitive]:
        """The classes in the truth of any image, in as many lines as they need."""
        x, y = float(EDGE), middle
        for label in np.intersect1d(self._labels, range(len(self.legend.classes))).tolist():
            name, colour = self.legend.classes[label], "#" + bytes(self._palette[label, :3]).hex()
            width = 32 + LETTER * len(name)
            if x + width > WIDTH:
                x, y = float(EDGE), y + LINE
            yield from key((x, y), name, colour)
            x += width

    def marks(self, shown: Passage, scene: Scene, place: Point) -> list[Primitive]:
        """The same place in every panel, with what stands there."""
        row, col = self.pixel(place)
        tags = {
            "truth": self.legend.name(int(self._labels[shown.image, row, col])),
            "prediction": self.legend.name(int(shown.prediction[row, col])),
            "errors": OUTCOMES[int(self.outcomes(shown)[row, col])],
        }
        tags |= {name: f"{value:.2f}" for name, value in zip(PATHS, self.activity(shown, place), strict=True)}
        panels = [item for item in scene.items if item.get("panel")]
        return [mark for item in panels for mark in _mark(item, place, tags.get(item["panel"]))]

    def pixel(self, place: Point) -> tuple[int, int]:
        """The pixel of the image at a place given as fractions down and right."""
        return cell_at(place, self._size)

    def activity(self, shown: Passage, place: Point) -> list[float]:
        """How active either path is at a place."""
        return [float(active[cell_at(place, active.shape)]) for active in shown.active]

    def outcomes(self, shown: Passage) -> Tensor:
        """What has become of every pixel, against the prediction as trained: ``(H, W)`` of `OUTCOMES`."""
        truth = self._labels[shown.image]
        now, before = shown.prediction == truth, shown.prediction_as_trained == truth
        outcomes = torch.where(now, torch.where(before, RIGHT, BETTER), torch.where(before, WORSE, WRONG))
        return outcomes.masked_fill(truth == self.legend.ignore_index, VOID)

    def _left(self, column: int) -> int:
        return EDGE + column * (PANEL + GAP)

    def _top(self, row: int) -> int:
        return TITLE + row * (self._panel[1] + TITLE + 8)

    def _box(self, row: int, column: int) -> Box:
        return (self._left(column), self._top(row), *self._panel)

    def _titled(self, row: int, column: int, title: str, grid: Primitive, *, now: bool = False) -> list[Primitive]:
        x, y, width, height = box = self._box(row, column)
        around = (x - 1, y - 1, width + 2, height + 2)  # a thick frame leaves the cells at the edge to be seen
        frame = rectangle(around, stroke="now", width=2) if now else rectangle(box, stroke="border")
        return [text((x, y - TITLE / 2 + 1), title), grid, frame]

    def _labelled(self, row: int, column: int, title: str, labels: Tensor) -> list[Primitive]:
        """A label map in the colours of the classes, under its name; void is black."""
        shown = thinned(self.legend.places(labels), self._step)
        return self._titled(row, column, title, cells(self._box(row, column), shown, self._palette, panel=title))


def _arrow(way: Sequence[Point], stroke: str) -> Iterator[Primitive]:
    """A line with a head that ends a little before its last point."""
    *before, (x, y) = way
    yield line([*before, (x - 3, y)], stroke=stroke)
    yield line([(x - 9, y - 5), (x - 3, y), (x - 9, y + 5)], stroke=stroke)


def _mark(panel: Primitive, place: Point, words: str | None) -> Iterator[Primitive]:
    """One place in one panel: the cell of a path's map, a ring elsewhere, and a tag where there is something to say."""
    (x, y, width, height), shape = panel["box"], panel["shape"]
    at = cell_at(place, shape)
    if panel["panel"] in PATHS:
        yield from outlines(panel, [at])
    else:
        yield ring((x + place[1] * width, y + place[0] * height))
    if words is not None:
        yield tag(panel, at, words)
