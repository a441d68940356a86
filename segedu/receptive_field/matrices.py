"""Multiplication by a constant matrix along an axis, which is how the course's own layers interpolate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from torch import Tensor

from segedu.receptive_field.fields import Axis, Unknown
from segedu.receptive_field.maps import Map, unknown_map
from segedu.receptive_field.reads import NOTHING, Border, Cells, Pattern, fold

BORDERS: tuple[Border, ...] = ("replicate", "zeros")


@dataclass(frozen=True)
class Table:
    """What each unit of one map of a given size reads, the first cell and the last: no more is known of it."""

    first: tuple[int, ...]
    last: tuple[int, ...]
    step: Fraction = Fraction(0)
    border: Border = "zeros"

    def taps(self, units: Cells, size: int) -> Cells:
        return np.array([self.first, self.last]).T[units]


def read_matrix(source: Map, dim: int, matrix: Tensor | None, *, transposed: bool, shape: Sequence[int]) -> Map:
    """The map whose units along ``dim`` are sums of the source's, weighted by the rows of ``matrix``."""
    if matrix is None or matrix.dim() != 2 or source.tangled:
        return unknown_map(shape, "matmul")
    rows = (matrix.T if transposed else matrix) != 0
    cells = np.arange(rows.shape[1])
    weighted = rows.cpu().numpy()
    none = ~weighted.any(1)
    first = np.where(none, NOTHING, np.where(weighted, cells, rows.shape[1]).min(1))
    last = np.where(none, NOTHING, np.where(weighted, cells, -1).max(1))
    axes = list(source.axes)
    for axis in source.across(dim):
        axes[axis] = _read(axes[axis], first, last, rows.shape[1])
    return replace(source, shape=tuple(shape), axes=(axes[0], axes[1]))


def _read(axis: Axis, first: Cells, last: Cells, cells: int) -> Axis:
    pattern = pattern_of(first, last, cells)
    if pattern is not None:
        return axis.read(pattern, len(first))
    table = Table(tuple(first.tolist()), tuple(last.tolist()))
    return Axis(Unknown(("matmul",)).join(axis.endless), axis.bounded.read(table, len(first)))


def pattern_of(first: Cells, last: Cells, size: int) -> Pattern | None:
    """How the rows of a matrix over ``size`` cells go on beyond it, where they repeat; None where they do not.

    The rows in the middle are continued both ways. That is believed only when it gives every row again, with those at
    the borders cut off, or held at the last cell.
    """
    units = np.arange(len(first))
    if (first == NOTHING).any():
        return None
    for period in range(1, len(first) // 2 + 1):
        middle = (len(first) - period) // 2
        turns, phase = np.divmod(units[middle : middle + period], period)
        about = size * period // len(first)
        for by in range(max(about - 1, 0), about + 3):
            low, high = np.empty(period, np.int64), np.empty(period, np.int64)
            low[phase], high[phase] = (ends[middle : middle + period] - turns * by for ends in (first, last))
            for border in BORDERS:
                pattern = Pattern(tuple(low.tolist()), tuple(high.tolist()), by, border)
                taps = fold(pattern.taps(units, size), size, border)
                read = np.where(taps == NOTHING, size, taps).min(1), np.where(taps == NOTHING, -1, taps).max(1)
                if (read[0] == first).all() and (read[1] == last).all():
                    return pattern
    return None
