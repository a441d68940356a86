"""How the pixels explorer looks: picture, labels and labels on cells in a row; errors and scores below them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch

from segedu.classroom.explorers.heat import tag
from segedu.classroom.explorers.labelled import Fit, Labelled, cell_at, share, thinned
from segedu.classroom.explorers.scene import (
    FONT_SIZE,
    Box,
    Bytes,
    Point,
    Primitive,
    Scene,
    cells,
    picture,
    rectangle,
    ring,
    text,
)
from segedu.classroom.explorers.score_bars import key

if TYPE_CHECKING:
    from segedu.classroom.explorers.pixels import Reduced

WIDTH, EDGE, GAP, TITLE, LINE = 840, 2, 18, 28, 24  # CSS pixels
PANEL, TALLEST = (WIDTH - 2 * EDGE - 2 * GAP) // 3, 210  # the width of a panel, and its height at most
LETTER = 0.62 * FONT_SIZE  # the width of a letter, a little generous
BAR, LONGEST = 14, 400  # the height of a bar, and its length at 100 %
PALE = 56  # of 255, how much is left of the classes that do not stand out
VERDICTS = np.array([(0, 0, 0, 0), (213, 94, 0, 255), (74, 74, 74, 255)], np.uint8)  # right, wrong, void
SMALLEST_FRAME = 8  # a smaller cell is marked by a ring


class PixelsPicture:
    """Draws a `Reduced` of the images it is made with. A class that stands out leaves the others pale."""

    def __init__(self, given: Labelled) -> None:
        self.legend, self._size, self._palette = given.legend, given.size, given.colours
        self._panel, self._scale, self._step = Fit.into(given.size, PANEL, TALLEST)
        self._rgb = given.rgb(self._step)

    def scene(self, shown: Reduced) -> Scene:
        """Two rows: three maps, then errors and scores; below them what the colours mean."""
        below = self._box(1, 0)[1] + self._panel[1] + 6
        names = [*self._class_names(below + LINE / 2)]
        return Scene(
            WIDTH,
            round(names[-1]["at"][1] + LINE / 2),
            [*self._maps(shown), *self._errors(shown), *self._scores(shown), *names],
        )

    def _maps(self, shown: Reduced) -> Iterator[Primitive]:
        colours = self._colours(shown)
        rgb = picture(self._box(0, 0), self._rgb[shown.image], panel="picture")
        yield from self._titled(0, 0, f"picture {shown.image}", rgb)
        for column, name, title, labels in (
            (1, "labels", "its label map", shown.truth),
            (2, "cells", f"on cells of {shown.cell} × {shown.cell}", shown.coarse),
        ):
            places = thinned(self.legend.places(labels), self._step)
            yield from self._titled(0, column, title, cells(self._box(0, column), places, colours, panel=name))

    def _colours(self, shown: Reduced) -> Bytes:
        """The palette, with all but the class that stands out made pale."""
        colours = self._palette.copy()
        if shown.shown is not None:
            colours[:, 3] = PALE
            colours[shown.shown, 3] = 255
        return colours

    def _errors(self, shown: Reduced) -> Iterator[Primitive]:
        void = shown.truth == self.legend.ignore_index
        verdicts = torch.where(void, 2, (shown.coarse != shown.truth).long())
        grid = cells(self._box(1, 0), thinned(verdicts, self._step), VERDICTS, panel="errors")
        yield from self._titled(1, 0, "wrong: vermilion, void: grey", grid)

    def _scores(self, shown: Reduced) -> Iterator[Primitive]:
        """A bar for each score, under its name and what it asks."""
        scores = [
            ("accuracy", "how many pixels have the right name?", shown.accuracy),
            ("mean IoU", "how far do regions overlap, mean over classes?", shown.mean_iou),
            ("boundary F1", "how many edges are in their place?", shown.boundary_f1),
        ]
        if shown.shown is not None:
            name = self.legend.classes[shown.shown]
            scores.append((f"IoU of {name}", "how far does this class overlap?", float(shown.iou[shown.shown])))
        x, top = self._box(1, 1)[:2]
        pitch = self._panel[1] / len(scores)
        for place, (name, question, value) in enumerate(scores):
            first = top + place * pitch + (pitch - LINE - BAR) / 2
            yield text((x, first + LINE / 2 - 2), name)
            yield text((x + LETTER * len(name) + 10, first + LINE / 2 - 2), question, fill="muted")
            length = LONGEST * (0 if math.isnan(value) else value)
            yield rectangle((x, first + LINE, LONGEST, BAR), stroke="border")
            yield rectangle((x, first + LINE, length, BAR), fill="now" if place == 3 else "rest")
            yield text((x + LONGEST + 10, first + LINE + BAR / 2), share(value))

    def _class_names(self, middle: float) -> Iterator[Primitive]:
        """Number, name and colour of every class, in as many lines as they need, void at the end."""
        x, y = float(EDGE), middle
        for label, colour in zip(
            [*range(len(self.legend.classes)), self.legend.ignore_index], self._palette, strict=True
        ):
            name = f"{label} {self.legend.name(label)}"
            width = 32 + LETTER * len(name)
            if x + width > WIDTH:
                x, y = float(EDGE), y + LINE
            yield from key((x, y), name, "#" + bytes(colour[:3]).hex())
            x += width

    def marks(self, shown: Reduced, scene: Scene, place: Point) -> list[Primitive]:
        """One pixel in every panel, with its name; on the label maps the whole cell that it lies in."""
        row, col = self.pixel(place)
        labels = {"labels": int(shown.truth[row, col]), "cells": int(shown.coarse[row, col])}
        panels = [item for item in scene.items if item.get("panel")]
        return [mark for item in panels for mark in self._mark(shown, item, place, labels.get(item["panel"]))]

    def pixel(self, place: Point) -> tuple[int, int]:
        """The pixel of the image at a place given as fractions down and right."""
        return cell_at(place, self._size)

    def _mark(self, shown: Reduced, panel: Primitive, place: Point, label: int | None) -> Iterator[Primitive]:
        x, y, width, height = panel["box"]
        if label is None or shown.cell * self._scale < SMALLEST_FRAME:
            yield ring((x + place[1] * width, y + place[0] * height))
        else:
            yield self._frame(shown.cell, self.pixel(place), panel["box"])
        if label is not None:
            yield tag(panel, cell_at(place, panel["shape"]), f"{label} {self.legend.name(label)}")

    def _frame(self, cell: int, pixel: tuple[int, int], box: Box) -> Primitive:
        """A frame around the cell that holds a pixel, as far as the picture goes."""
        across, down = box[2] / self._size[1], box[3] / self._size[0]
        top, left = (start // cell * cell for start in pixel)
        height, width = min(cell, self._size[0] - top), min(cell, self._size[1] - left)
        around = (box[0] + left * across, box[1] + top * down, width * across, height * down)
        return rectangle(around, stroke="now", halo=True, width=2)

    def _box(self, row: int, column: int) -> Box:
        width, height = self._panel
        return (EDGE + column * (PANEL + GAP), TITLE + row * (height + TITLE + 8), width, height)

    def _titled(self, row: int, column: int, title: str, grid: Primitive) -> list[Primitive]:
        x, y, _, _ = box = self._box(row, column)
        return [text((x, y - TITLE / 2 + 1), title), grid, rectangle(box, stroke="border")]
