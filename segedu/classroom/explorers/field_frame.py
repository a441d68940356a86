"""The frame of the receptive-field explorer: a picture with padding around it, and fields drawn to its scale."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from segedu.classroom.explorers.scene import Box, Primitive, line, text
from segedu.classroom.explorers.stack_view import View
from segedu.receptive_field.table import Box as Field

LEFT, TOP, SIDE = 2, 28, 424  # CSS pixels: a square
RIGHT, FOOT = LEFT + SIDE, TOP + SIDE
MARGINS = (0, 1 / 8, 1 / 4)  # of padding that can be shown, in parts of the picture
WIDEST, COUNTABLE = 1 / 2, 32  # the most around a picture of so few pixels that each can be seen


@dataclass(frozen=True)
class Frame:
    """A picture of ``pixels`` by ``pixels`` with ``margin`` pixels of padding on each side, as large as the frame."""

    pixels: int
    margin: int

    @classmethod
    def around(cls, view: View) -> Self:
        """With the least padding, of a few widths, that holds the field of every unit; or with the most."""
        overhang = max(0, -view.ends[0].min(), view.ends[1].max() - view.pixels + 1)
        parts = (*MARGINS, WIDEST) if view.pixels <= COUNTABLE else MARGINS
        margins = [int(np.ceil(part * view.pixels)) for part in parts]
        return cls(view.pixels, next((margin for margin in margins if margin >= overhang), margins[-1]))

    @property
    def scale(self) -> float:
        """CSS pixels for a pixel of the picture."""
        return SIDE / (self.pixels + 2 * self.margin)

    @property
    def picture(self) -> Box:
        """Where the picture lies in the scene."""
        return self.place(((0, self.pixels - 1), (0, self.pixels - 1)))

    def place(self, field: Field) -> Box:
        """Where a stretch of rows and of columns lies in the scene, be it outside the frame."""
        (top, bottom), (left, right) = field
        return (
            LEFT + self.scale * (left + self.margin),
            TOP + self.scale * (top + self.margin),
            self.scale * (right - left + 1),
            self.scale * (bottom - top + 1),
        )

    def outline(self, field: Field, stroke: str, width: float = 2) -> list[Primitive]:
        """The sides of a field that lie within the frame, on a light edge that shows them on any picture."""
        x, y, across, down = self.place(field)
        left, right = (min(max(at, LEFT), RIGHT) for at in (x, x + across))
        top, bottom = (min(max(at, TOP), FOOT) for at in (y, y + down))
        if left == right or top == bottom:
            return []
        sides = [
            ([(left, top), (right, top)], y == top),
            ([(left, bottom), (right, bottom)], y + down == bottom),
            ([(left, top), (left, bottom)], x == left),
            ([(right, top), (right, bottom)], x + across == right),
        ]
        shown = [ends for ends, within in sides if within]
        return [
            line(ends, stroke=colour, width=wide)
            for colour, wide in (("#ffffff", width + 2), (stroke, width))
            for ends in shown
        ]

    def beyond(self, field: Field) -> list[Primitive]:
        """How many pixels a field goes on beyond the frame, at each side where it leaves it."""
        (top, bottom), (left, right) = field
        x, y, across, down = self.place(field)
        middle = (_within(x + across / 2, LEFT, RIGHT), _within(y + down / 2, TOP, FOOT))
        last = self.pixels - 1
        sides: list[tuple[float, tuple[float, float], str, Literal["left", "center", "right"]]] = [
            (-left, (LEFT + 10, middle[1]), "←", "left"),
            (right - last, (RIGHT - 10, middle[1]), "→", "right"),
            (-top, (middle[0], TOP + 14), "↑", "center"),
            (bottom - last, (middle[0], FOOT - 14), "↓", "center"),
        ]
        return [
            text(at, f"{arrow} {int(pixels - self.margin)} px", align=align, plate=True)
            for pixels, at, arrow, align in sides
            if pixels > self.margin
        ]


def _within(at: float, first: float, last: float) -> float:
    """The place, as far as it leaves room for words within the frame."""
    return min(max(at, first + 60), last - 60)
