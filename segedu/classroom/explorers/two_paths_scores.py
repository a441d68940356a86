"""What a setting of the two paths explorer is worth and costs, as bars under their names, in a narrow column."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from segedu.classroom.colours import NOW, REST
from segedu.classroom.explorers.scene import Point, Primitive, rectangle, text
from segedu.classroom.explorers.score_bars import Pair, key, shares
from segedu.classroom.explorers.two_paths_words import count, duration

if TYPE_CHECKING:
    from segedu.classroom.explorers.two_paths import Passage

WIDTH, BARS, BAR, PITCH = 186, 112, 12, 19  # of the column, of the longest bar, of a bar's height, and to the next
BLOCK = 3 * PITCH + 10  # a name over a pair of bars
SHORTEST = 4 * BLOCK
KEYS = 13  # how far above the column its colours are named


def score_column(shown: Passage, at: Point, height: float) -> Iterator[Primitive]:
    """Scores, arithmetic and time, now in vermilion over as trained in blue, with numbers; over ``height`` pixels."""
    left, top = at
    yield from key((left, top - KEYS), "now", NOW)
    yield from key((left + 66, top - KEYS), "as trained", REST)
    for place, pair in enumerate(_pairs(shown)):
        middle = top + place * max(height / 4, BLOCK) + PITCH / 2
        yield text((left, middle), pair.name)
        yield text((left + WIDTH, middle), pair.of, fill="muted", align="right")
        for length, number, ink in zip(pair.lengths, pair.numbers, ("now", "rest"), strict=True):
            middle += PITCH
            width = BARS * (0 if math.isnan(length) else length)
            yield rectangle((left, middle - BAR / 2, width, BAR), fill=ink)
            yield text((left + BARS + 8, middle), number)


def _pairs(shown: Passage) -> Iterator[Pair]:
    """What is compared; a time that was not measured has no bar."""
    now, trained, cost, whole = shown.quality, shown.as_trained, shown.cost, shown.cost_as_trained
    longest = max(cost.milliseconds, whole.milliseconds)
    yield shares("mean IoU", "", now.mean_iou, trained.mean_iou)
    yield shares("boundary F1", "", now.boundary_f1, trained.boundary_f1)
    yield Pair("multiply-adds", "counted", (cost.macs / whole.macs, 1.0), (count(cost.macs), count(whole.macs)))
    yield Pair(
        "time",
        "measured",
        (cost.milliseconds / longest, whole.milliseconds / longest),
        (duration(cost.milliseconds), duration(whole.milliseconds)),
    )
