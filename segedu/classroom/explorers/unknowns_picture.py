"""How the unknowns explorer looks: a scene, its scores, what is flagged and what was predicted, beside the plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from segedu.classroom.colours import GREEN, NOW, REST
from segedu.classroom.explorers.crf_contours import contour
from segedu.classroom.explorers.heat import CIVIDIS, tag
from segedu.classroom.explorers.labelled import Fit, Labelled, cell_at, thinned
from segedu.classroom.explorers.mask_editor_masks import dilated
from segedu.classroom.explorers.scene import (
    FONT_SIZE,
    Box,
    Bytes,
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
from segedu.classroom.explorers.unknowns_plots import bars, curves
from segedu.classroom.explorers.unknowns_scores import (
    FALSE_ALARM,
    FOUND,
    MISSED,
    OUTCOMES,
    UNKNOWN,
    VOID,
    Separation,
)
from segedu.classroom.explorers.unknowns_words import number, truth

if TYPE_CHECKING:
    from segedu.classroom.explorers.unknowns import Flagged

WIDTH, EDGE, GAP, TITLE, LINE = 840, 2, 34, 28, 24  # CSS pixels
PANEL, TALLEST, SHORTEST = 256, 200, 150  # the width of a panel; its height, or the room it has, at most and at least
LETTER = 0.62 * FONT_SIZE  # the width of a letter, a little generous
HEAT = gradient(*CIVIDIS)
INK = {FOUND: GREEN, MISSED: REST, FALSE_ALARM: NOW, VOID: "#4a4a4a"}
"""The colours of pixels that are no known ones rightly let pass: those show the scene, pale and grey."""
FORMULAS = {
    "max softmax": ": 1 − max p",
    "max logit": ": − max z",
    "entropy": ": − Σ p log p",
    "energy": ": − log Σ exp z",
}
"""What a score is of logits ``z`` and their softmax ``p``."""
OUTLINE = np.array([(0, 0, 0, 0), (0, 0, 0, 150), (255, 255, 255, 255)], np.uint8)


class UnknownsPicture:
    """Draws what is `Flagged`: four maps of a scene, and in the last column the ROC curve over the scores' bars."""

    def __init__(self, given: Labelled, kinds: Tensor, separations: Mapping[str, Separation]) -> None:
        self.legend, self._size, self._palette = given.legend, given.size, given.colours
        self._separations = separations
        self._panel, _, self._step = Fit.into(given.size, PANEL, TALLEST)
        self._room = max(SHORTEST, self._panel[1])  # for a panel and for a plot beside it
        self._pictures = given.rgb(self._step)
        self._unknown = (kinds == UNKNOWN)[:, :: self._step, :: self._step].long()

    def scene(self, shown: Flagged) -> Scene:
        """Scene and score over flagged pixels and prediction, the plots beside them, and what the colours mean."""
        names = [*self._class_names(self._top(2) - TITLE + LINE / 2)]
        items = [
            *self._scene(shown),
            *self._score(shown),
            *self._flagged(shown),
            *self._predicted(shown),
            *curves(shown, self._separations, self._plot(0)),
            *bars(shown, self._plot(1), INK),
            *names,
        ]
        return Scene(WIDTH, round(names[-1]["at"][1] + LINE / 2), items)

    def marks(self, shown: Flagged, scene: Scene, place: Point) -> list[Primitive]:
        """The same pixel in every map, with what stands there."""
        pixel = self.pixel(place)
        tags = {
            "scene": truth(shown, self.legend, pixel),
            "score": number(float(shown.scores[pixel])),
            "flagged": OUTCOMES[int(shown.outcomes[pixel])],
            "prediction": self.legend.name(int(shown.prediction[pixel])),
        }
        marked: list[Primitive] = []
        for panel in (item for item in scene.items if item.get("panel")):
            x, y, width, height = panel["box"]
            marked.append(tag(panel, cell_at(place, panel["shape"]), tags[panel["panel"]]))
            marked.append(ring((x + place[1] * width, y + place[0] * height)))
        return marked

    def pixel(self, place: Point) -> tuple[int, int]:
        """The pixel of the scene at a place given as fractions down and right."""
        return cell_at(place, self._size)

    def _scene(self, shown: Flagged) -> Iterator[Primitive]:
        """The photograph, with an outline round the unknown object."""
        box = self._box(0, 0)
        yield from self._titled(0, 0, f"scene {shown.image}", picture(box, self._pictures[shown.image], panel="scene"))
        around = contour(self._unknown[shown.image])
        yield cells(box, (dilated(around) + around.astype(np.uint8)).astype(np.uint8), OUTLINE)
        y = box[1] + box[3] + LINE / 2
        yield rectangle((EDGE, y - 6, 26, 12), fill="#00000096")
        yield rectangle((EDGE + 2, y - 2, 22, 4), fill="#ffffff")
        yield text((EDGE + 34, y), "truly unknown")

    def _score(self, shown: Flagged) -> Iterator[Primitive]:
        """The score as heat, and below it the scale with the threshold."""
        low, high = shown.separation.scale
        shades = ((len(HEAT) - 1) * ((shown.scores - low) / (high - low)).clamp(0, 1)).round()
        grid = cells(self._box(0, 1), thinned(shades, self._step), HEAT, panel="score")
        yield from self._titled(0, 1, f"{shown.score}{FORMULAS.get(shown.score, '')}", grid)
        left, y = self._left(1), self._top(0) + self._panel[1] + LINE / 2
        yield text((left, y), number(low))
        yield text((left + PANEL, y), number(high), align="right")
        room = LETTER * 9  # beside the scale, for a number such as 1.19e−07
        start, length = left + room, PANEL - 2 * room
        yield cells((start, y - 6, length, 12), np.arange(len(HEAT), dtype=np.uint8)[None], HEAT)
        yield rectangle((start, y - 6, length, 12), stroke="border")
        at = start + length * min(max((shown.threshold - low) / (high - low), 0), 1)
        yield line([(at, y - 10), (at, y + 10)], stroke="now", width=3)

    def _flagged(self, shown: Flagged) -> Iterator[Primitive]:
        """What became of the pixels, over the scene in pale grey."""
        pale = 175 + 0.3 * self._pictures[shown.image].mean(-1, keepdims=True).repeat(3, -1)
        rgb: Bytes = pale.astype(np.uint8)
        outcomes = thinned(shown.outcomes, self._step)
        for outcome, ink in INK.items():
            rgb[outcomes == outcome] = [*bytes.fromhex(ink[1:])]
        yield from self._titled(1, 0, "flagged", picture(self._box(1, 0), rgb, panel="flagged"))
        y, here = self._top(1) + self._panel[1] + LINE / 2, shown.here
        names = {
            FOUND: f"found: {here.found}",
            MISSED: f"missed: {here.missed}",
            FALSE_ALARM: f"false alarms: {here.false_alarms}",
            VOID: OUTCOMES[VOID],
        }
        for x, (outcome, words) in zip((0, 130, 266, 448), names.items(), strict=True):
            yield from key((EDGE + x, y), words, INK[outcome])

    def _predicted(self, shown: Flagged) -> Iterator[Primitive]:
        labels = thinned(self.legend.places(shown.prediction), self._step)
        grid = cells(self._box(1, 1), labels, self._palette, panel="prediction")
        yield from self._titled(1, 1, "prediction", grid)

    def _class_names(self, middle: float) -> Iterator[Primitive]:
        """The colours of the classes in the prediction, in columns of one width."""
        pitch = 32 + LETTER * max(map(len, self.legend.classes))
        columns = max(1, int(WIDTH // pitch))
        for place, name in enumerate(self.legend.classes):
            at = (EDGE + pitch * (place % columns), middle + LINE * (place // columns))
            yield from key(at, name, "#" + bytes(self._palette[place, :3]).hex())

    def _titled(self, row: int, column: int, title: str, grid: Primitive) -> list[Primitive]:
        x, y, _, _ = box = self._box(row, column)
        return [text((x, y - TITLE / 2 + 1), title), grid, rectangle(box, stroke="border")]

    def _plot(self, row: int) -> Box:
        return (self._left(2), self._top(row), PANEL, self._room)

    def _box(self, row: int, column: int) -> Box:
        return (self._left(column), self._top(row), *self._panel)

    def _left(self, column: int) -> int:
        return EDGE + column * (PANEL + GAP)

    def _top(self, row: int) -> int:
        return TITLE + row * (self._room + LINE + TITLE)
