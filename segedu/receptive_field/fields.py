"""The stretch of the image, along one axis, that each unit of a feature map sees.

It is told in two ways. An `Endless` map goes on for ever: this is the receptive field of the formulas and the tables,
which counts what lies in the padding and repeats from unit to unit. A `Bounded` map is the one that the network really
has: its units see only what is there, less at the borders. Both follow the same `reads` and both are exact: an interval
is the hull of the intervals that a unit reads.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from segedu.receptive_field.reads import NOTHING, Cells, Everything, Reads, fold

Ends = npt.NDArray[np.float64]  # whole numbers or infinite; from inf to -inf is empty
LONGEST = 1 << 16  # units after which a pattern has to repeat; odd sizes, resized in a row, make it longer and longer

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Unknown:
    """What no rule tells: ``names`` are the operators, or the joins, that stand in the way."""

    names: tuple[str, ...]

    def read(self, reads: Reads, units: int) -> Self:
        """Whatever reads an unknown is unknown."""
        return self

    def join(self, other: "Endless | Bounded | Unknown") -> "Unknown":
        """Whatever joins an unknown is unknown."""
        return Unknown(tuple(dict.fromkeys(self.names + (other.names if isinstance(other, Unknown) else ()))))


@dataclass(frozen=True, eq=False)
class Endless:
    """Unit ``q * len(low) + r`` sees ``low[r] + q * shift`` to ``high[r] + q * shift``, for each phase ``r``."""

    low: Ends
    high: Ends
    shift: float

    @property
    def stride(self) -> float:
        """Pixels from one unit to the next, on average over the phases."""
        return self.shift / len(self.low)

    def at(self, unit: int) -> tuple[float, float]:
        """The first and the last pixel that ``unit`` sees; both may lie outside the image."""
        turns, phase = divmod(unit, len(self.low))
        return float(self.low[phase] + turns * self.shift), float(self.high[phase] + turns * self.shift)

    def read(self, reads: Reads, units: int) -> "Endless | Unknown":
        if isinstance(reads, Everything):
            return EVERYWHERE
        period = len(self.low)
        again = period // math.gcd(reads.step.numerator, period)  # steps until the phases come round
        phases = again * reads.step.denominator
        if phases > LONGEST:
            return Unknown((f"a pattern that repeats only after {phases} units",))
        taps = reads.taps(np.arange(phases), units)
        turns, phase = np.divmod(taps, period)
        low, high = _hull(taps, self.low[phase] + turns * self.shift, self.high[phase] + turns * self.shift)
        return Endless(low, high, self.stride * again * reads.step.numerator)

    def join(self, other: "Endless | Unknown") -> "Endless | Unknown":
        if isinstance(other, Unknown):
            return other.join(self)
        if self.sees_all or other.sees_all:
            return Endless(EVERYWHERE.low, EVERYWHERE.high, max(self.stride, other.stride))
        if self.stride != other.stride:
            return Unknown(("a join of maps with unequal strides",))
        period = math.lcm(len(self.low), len(other.low))
        if period > LONGEST:
            return Unknown((f"a pattern that repeats only after {period} units",))
        return _united(
            self._phases(period), other._phases(period), lambda low, high: Endless(low, high, self.stride * period)
        )

    @property
    def sees_all(self) -> bool:
        """Whether every unit sees everything, however large the image is."""
        return bool((self.low == -np.inf).all() and (self.high == np.inf).all())

    def _phases(self, count: int) -> tuple[Ends, Ends]:
        """The intervals of the first ``count`` units."""
        turns, phase = np.divmod(np.arange(count), len(self.low))
        return self.low[phase] + turns * self.shift, self.high[phase] + turns * self.shift


EVERYWHERE = Endless(np.array([-np.inf]), np.array([np.inf]), 0.0)


@dataclass(frozen=True, eq=False)
class Bounded:
    """Unit ``i`` of a map of ``len(low)`` units sees ``low[i]`` to ``high[i]``, within the image."""

    low: Ends
    high: Ends

    def at(self, unit: int) -> tuple[float, float]:
        """The first and the last pixel that ``unit`` sees; ``(inf, -inf)`` when it sees padding only."""
        return float(self.low[unit]), float(self.high[unit])

    def read(self, reads: Reads, units: int) -> "Bounded":
        taps = fold(reads.taps(np.arange(units), len(self.low)), len(self.low), reads.border)
        return Bounded(*_hull(taps, self.low[taps * (taps != NOTHING)], self.high[taps * (taps != NOTHING)]))

    def join(self, other: "Bounded | Unknown") -> "Bounded | Unknown":
        if isinstance(other, Unknown):
            return other.join(self)
        return _united((self.low, self.high), (other.low, other.high), Bounded)


def _hull(taps: Cells, low: Ends, high: Ends) -> tuple[Ends, Ends]:
    """The interval over all ``taps`` of each unit; empty where a unit has none."""
    missing = taps == NOTHING
    return np.where(missing, np.inf, low).min(1), np.where(missing, -np.inf, high).max(1)


def _united(one: tuple[Ends, Ends], two: tuple[Ends, Ends], make: Callable[[Ends, Ends], Kind]) -> Kind | Unknown:
    """The hulls of two rows, unit by unit.

    Along one axis alone it cannot be told whether a unit that sees nothing in one map would have seen something along
    the other axis: where only one map has such a unit, no answer is better than a wrong one.
    """
    (low, high), (low2, high2) = one, two
    if ((low > high) != (low2 > high2)).any():
        return Unknown(("a join with units that see nothing",))
    return make(np.minimum(low, low2), np.maximum(high, high2))


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a feature map, told in both ways. What has been read or joined once is not computed again."""

    endless: Endless | Unknown
    bounded: Bounded | Unknown
    _known: dict[Any, "Axis"] = field(default_factory=dict, repr=False)

    @classmethod
    def of_image(cls, pixels: int) -> Self:
        """The image itself: each pixel sees itself."""
        at = np.arange(float(pixels))
        return cls(Endless(np.zeros(1), np.zeros(1), 1.0), Bounded(at, at))

    def read(self, reads: Reads, units: int) -> "Axis":
        """``units`` units, each of which reads this axis."""
        if isinstance(self.endless, Unknown) and isinstance(self.bounded, Unknown):
            return self
        key = (reads, units)
        if key not in self._known:
            self._known[key] = Axis(self.endless.read(reads, units), self.bounded.read(reads, units))
        return self._known[key]

    def join(self, other: "Axis") -> "Axis":
        """Units that take in this axis and another, cell by cell."""
        if other is self:
            return self
        if other not in self._known:
            self._known[other] = Axis(self.endless.join(other.endless), self.bounded.join(other.bounded))
        return self._known[other]

    @property
    def unknown(self) -> tuple[str, ...]:
        """What stands in the way of an answer; empty where there is one."""
        names = [part.names for part in (self.endless, self.bounded) if isinstance(part, Unknown)]
        return tuple(dict.fromkeys(itertools.chain(*names)))
