"""How the fusion explorer looks: one row adds the score maps up, the other shows what the sum predicts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from segedu.classroom.explorers.labelled import Fit, Labelled, cell_at, signed_number, thinned
from segedu.classroom.explorers.scene import (
    SIGNED,
    Box,
    Bytes,
    Point,
    Primitive,
    Scene,
    cells,
    picture,
    rectangle,
    ring,
    signed,
    text,
)

if TYPE_CHECKING:
    from segedu.classroom.explorers.fusion import Mix

WIDTH, GAP, TITLE, TALLEST = 840, 32, 28, 170  # CSS pixels
EDGE = 2  # room for a thick frame at the sides
COLUMNS = 4
PITCH = (WIDTH - 2 * EDGE + GAP) / COLUMNS  # from one column to the next
VERDICTS = np.array([(0, 0, 0, 0), (213, 94, 0, 255), (128, 128, 128, 255)], np.uint8)  # right, wrong, void
LEGEND_COLUMNS, LEGEND_ROWS, LEGEND_LINE = 6, 2, 22
TAG_ROOM = 100  # the name of a class beside its mark
SMALLEST_OUTLINE = 8  # a smaller cell is marked by a ring


class FusionPicture:
    """Draws a `Mix` of the images it is made with. The coarse maps are stretched over the picture, cell by cell."""

    def __init__(self, given: Labelled) -> None:
        self._labels, self.legend, self._size, self._palette = given.labels, given.legend, given.size, given.colours
        self._panel, _, self._step = Fit.into(given.size, PITCH - GAP, TALLEST)
        self._rgb = given.rgb(self._step)

    def scene(self, mix: Mix) -> Scene:
        """The whole picture: ``conv7 + pool4 + pool3 = sum`` over ``picture, truth, prediction, errors``."""
        truth = self._labels[mix.image]
        void = truth == self.legend.ignore_index
        wrong = (mix.prediction != truth) & ~void
        verdicts = torch.where(void, 2, wrong.long())
        share = float(wrong.sum() / (~void).sum().clamp(min=1))
        items = [
            *self._sum_row(mix),
            *self._titled(1, 0, "picture", picture(self._box(1, 0), self._rgb[mix.image], panel="picture")),
            *self._titled(1, 1, "truth", self._labels_in(1, 1, "truth", truth)),
            *self._titled(1, 2, "prediction", self._labels_in(1, 2, "prediction", mix.prediction)),
            *self._titled(
                1,
                3,
                f"errors: {100 * share:.1f} %",
                cells(self._box(1, 3), thinned(verdicts, self._step), VERDICTS, panel="errors"),
            ),
        ]
        below = 2 * (TITLE + self._panel[1]) + GAP / 2
        items += [*self._scale_bar(mix, below), *self._legend(mix, below + LEGEND_LINE + 4)]
        rows = math.ceil(min(len(self.legend.classes) / LEGEND_COLUMNS, LEGEND_ROWS))
        return Scene(WIDTH, math.ceil(below + (1 + rows) * LEGEND_LINE + 6), items)

    def _sum_row(self, mix: Mix) -> list[Primitive]:
        """Each scaled map on its own grid, plus signs between, and their sum."""
        items: list[Primitive] = []
        strides = self.strides(mix)
        for column, (name, scores) in enumerate(mix.coarse.items()):
            heat = cells(self._box(0, column), signed(scores.numpy(), mix.limit), SIGNED, panel=name)
            title = f"{name} × {mix.weights[name]:.1f}, stride {strides[name]}"
            items += self._titled(0, column, title, heat, now=mix.weights[name] != 1)
            items.append(self._sign(column, "=" if column == len(mix.coarse) - 1 else "+"))
        heat = cells(self._box(0, len(strides)), self._thin_heat(mix), SIGNED, panel="sum")
        return items + self._titled(0, len(strides), f"sum for {self.legend.classes[mix.class_index]}", heat)

    def marks(self, mix: Mix, scene: Scene, place: Point) -> list[Primitive]:
        """The same place in every panel, with what stands there."""
        row, col = self.pixel(place)
        truth = int(self._labels[mix.image, row, col])
        tags = {name: signed_number(map_[row, col]) for name, map_ in mix.contributions.items()}
        tags["sum"] = signed_number(mix.total[row, col])
        tags |= {"truth": self.legend.name(truth), "prediction": self.legend.name(int(mix.prediction[row, col]))}
        if truth != self.legend.ignore_index:
            tags["errors"] = "right" if truth == mix.prediction[row, col] else "wrong"
        return [
            mark
            for item in scene.items
            if item.get("panel")
            for mark in _mark(item, place, tags.get(item["panel"]), outline=item["panel"] in mix.coarse)
        ]

    def strides(self, mix: Mix) -> dict[str, int]:
        """The stride of each score map, read from how many cells it has; strides are powers of two."""
        axis = int(self._size[1] > self._size[0])  # the longer side rounds the least
        return {
            name: 2 ** round(math.log2(self._size[axis] / scores.shape[axis])) for name, scores in mix.coarse.items()
        }

    def pixel(self, place: Point) -> tuple[int, int]:
        """The pixel of the image at a place given as fractions down and right."""
        return cell_at(place, self._size)

    def _box(self, row: int, column: int) -> Box:
        width, height = self._panel
        return (
            round(EDGE + column * PITCH),
            round(TITLE + row * (TITLE + height + GAP / 4)),
            round(width),
            round(height),
        )

    def _titled(self, row: int, column: int, title: str, grid: Primitive, *, now: bool = False) -> list[Primitive]:
        box = self._box(row, column)
        frame = rectangle(box, stroke="now" if now else "border", width=2 if now else 1)
        return [text((box[0], box[1] - TITLE / 2 + 1), title), grid, frame]

    def _sign(self, column: int, sign: str) -> Primitive:
        x, y, width, height = self._box(0, column)
        return text((x + (width + PITCH) / 2, y + height / 2), sign, size=22, align="center")

    def _labels_in(self, row: int, column: int, panel: str, labels: Tensor) -> Primitive:
        shown = thinned(self.legend.places(labels), self._step)
        return cells(self._box(row, column), shown, self._palette, panel=panel)

    def _thin_heat(self, mix: Mix) -> Bytes:
        return signed(mix.total[:: self._step, :: self._step].numpy(), mix.limit)

    def _scale_bar(self, mix: Mix, top: float) -> list[Primitive]:
        middle, left, width = top + LEGEND_LINE / 2, 56, 186
        bar = (left, middle - 6, width, 12)
        edge = f"{mix.limit:.3g}"
        return [
            text((left - 6, middle), f"−{edge}", align="right"),
            cells(bar, np.arange(len(SIGNED), dtype=np.uint8)[None], SIGNED),
            rectangle(bar, stroke="border"),
            text(
                (left + width + 6, middle),
                f"+{edge}   score of {self.legend.classes[mix.class_index]}: blue against, vermilion for",
            ),
        ]

    def _legend(self, mix: Mix, top: float) -> list[Primitive]:
        """The colours of the classes; where there are too many, of those in this image."""
        shown = list(range(len(self.legend.classes)))
        if len(shown) > LEGEND_COLUMNS * LEGEND_ROWS:
            here = np.union1d(self._labels[mix.image], mix.prediction).tolist()
            shown = [label for label in here if label < len(self.legend.classes)][: LEGEND_COLUMNS * LEGEND_ROWS]
        items = []
        for index, label in enumerate(shown):
            x = EDGE + index % LEGEND_COLUMNS * WIDTH / LEGEND_COLUMNS
            y = top + index // LEGEND_COLUMNS * LEGEND_LINE
            colour = "#" + "".join(f"{channel:02x}" for channel in self._palette[label, :3])
            items += [
                rectangle((round(x), y + 4, 14, 14), fill=colour, stroke="border"),
                text((x + 20, y + LEGEND_LINE / 2), self.legend.classes[label]),
            ]
        return items


def _mark(panel: Primitive, place: Point, tag: str | None, *, outline: bool) -> list[Primitive]:
    """One place in one panel: the cell of a coarse grid, a ring on a fine one, and a tag on the side that has room."""
    (x, y, width, height), (rows, cols) = panel["box"], panel["shape"]
    at = (x + place[1] * width, y + place[0] * height)
    across, down = width / cols, height / rows
    if outline and min(across, down) >= SMALLEST_OUTLINE:
        edges = (x + int(place[1] * cols) * across, x + int(place[1] * cols + 1) * across)
        cell = (edges[0] + 2, y + int(place[0] * rows) * down + 2, across - 4, down - 4)
        marks = [rectangle(cell, stroke="now", width=2, halo=True)]
    else:
        marks = [ring(at)]
        edges = (at[0] - 7, at[0] + 7)
    if tag is not None:
        middle = min(max(at[1], y + 12), y + height - 12)
        if edges[1] + TAG_ROOM <= x + width:
            marks.append(text((edges[1] + 8, middle), tag, plate=True))
        else:
            marks.append(text((edges[0] - 8, middle), tag, align="right", plate=True))
    return marks
