"""The plots of the unknowns explorer: ROC curves with the point of the threshold, and how the scores are spread."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from segedu.classroom.explorers.labelled import share
from segedu.classroom.explorers.plot import Axes
from segedu.classroom.explorers.scene import Box, Point, Primitive, line, rectangle, ring, text
from segedu.classroom.explorers.unknowns_scores import FALSE_ALARM, FOUND, MISSED, Separation
from segedu.classroom.explorers.unknowns_words import number

if TYPE_CHECKING:
    from segedu.classroom.explorers.unknowns import Flagged

TICKS, FOOT, HALF = 30, 18, 6  # CSS pixels: numbers left of the curve, words below a plot, half a number
BARS = 64  # so that their edges fall on pixels
LET_PASS = "#9e9e9e"


def curves(shown: Flagged, separations: Mapping[str, Separation], room: Box) -> Iterator[Primitive]:
    """The ROC curve of the chosen score over those of the others; rings are where the threshold puts all and this."""
    left, top, width, height = room
    axes = Axes((left + TICKS, top + HALF, width - TICKS - HALF, height - FOOT - HALF), (0, 0.5, 1))
    yield text((left, top - 13), "unknown found (TPR)")
    yield from axes.frame(("0", "0.5", "1"), "known flagged (FPR)")
    for name, other in separations.items():
        if name != shown.score:
            yield from axes.curve(*other.roc, stroke="border", width=1.5)
    yield from axes.curve(*shown.separation.roc, stroke="text", width=2)
    corner = (left + width - 112, top + height - FOOT - 54)
    yield text((corner[0], corner[1]), f"AUROC {share(shown.separation.ranking.auroc)}", size=13)
    places = (("all scenes", shown.everywhere, "now"), ("this scene", shown.here, "rest"))
    for row, (words, counts, ink) in enumerate(places, 1):
        y = corner[1] + 19 * row
        yield ring((corner[0] + 7, y), 4, stroke=ink)
        yield text((corner[0] + 19, y), words, size=13)
        if not math.isnan(counts.found_share + counts.flagged_share):
            yield ring(axes.at(counts.flagged_share, counts.found_share), 5, stroke=ink)


def bars(shown: Flagged, room: Box, ink: Mapping[int, str]) -> Iterator[Primitive]:
    """How many pixels have which score, unknown ones upwards and known ones downwards, coloured by the threshold."""
    left, top, width, height = room
    box = (left, top, width, height - FOOT)
    low, high = shown.separation.scale
    at = left + width * min(max((shown.threshold - low) / (high - low), 0), 1)
    yield text((left, top - 13), "unknown above, known below")
    known, unknown = (np.sqrt(counts) for counts in shown.separation.bars(BARS))
    half, step = box[3] / 2 - 4, width / BARS
    for heights, up, colours in (
        (unknown, 1, (ink[MISSED], ink[FOUND])),
        (known, -1, (LET_PASS, ink[FALSE_ALARM])),
    ):
        tallest = max(float(heights.max()), 1.0)
        for place, size in enumerate((half * heights / tallest).tolist()):
            if size:
                y = top + box[3] / 2 - max(up * size, 0)
                yield from _split((left + place * step, y, step, size), at, colours)
    middle = top + box[3] / 2
    yield line([(left, middle), (left + width, middle)], stroke="border", width=1)
    yield rectangle(box, stroke="border")
    yield line([(at, top), (at, top + box[3])], stroke="now", width=2)
    yield from _axis((left, top + box[3]), width, (number(low), number(high)), f"{shown.score} (√ of counts)")


def _split(bar: Box, at: float, colours: tuple[str, str]) -> Iterator[Primitive]:
    """A bar in the first colour up to a place, in the second beyond it."""
    x, y, width, height = bar
    cut = min(max(at, x), x + width)
    for start, end, colour in ((x, cut, colours[0]), (cut, x + width, colours[1])):
        if end > start:
            yield rectangle((start, y, end - start, height), fill=colour)


def _axis(corner: Point, width: float, ends: tuple[str, str], name: str) -> Iterator[Primitive]:
    left, y = corner
    yield text((left, y + 13), ends[0])
    yield text((left + width, y + 13), ends[1], align="right")
    yield text((left + width / 2, y + 33), name, align="center")
