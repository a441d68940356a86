"""Gridding: which inputs a stack of dilated convolutions reads at all, and rates that leave none out.

One dilated kernel reads every ``rate``-th pixel. In a stack the reads of one layer start from those of the layer above,
and whether they fill the field depends on the rates alone: rates ``(2, 2, 2)`` read one pixel in four, ``(1, 2, 3)``
every pixel of a field of the same size.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Gridding:
    """How often one output of a stack of dilated convolutions reads each input of its receptive field.

    A path takes one tap of every layer, and ends at the input whose offset is the sum of ``tap * rate``. Along one axis
    ``axis_paths`` counts the paths to each of the field's ``size`` offsets, from its first pixel to its last, exactly.
    The order of the layers changes no count. It does change ``hdc_distance``.
    """

    rates: tuple[int, ...]
    kernel: int
    axis_paths: tuple[int, ...]

    @property
    def size(self) -> int:
        """The receptive field's side, ``1 + (kernel - 1) * sum(rates)`` pixels."""
        return len(self.axis_paths)

    @property
    def reached(self) -> int:
        """How many of the ``size`` offsets along one axis have a path."""
        return self.size - self.axis_paths.count(0)

    @property
    def coverage(self) -> float:
        """The share of the field's pixels that are read at all, between 0 and 1; exactly 1.0 where none is left out.

        It is 1 exactly when each rate, taken in ascending order, is at most ``1 + (kernel - 1) * (sum of the smaller
        ones)``: a rate within that bound sets copies of the field so far side by side without a gap, while beyond it
        the bound itself is the first offset that no path ends at. So the smallest rate of a full field is 1.
        """
        return (self.reached / self.size) ** 2

    @cached_property
    def paths(self) -> npt.NDArray[np.int64]:
        """The paths to each pixel of the field, ``(size, size)`` int64: ``axis_paths`` times itself, an outer product.

        Raises ``ValueError`` where a count is beyond int64.
        """
        most = max(self.axis_paths) ** 2
        if most > np.iinfo(np.int64).max:
            raise ValueError(
                f"{len(self.rates)} layers reach one pixel along {most} paths, more than int64 holds; "
                f"axis_paths has the exact counts of one axis"
            )
        axis = np.array(self.axis_paths, np.int64)
        return np.outer(axis, axis)

    @property
    def gcd(self) -> int:
        """The greatest common divisor of the rates: paths end only at its multiples, from the field's first pixel."""
        return math.gcd(*self.rates)

    @property
    def hdc_distance(self) -> int:
        """``M_2`` of the hybrid dilated convolution rule of Wang et al. 2018, section 3.2; of one layer, its rate.

        From the last rate back to the second: ``M_n = r_n`` and ``M_i = max(M_(i+1) - 2 r_i, 2 r_i - M_(i+1), r_i)``.
        """
        distance = self.rates[-1]
        for rate in self.rates[-2:0:-1]:
            distance = max(distance - 2 * rate, 2 * rate - distance, rate)
        return distance

    @property
    def hdc_passes(self) -> bool:
        """Whether ``hdc_distance <= kernel``, which the paper asks of rates that are to leave no holes.

        For kernel 3 and rates in ascending order that begin with 1, of any number, the rule passes exactly when the
        field is covered. It promises less elsewhere, because it depends on the order, which coverage does not, and
        never reads the first rate. Holes pass: ``(2, 2, 2)``, whose rates share the divisor 2; ``(2, 2, 3)``, which do
        not share one but lack a 1, so that the last pixel but one is not read; ``(4, 1, 4)``, where only the order
        helps. And a covered field fails: ``(1, 3, 1)``. A divisor of 1 is therefore needed, but not enough: of the 1728
        triples of rates up to 12, 85 are covered; 47 of these pass, and 151 with a divisor of 1 pass with holes. For
        kernel 2 the rule is too weak even in ascending order; for a kernel over 3 it asks more than is needed.
        """
        return self.hdc_distance <= self.kernel


def gridding(rates: Sequence[int], kernel: int = 3) -> Gridding:
    """Count the paths from each input to one output through stride-1 convolutions with these dilation rates.

    Raises ``ValueError`` for no rates, a rate below 1 or a kernel below 2.
    """
    if not isinstance(rates, Sequence) or not rates:
        raise ValueError(f"rates is {rates!r}, expected a sequence of one whole number per layer, such as (1, 2, 5)")
    rates = tuple(_whole(rate, f"rates[{index}]", least=1) for index, rate in enumerate(rates))
    kernel = _whole(kernel, "kernel", least=2)
    paths = np.ones(1, object)  # Python integers, which do not overflow
    for rate in rates:
        before, paths = paths, np.zeros(len(paths) + (kernel - 1) * rate, object)
        for tap in range(kernel):
            paths[tap * rate : tap * rate + len(before)] += before
    return Gridding(rates, kernel, tuple(paths.tolist()))


def plan(size: int, kernel: int = 3, *, largest_rate: int | None = None) -> tuple[int, ...]:
    """The rates of the fewest dilated layers whose field is at least ``size`` pixels wide and has no hole.

    A rate may be as large as the field of the smaller rates (see `Gridding.coverage`), which multiplies the field by
    ``kernel``: ``n`` layers reach ``kernel ** n`` pixels. Among the answers with that many layers this one overshoots
    ``size`` the least, by at most ``kernel - 2`` pixels, and then has the smallest largest rate. In ascending order, no
    rate above ``largest_rate``.

    Raises ``ValueError`` for a size or a kernel below 2, or a ``largest_rate`` below 1.
    """
    size, kernel = _whole(size, "size", least=2), _whole(kernel, "kernel", least=2)
    total = -((1 - size) // (kernel - 1))  # what the rates must add up to: (size - 1) / (kernel - 1), rounded up
    cap = total if largest_rate is None else _whole(largest_rate, "largest_rate", least=1)
    layers = reached = 0
    while reached < total:
        reached += min(1 + (kernel - 1) * reached, cap)
        layers += 1
    cap = bisect_left(range(cap + 1), total, lo=1, key=lambda rate: sum(_widest(layers, kernel, rate)))
    rates = _widest(layers, kernel, cap)
    for index in range(rates.index(cap), rates.index(cap) + sum(rates) - total):
        rates[index] -= 1  # fewer of them than rates at the cap, or a smaller cap would do
    return tuple(rates)


def _widest(layers: int, kernel: int, cap: int) -> list[int]:
    """The rates that make the widest field without holes from so many layers, none above ``cap``."""
    rates: list[int] = []
    reached = 0
    for _ in range(layers):
        rates.append(min(1 + (kernel - 1) * reached, cap))
        reached += rates[-1]
    return rates


def _whole(value: int, name: str, *, least: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is {value!r}, expected a whole number of at least {least}")
    return int(value)
