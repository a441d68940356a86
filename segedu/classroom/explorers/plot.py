"""A small plot on a stage: axes with their numbers, and curves cut off where they leave them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segedu.classroom.explorers.scene import Box, Point, Primitive, line, rectangle, text

GRID = "#80808060"
LEAST = 1e-30  # what zero counts as where heights are logarithms


@dataclass(frozen=True)
class Axes:
    """Where values stand in a ``box``: 0 to 1 from left to right, and upwards from the first of ``ticks`` to the last.

    ``ticks`` are evenly spaced, as values or, on a ``logarithmic`` scale, as powers.
    """

    box: Box
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def at(self, across: float, value: float) -> Point:
        """Where a value stands, inside the box or beyond it."""
        return self._point(across, float(self._heights(np.array(value))))

    def holds(self, value: float) -> bool:
        """Whether a value is on the scale."""
        return 0 <= float(self._heights(np.array(value))) <= 1

    def frame(self, marks: Sequence[str], name: str) -> Iterator[Primitive]:
        """The box with lines at the ticks, their numbers ``marks`` beside it, and below it 0, 1/2, 1 and a name."""
        left, top, width, height = self.box
        for tick, mark in zip(self.ticks, marks, strict=True):
            _, y = self.at(0, tick)
            yield line([(left, y), (left + width, y)], stroke=GRID, width=1)
            yield text((left - 6, y), mark, align="right")
        for across, mark in ((0.0, "0"), (0.5, "0.5"), (1.0, "1")):
            yield text((left + width * across, top + height + 13), mark, align="center")
        yield text((left + width / 2, top + height + 33), name, align="center")
        yield rectangle(self.box, stroke="border")

    def curve(
        self, across: npt.NDArray[np.float64], values: npt.NDArray[np.float64], *, stroke: str, width: float
    ) -> Iterator[Primitive]:
        """The lines through values at places from 0 to 1: one for each stretch that lies on the scale."""
        places, heights = across.tolist(), self._heights(values).tolist()
        run: list[Point] = []
        for i, height in enumerate(heights):
            if 0 <= height <= 1:
                if i and not run:
                    run.append(self._crossing(places, heights, i, i - 1))
                run.append(self._point(places[i], height))
            elif run:
                run.append(self._crossing(places, heights, i - 1, i))
                yield line(run, stroke=stroke, width=width)
                run = []
        if run:
            yield line(run, stroke=stroke, width=width)

    def _crossing(self, places: list[float], heights: list[float], inside: int, outside: int) -> Point:
        """Where the way from a point in the box to one out of it meets the edge."""
        edge = 1.0 if heights[outside] > 1 else 0.0
        share = (edge - heights[inside]) / (heights[outside] - heights[inside])
        return self._point(places[inside] + share * (places[outside] - places[inside]), edge)

    def _heights(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """0 at the first tick, 1 at the last."""
        ends = np.array([self.ticks[0], self.ticks[-1]])
        if self.logarithmic:
            values, ends = np.log10(np.maximum(values, LEAST)), np.log10(ends)
        return np.asarray((values - ends[0]) / (ends[1] - ends[0]))

    def _point(self, across: float, height: float) -> Point:
        left, top, width, total = self.box
        return left + width * across, top + total * (1 - height)
