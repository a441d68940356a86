"""Exercise: ``window_offset(index, width)``, from a position in the whole map to the place in a 2x2 window.

``index`` is what ``F.max_pool2d(..., return_indices=True)`` stores, counted row by row in a map of ``width`` columns;
the answer, from 0 to 3, is ``2 * row + column`` within the window, all that unpooling needs (SegNet, section 3).
"""

import reprlib
from collections.abc import Callable
from operator import index as whole
from typing import Any

import torch

from segedu.classroom.exercises.exercise import Answer, Exercise, Hint, Mistake, Observed


def _number(returned: Any) -> Observed:
    try:
        return {"the offset": torch.tensor(whole(returned))}
    except (TypeError, ValueError, RuntimeError):
        raise Hint(f"return one whole number from 0 to 3; the function returns {reprlib.repr(returned)}.") from None


def _positions() -> list[tuple[int, int]]:
    """All of a map with rows of 6 cells, then all of one with rows of 7."""
    return [(index, width) for height, width in ((4, 6), (5, 7)) for index in range(height * width)]


def _by(combine: Callable[[int, int], int]) -> Answer:
    """An answer from the row and the column in the map."""
    return lambda index, width: combine(index // width, index % width)


def _right(index: int, width: int) -> int:
    return 2 * (index // width % 2) + index % width % 2


WHICH_WINDOW = (
    "this is the number of the window, not the place in it. The window is known when the maximum is put back; what has "
    "to be remembered is which of its four cells: the remainders of row and column by 2."
)
HALF_WIDTH = (
    "rows are taken to be half as long. The index counts in the map before pooling, whose rows have width cells; the "
    "pooled map plays no part."
)

window_offset = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            lambda index, width: index % 4,
            "the index modulo 4 numbers the cells of a row in fours. The four cells of a window lie in two rows, width "
            "positions apart: find the row and the column first.",
        ),
        Mistake(
            lambda index, width: 2 * (index // width % 2) + index % 2,
            "right where rows have an even number of cells. In a row of 7 every second row begins with an odd index, "
            "so the column's parity is not the index's: take the column, index % width, first.",
        ),
        Mistake(
            _by(lambda row, column: row % 2 + 2 * (column % 2)),
            "rows and columns have changed places: the offset is 2 * row + column, so the cell to the right of the "
            "first is 1 and the cell below it 2.",
        ),
        Mistake(
            _by(lambda row, column: row % 2 + column % 2),
            "row and column are added, so the right and the lower cell have the same offset 1. One of the two has to "
            "count double: 2 * row + column.",
        ),
        Mistake(
            _by(lambda row, column: 2 * row + column),
            "these are row and column in the whole map. In the window they are what is left over when windows of 2 are "
            "taken away: row % 2 and column % 2.",
        ),
        Mistake(_by(lambda row, column: row % 2), "only the row of the window is told; its column adds 0 or 1."),
        Mistake(
            _by(lambda row, column: 2 * (row % 2)),
            "only the row of the window is told; its column adds 0 or 1 to this.",
        ),
        Mistake(
            _by(lambda row, column: column % 2),
            "only the column of the window is told; its lower row adds 2.",
        ),
        Mistake(lambda index, width: index // width // 2 * (width // 2) + index % width // 2, WHICH_WINDOW),
        Mistake(lambda index, width: index // width // 2 * ((width + 1) // 2) + index % width // 2, WHICH_WINDOW),
        Mistake(
            _by(lambda row, column: 2 * (row // 2 % 2) + column // 2 % 2),
            "row and column are halved, which gives the window's own row and column. The place in the window is the "
            "remainder: % 2, not // 2.",
        ),
        Mistake(lambda index, width: _right(index, width // 2), HALF_WIDTH),
        Mistake(lambda index, width: _right(index, (width + 1) // 2), HALF_WIDTH),
        Mistake(
            lambda index, width: _right(index, width + width % 2),
            "right where rows have an even number of cells. The row of 7 is taken to have 8: the last window of a row "
            "is cut off, and the index does not count the cell that is missing.",
        ),
        Mistake(
            lambda index, width: _right(index, width) + 1,
            "one too much everywhere: offsets are counted from 0, so that four of them fit two bits.",
        ),
        Mistake(
            lambda index, width: 3 - _right(index, width),
            "the window is read from its end: its upper left cell is 0.",
        ),
        Mistake(
            lambda index, width: _right(index - 1, width),
            "the index is taken to count from 1. PyTorch counts from 0: index 0 is the first cell of the first row.",
        ),
        Mistake(
            lambda index, width: 2 * (index % width % 2) + index // width % 2 * width % 2,
            "rows and columns have changed places, and the row is multiplied by the width once too often.",
        ),
    ),
    probes=_positions,
    observe=_number,
    learnt=(
        "two remainders, two bits. PyTorch spends 64 bits to say the same: that is what the large map's position costs "
        "when the window is known anyway."
    ),
)
