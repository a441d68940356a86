"""What one unit of an operation's output reads of its input, along one axis.

Every operation that moves information between places is one of these: a frozen description with two answers. ``step``
is how many input cells the reading moves when the output moves by one; ``taps(units, size)`` lists the input cells that
each unit reads, for an input of ``size`` cells: ``(units,) -> (units, taps)`` int64, with `NOTHING` in the places of
taps that do not exist. Cells below 0 and from ``size`` on lie in the padding, and ``fold`` says what stands there.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Cells = npt.NDArray[np.int64]
Border = Literal["zeros", "replicate", "reflect", "circular"]

NOTHING = np.iinfo(np.int64).min


class Reads(Protocol):
    """What the classes below have in common; all are hashable, so that equal readings are computed once."""

    @property
    def step(self) -> Fraction:
        """Input cells by which the reading moves per output cell."""

    @property
    def border(self) -> Border:
        """What stands outside the input: zeros, which nothing can be read from, or cells of the input again."""

    def taps(self, units: Cells, size: int) -> Cells:
        """The cells that ``units`` read of an input that has ``size`` cells."""


@dataclass(frozen=True)
class Window:
    """A convolution, a pooling, a pad or a slice: unit ``o`` reads ``stride * o - padding + dilation * (0..kernel-1)``.

    A stride of 0 repeats one cell for every unit: a broadcast.
    """

    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    border: Border = "zeros"

    @property
    def step(self) -> Fraction:
        return Fraction(self.stride)

    def taps(self, units: Cells, size: int) -> Cells:
        return units[:, None] * self.stride - self.padding + self.dilation * np.arange(self.kernel)


@dataclass(frozen=True)
class Spread:
    """A transposed convolution: unit ``o`` reads the cells ``i`` with ``o = stride * i - padding + dilation * tap``."""

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    border: Border = "zeros"

    @property
    def step(self) -> Fraction:
        return Fraction(1, self.stride)

    def taps(self, units: Cells, size: int) -> Cells:
        places = units[:, None] + self.padding - self.dilation * np.arange(self.kernel)
        return np.where(places % self.stride == 0, places // self.stride, NOTHING)


@dataclass(frozen=True)
class Resample:
    """Interpolation: unit ``o`` lies at ``start + step * o`` on the input and reads the cells around it.

    ``reach`` is how many cells to either side count: 0 for the nearest below, 1 for linear, 2 for cubic. A unit that
    lies on a cell reads that cell alone.
    """

    start: Fraction
    step: Fraction
    reach: Literal[0, 1, 2]
    border: Border = "replicate"

    def taps(self, units: Cells, size: int) -> Cells:
        common = self.start.denominator * self.step.denominator
        place = units * int(self.step * common) + int(self.start * common)  # in parts of a cell, so that all is whole
        below, rest = np.divmod(place, common)
        around = below[:, None] + np.arange(1 - self.reach, 1 + self.reach) if self.reach else below[:, None]
        alone = (rest == 0)[:, None] & (around != below[:, None])
        return np.where(alone, NOTHING, around)


@dataclass(frozen=True)
class Bins:
    """Adaptive pooling from ``cells`` cells to ``bins``: bin ``o`` reads floor(o c / b) to ceil((o + 1) c / b) - 1."""

    cells: int
    bins: int
    border: Border = "zeros"

    @property
    def step(self) -> Fraction:
        return Fraction(self.cells, self.bins)

    def taps(self, units: Cells, size: int) -> Cells:
        first = units * self.cells // self.bins
        last = -((-(units + 1) * self.cells) // self.bins)
        taps = first[:, None] + np.arange(-(-self.cells // self.bins) + 1)
        return np.where(taps < last[:, None], taps, NOTHING)


@dataclass(frozen=True)
class Everything:
    """Global pooling, a linear layer over a flattened map, a norm over all places: the unit reads the whole input."""

    border: Border = "zeros"

    @property
    def step(self) -> Fraction:
        return Fraction(0)

    def taps(self, units: Cells, size: int) -> Cells:
        return np.broadcast_to(np.arange(size), (len(units), size))


@dataclass(frozen=True)
class Pattern:
    """A constant matrix whose rows repeat: unit ``q * len(first) + r`` reads ``first[r]..last[r]`` plus ``q * by``."""

    first: tuple[int, ...]
    last: tuple[int, ...]
    by: int
    border: Border = "zeros"

    @property
    def step(self) -> Fraction:
        return Fraction(self.by, len(self.first))

    def taps(self, units: Cells, size: int) -> Cells:
        turns, phase = np.divmod(units, len(self.first))
        first, last = (np.array(ends)[phase] + self.by * turns for ends in (self.first, self.last))
        taps = first[:, None] + np.arange((last - first).max() + 1)
        return np.where(taps <= last[:, None], taps, NOTHING)


def fold(taps: Cells, size: int, border: Border) -> Cells:
    """``taps`` on an input of ``size`` cells: those outside become the cells that the border repeats, or `NOTHING`."""
    real = taps != NOTHING
    if border == "replicate":
        inside = taps.clip(0, size - 1)
    elif border == "circular":
        inside = taps % size
    elif border == "reflect":
        turn = max(2 * (size - 1), 1)
        inside = (size - 1) - abs(taps % turn - (size - 1))
    else:
        inside, real = taps, real & (taps >= 0) & (taps < size)
    return np.where(real, inside, NOTHING)
