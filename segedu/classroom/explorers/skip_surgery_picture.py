"""How the skip surgery explorer looks: what is predicted, over what a skip carries, is worth, and the scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from segedu.classroom.colours import NOW, REST
from segedu.classroom.explorers.heat import CIVIDIS, FINEST_GRID, outlines, tag
from segedu.classroom.explorers.labelled import Fit, Labelled, cell_at, signed_number, thinned
from segedu.classroom.explorers.scene import (
    SIGNED,
    Box,
    Bytes,
    Point,
    Primitive,
    Scene,
    cells,
    gradient,
    picture,
    rectangle,
    ring,
    signed,
    text,
)
from segedu.classroom.explorers.score_bars import LEAST, counts, key, score_bars, shares

if TYPE_CHECKING:
    from segedu.classroom.explorers.skip_surgery import Operation

WIDTH, GAP, TITLE, LINE = 840, 16, 28, 26  # CSS pixels
COLUMNS, EDGE = 5, 2
SIDE = (WIDTH - 2 * EDGE - (COLUMNS - 1) * GAP) // COLUMNS  # of a panel
HEAT = gradient(*CIVIDIS)
RIGHT, FOUND, FALSE, MISSED, VOID = range(5)
VERDICTS = np.array(
    [
        (0, 0, 0, 0),
        (158, 158, 158, 255),
        *[(*bytes.fromhex(colour[1:]), 255) for colour in (NOW, REST)],
        (90, 90, 90, 255),
    ],
    np.uint8,
)
SAID = ("right", "found", "false", "missed", "void")


class SkipSurgeryPicture:
    """Draws an `Operation` on the images it is made with."""

    def __init__(self, given: Labelled, label: int) -> None:
        self._labels, self.legend, self._size, self._palette = given.labels, given.legend, given.size, given.colours
        self._label = label
        self._panel, _, step = Fit.into(given.size, SIDE, SIDE)
        self._rgb = given.rgb(step)
        self._height = max(self._panel[1], LEAST)  # of the second row, where the scores stand

    def scene(self, shown: Operation) -> Scene:
        """``image, truth, prediction, errors, as trained`` over ``skip, from below, worth, scores``."""
        below = 2 * TITLE + self._panel[1] + GAP / 2 + self._height + 6
        items = [
            *self._prediction_row(shown),
            *self._skip_row(shown),
            *self._scores(shown),
            *self._heat_scales(shown, below),
            *self._worth_scale(shown, below),
            *self._legend(below),
        ]
        return Scene(WIDTH, round(below) + LINE, items)

    def _prediction_row(self, shown: Operation) -> Iterator[Primitive]:
        truth = self._labels[shown.image]
        yield from self._titled(
            0, 0, f"image {shown.image}", picture(self._box(0, 0), self._rgb[shown.image], panel="image")
        )
        yield from self._labelled(1, "truth", "truth", truth)
        yield from self._labelled(2, "prediction", "prediction", shown.prediction)
        errors = cells(self._box(0, 3), _thin(self._verdicts(shown.prediction, truth)), VERDICTS, panel="errors")
        yield from self._titled(0, 3, "errors", errors)
        if not shown.swapped:
            former = _thin(self._verdicts(shown.prediction_as_trained, truth))
            trained = cells(self._box(0, 4), former, VERDICTS, panel="beside")
            yield from self._titled(0, 4, "errors as trained", trained)
        else:
            yield from self._labelled(4, "beside", f"truth of image {shown.donor}", self._labels[shown.donor])

    def _skip_row(self, shown: Operation) -> Iterator[Primitive]:
        """The two maps that meet at one level, and what the skip adds to the margin."""
        name, weight = f"skip {shown.skip + 1}", shown.weights[shown.skip]
        changed = weight != 1 or shown.swapped
        titles = (f"{name} × {weight:.1f}", "from below")
        for column, (title, panel, active) in enumerate(zip(titles, ("skip", "below"), shown.read, strict=True)):
            brightness = (active / (shown.loudest[column] or 1)).clamp(0, 1)
            shades = ((len(HEAT) - 1) * brightness).round()
            heat = cells(self._box(1, column), _thin(shades), HEAT, panel=panel)
            yield from self._titled(1, column, title, heat, now=changed and not column)
        worth = torch.from_numpy(signed(shown.worth[shown.skip].numpy(), shown.most))
        heat = cells(self._box(1, 2), _thin(worth), SIGNED, panel="worth")
        yield from self._titled(1, 2, f"worth of {name}", heat)

    def _scores(self, shown: Operation) -> Iterator[Primitive]:
        now, trained, of = shown.quality, shown.as_trained, f"of {self.legend.classes[self._label]}"
        pairs = (
            shares("IoU", of, now.iou, trained.iou),
            shares("boundary F1", of, now.boundary_f1, trained.boundary_f1),
            counts("objects", now.counted, trained.counted, now.true),
        )
        x, y, *_ = self._box(1, 3)
        return score_bars((x, y - TITLE), TITLE, self._height, pairs)

    def _heat_scales(self, shown: Operation, top: float) -> Iterator[Primitive]:
        for column, loudest in enumerate(shown.loudest):
            left, middle = self._left(column), top + LINE / 2
            bar = (left + 16, middle - 6, SIDE - 56, 12)
            yield text((left, middle), "0")
            yield cells(bar, np.arange(len(HEAT), dtype=np.uint8)[None], HEAT)
            yield rectangle(bar, stroke="border")
            yield text((left + SIDE - 36, middle), f"{loudest:.2g}")

    def _worth_scale(self, shown: Operation, top: float) -> list[Primitive]:
        left, middle = self._left(2), top + LINE / 2
        edge = f"{shown.most:.2g}"
        bar = (left + 36, middle - 6, SIDE - 72, 12)
        return [
            text((bar[0] - 4, middle), f"−{edge}", align="right"),
            cells(bar, np.arange(len(SIGNED), dtype=np.uint8)[None], SIGNED),
            rectangle(bar, stroke="border"),
            text((bar[0] + bar[2] + 4, middle), f"+{edge}"),
        ]

    def _legend(self, top: float) -> Iterator[Primitive]:
        """What the colours of the errors mean."""
        name = self.legend.classes[self._label]
        for place, (verdict, said) in enumerate(((FOUND, f"{name} found"), (FALSE, "false"), (MISSED, "missed"))):
            colour = "#" + bytes(VERDICTS[verdict, :3]).hex()
            yield from key((self._left(3) + (0, 150, 230)[place], top + LINE / 2), said, colour)

    def marks(self, shown: Operation, scene: Scene, place: Point) -> list[Primitive]:
        """The same place in every panel, with what stands there."""
        row, col = self.pixel(place)
        truth = self._labels[shown.image]
        tags = {
            "truth": self.legend.name(int(truth[row, col])),
            "prediction": signed_number(shown.margin[row, col]),
            "errors": SAID[int(self._verdicts(shown.prediction, truth)[row, col])],
            "worth": signed_number(shown.worth[shown.skip, row, col]),
        }
        if not shown.swapped:
            tags["beside"] = SAID[int(self._verdicts(shown.prediction_as_trained, truth)[row, col])]
        else:
            tags["beside"] = self.legend.name(int(self._labels[shown.donor, row, col]))
        for panel, active in zip(("skip", "below"), shown.read, strict=True):
            tags[panel] = f"{float(active[cell_at(place, active.shape)]):.2f}"
        panels = [item for item in scene.items if item.get("panel")]
        return [mark for item in panels for mark in _mark(item, place, tags.get(item["panel"]))]

    def pixel(self, place: Point) -> tuple[int, int]:
        """The pixel of the image at a place given as fractions down and right."""
        return cell_at(place, self._size)

    def _verdicts(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Of the class that is looked at: what is found, false and missed."""
        called, true = prediction == self._label, truth == self._label
        verdicts = torch.where(called, torch.where(true, FOUND, FALSE), torch.where(true, MISSED, RIGHT))
        return verdicts.masked_fill(truth == self.legend.ignore_index, VOID)

    def _left(self, column: int) -> int:
        return EDGE + column * (SIDE + GAP)

    def _box(self, row: int, column: int) -> Box:
        width, height = self._panel
        return (self._left(column), TITLE + row * (TITLE + height + GAP // 2), width, height)

    def _titled(self, row: int, column: int, title: str, grid: Primitive, *, now: bool = False) -> list[Primitive]:
        box = self._box(row, column)
        x, y, width, height = box
        around = (x - 1, y - 1, width + 2, height + 2)  # a thick frame leaves the cells at the edge to be seen
        frame = rectangle(around, stroke="now", width=2) if now else rectangle(box, stroke="border")
        return [text((box[0], box[1] - TITLE / 2 + 1), title), grid, frame]

    def _labelled(self, column: int, panel: str, title: str, labels: Tensor) -> list[Primitive]:
        """A label map in the colours of the classes; void is black."""
        shown = _thin(self.legend.places(labels))
        return self._titled(0, column, title, cells(self._box(0, column), shown, self._palette, panel=panel))


def _thin(values: Tensor) -> Bytes:
    """A map as bytes, with no more cells than there are pixels to show them."""
    return thinned(values, Fit.into(values.shape, SIDE, SIDE).step)


def _mark(panel: Primitive, place: Point, words: str | None) -> Iterator[Primitive]:
    """One place in one panel: the cell of a coarse grid, a ring on a fine one, and a tag where there is room."""
    (x, y, width, height), (rows, cols) = panel["box"], panel["shape"]
    at = cell_at(place, (rows, cols))
    if min(width / cols, height / rows) < FINEST_GRID:
        yield ring((x + place[1] * width, y + place[0] * height))
    else:
        yield from outlines(panel, [at])
    if words is not None:
        yield tag(panel, at, words)
