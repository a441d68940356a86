"""Exercise: ``rates_on_grid(output_stride, multi_grid)``, all rates of DeepLab v3 on one grid (claim D7).

The rates of the last stage's three units, then those of the pyramid's three branches, as one list. ``multi_grid`` are
the three factors of the units; the stage would have rate 1 at output stride 32, where nothing is dilated (v3, section
3.2.1). The pyramid's rates are 6, 12 and 18 at output stride 16 (section 3.3).
"""

import reprlib
from collections.abc import Callable, Sequence
from itertools import accumulate
from operator import index, mul
from typing import Any

import torch

from segedu.classroom.exercises.exercise import Answer, Exercise, Hint, Mistake, Observed

Grid = tuple[int, int, int]
PAPER = (6, 12, 18)


def _six(returned: Any) -> Observed:
    try:
        numbers = [index(rate) for rate in returned]
    except TypeError:
        raise Hint(
            f"return a list of six whole numbers; the function returns {reprlib.repr(returned)}. (// divides whole "
            "numbers.)"
        ) from None
    return {"the list of rates": torch.tensor(numbers, dtype=torch.int64)}


def _grids() -> list[tuple[int, Grid]]:
    return [(stride, factors) for factors in ((1, 2, 4), (1, 1, 1), (3, 1, 2)) for stride in (16, 8)]


def _units(output_stride: int, multi_grid: Sequence[int]) -> list[int]:
    return [32 // output_stride * factor for factor in multi_grid]


def _pyramid(output_stride: int) -> list[int]:
    return [16 * rate // output_stride for rate in PAPER]


def _with(
    units: Callable[[int, Sequence[int]], list[int]] = _units, pyramid: Callable[[int], list[int]] = _pyramid
) -> Answer:
    return lambda output_stride, multi_grid: units(output_stride, multi_grid) + pyramid(output_stride)


rates_on_grid = Exercise(
    solution=_with(),
    mistakes=(
        Mistake(
            _with(units=lambda stride, factors: [*factors]),
            "the units have the multi-grid's factors themselves. They multiply the unit rate, which the stage needs "
            "because a stride was taken away: 2 at output stride 16, 4 at 8.",
        ),
        Mistake(
            _with(units=lambda stride, factors: [32 // stride] * 3),
            "the units have the unit rate, without the multi-grid: multiply each by its factor.",
        ),
        Mistake(
            _with(units=lambda stride, factors: [2 * factor for factor in factors]),
            "the unit rate is 2 at either stride. At output stride 8 two strides have been taken away before the last "
            "stage, so there it is 4.",
        ),
        Mistake(
            _with(units=lambda stride, factors: [16 // stride * factor for factor in factors]),
            "the unit rate is counted from output stride 16. The classifier has 32, and at 16 its last stride is gone "
            "already: the unit rate is 32 / 16 = 2.",
        ),
        Mistake(
            _with(units=lambda stride, factors: [32 // stride + factor - 1 for factor in factors]),
            "the multi-grid is added where it multiplies.",
        ),
        Mistake(
            _with(units=lambda stride, factors: [*accumulate((32 // stride * factor for factor in factors), mul)]),
            "each unit's rate is multiplied by the one before. Every factor multiplies the unit rate and nothing else.",
        ),
        Mistake(
            _with(units=lambda stride, factors: [stride // 4 * factor for factor in factors]),
            "the rates of the units go the wrong way: a finer grid has narrower cells, so the same distance takes a "
            "larger rate.",
        ),
        Mistake(
            _with(pyramid=lambda stride: [*PAPER]),
            "the pyramid keeps 6, 12, 18. They are those of output stride 16; at 8 a cell is half as wide.",
        ),
        Mistake(
            _with(pyramid=lambda stride: [rate * stride // 16 for rate in PAPER]),
            "the pyramid's rates are halved at output stride 8. A finer grid has narrower cells, so the same distance "
            "takes a larger rate.",
        ),
        Mistake(
            _with(pyramid=lambda stride: [32 // stride * rate for rate in PAPER]),
            "the pyramid's rates are multiplied by the unit rate. 6, 12, 18 are meant for output stride 16 as they "
            "are, and are doubled at 8.",
        ),
        Mistake(
            lambda stride, factors: _pyramid(stride) + _units(stride, factors),
            "right, in another order: the units of the last stage first, then the pyramid.",
        ),
        Mistake(
            lambda stride, factors: (
                _units(stride, factors)
                + [rate * factor for rate, factor in zip(_pyramid(stride), factors, strict=True)]
            ),
            "the multi-grid is applied to the pyramid as well. It belongs to the three units of the last stage.",
        ),
    ),
    probes=_grids,
    observe=_six,
    learnt=(
        "a rate counts cells and a field is made of pixels: rate times output stride stays the same. The weights know "
        "neither, so a net trained on one grid runs on the other."
    ),
)
