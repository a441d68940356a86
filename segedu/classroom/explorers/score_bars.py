"""Scores as pairs of bars: now in vermilion over as trained in blue, the numbers after them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from segedu.classroom.colours import NOW, REST
from segedu.classroom.explorers.labelled import share
from segedu.classroom.explorers.scene import Point, Primitive, line, rectangle, text

LABELS, BARS = 106, 140  # the widths of what stands before a bar, and of the longest bar
BAR, PITCH = 12, 20  # of one bar, and from there to the next
LEAST = 3 * (2 * PITCH + 8)  # the height of three pairs


class Pair(NamedTuple):
    """A score now and as trained: how long its bars are, 0 to 1 or NaN for none, and the numbers that follow them.

    ``name`` stands before the first bar and ``of`` before the second. A line across both marks the ``goal``, if any.
    """

    name: str
    of: str
    lengths: tuple[float, float]
    numbers: tuple[str, str]
    goal: float | None = None


def shares(name: str, of: str, now: float, trained: float) -> Pair:
    """A score between 0 and 1."""
    return Pair(name, of, (now, trained), (share(now), share(trained)))


def counts(name: str, now: int, trained: int, true: int) -> Pair:
    """A count that should be ``true``; the largest of the three gets the longest bar."""
    most = max(now, trained, true, 1)
    return Pair(name, f"truth {true}", (now / most, trained / most), (f"{now}", f"{trained}"), true / most)


def score_bars(at: Point, title: float, height: float, pairs: Sequence[Pair]) -> Iterator[Primitive]:
    """All pairs below one another over ``height`` pixels, under a line ``title`` pixels high with their colours."""
    left, top = at
    yield from key((left + LABELS, top + title / 2 + 1), "now", NOW)
    yield from key((left + LABELS + 66, top + title / 2 + 1), "as trained", REST)
    pitch = height / len(pairs)
    for place, pair in enumerate(pairs):
        first = top + title + place * pitch + (pitch - 2 * PITCH) / 2
        yield text((left, first + PITCH / 2), pair.name)
        yield text((left, first + 3 * PITCH / 2), pair.of, fill="muted")
        for row, (length, number, ink) in enumerate(zip(pair.lengths, pair.numbers, ("now", "rest"), strict=True)):
            middle = first + (row + 0.5) * PITCH
            width = BARS * (0 if math.isnan(length) else length)
            yield rectangle((left + LABELS, middle - BAR / 2, width, BAR), fill=ink)
            yield text((left + LABELS + BARS + 8, middle), number)
        if pair.goal is not None:
            x = left + LABELS + BARS * pair.goal
            yield line([(x, first - 2), (x, first + 2 * PITCH + 2)], stroke="text", width=2)


def key(at: Point, words: str, colour: str) -> list[Primitive]:
    """What a colour means."""
    x, y = at
    return [rectangle((x, y - 7, 14, 14), fill=colour, stroke="border"), text((x + 20, y), words)]
