"""How much of a dilated kernel falls on the map: a large rate turns a 3x3 filter into a 1x1.

A layer that keeps the map's size reads zeros wherever a tap leaves the map. The share of taps that do not is a matter
of arithmetic: along an axis of ``n`` cells a tap ``d`` cells from the centre is on the map for ``n - d`` of them.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from numbers import Integral

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ValidTaps:
    """Where the taps of one ``kernel x kernel`` layer with a dilation ``rate`` fall on a map of ``size``, ``(H, W)``.

    At stride 1, and with the padding that keeps the size; a tap is valid at a cell where it reads the map rather than
    padding.
    """

    size: tuple[int, int]
    rate: int
    kernel: int

    @property
    def padding(self) -> int:
        """The cells of padding on each side that keep the size, ``rate * (kernel - 1) / 2``."""
        return self.rate * (self.kernel // 2)

    @cached_property
    def usage(self) -> npt.NDArray[np.float64]:
        """The share of cells at which each weight is valid, ``(kernel, kernel)``: the kernel as it is on average.

        In closed form: ``(1 - |i| rate / H) (1 - |j| rate / W)`` for the weight ``i`` rows and ``j`` columns from the
        centre, and 0 where a factor would be negative. The centre is always valid.
        """
        steps = self.rate * np.abs(np.arange(self.kernel) - self.kernel // 2)
        down, right = (np.maximum(0, 1 - steps / side) for side in self.size)
        return np.outer(down, right)

    @property
    def mean(self) -> float:
        """The number of valid taps of a cell, on average: the sum of ``usage``."""
        return float(self.usage.sum())

    @cached_property
    def axis_counts(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """How many rows of the kernel are valid in each row of the map, ``(H,)``, and columns, ``(W,)``."""
        taps = self.rate * (np.arange(self.kernel) - self.kernel // 2)
        down, right = (np.arange(side)[:, None] + taps for side in self.size)
        return ((down >= 0) & (down < self.size[0])).sum(1), ((right >= 0) & (right < self.size[1])).sum(1)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many taps are valid at each cell, ``(H, W)``: those of its row times those of its column."""
        return np.outer(*self.axis_counts)

    @property
    def shares(self) -> dict[int, float]:
        """The share of cells with each number of valid taps, most taps first; only numbers that there are.

        Of a 3x3 kernel on a square map these are 9, 6 and 4 as long as the rate is under half the map's side, and 4, 2
        and 1 beyond (DeepLab v3, section 3.3).
        """
        cells: Counter[int] = Counter()
        rows, cols = (self._axis_cells(side) for side in self.size)
        for (down, high), (right, wide) in product(enumerate(rows), enumerate(cols)):
            cells[down * right] += high * wide
        return {number: cells[number] / math.prod(self.size) for number in sorted(cells, reverse=True) if cells[number]}

    def _axis_cells(self, side: int) -> list[int]:
        """How many cells along an axis have 0, 1, ... ``kernel`` rows of the kernel on the map, in closed form.

        ``i`` rows before the centre and ``j`` behind it, or more, are valid for ``side - (i + j) rate`` cells.
        """
        middle = self.kernel // 2
        at_least = [max(0, side - rows * self.rate) for rows in range(self.kernel + 2)]
        cells = [0] * (self.kernel + 1)
        for i, j in product(range(middle + 1), repeat=2):
            more = (i < middle) + (j < middle)  # of the two sides, those that could have one row more
            cells[i + j + 1] += at_least[i + j] - more * at_least[i + j + 1] + (more == 2) * at_least[i + j + 2]
        return cells

    @property
    def is_pointwise(self) -> bool:
        """Whether only the centre is ever valid, so that the layer is a 1x1 convolution."""
        return self.kernel == 1 or self.rate >= max(self.size)

    def block(self, row: int, col: int) -> tuple[slice, slice]:
        """The rows and columns of the kernel that are valid at one cell: always a block around the centre."""
        below, above = (self._block(at, side) for at, side in zip((row, col), self.size, strict=True))
        return below, above

    def _block(self, at: int, side: int) -> slice:
        middle = self.kernel // 2
        return slice(middle - min(middle, at // self.rate), middle + min(middle, (side - 1 - at) // self.rate) + 1)


def valid_taps(size: int | Sequence[int], rate: int, kernel: int = 3) -> ValidTaps:
    """Where the taps of a dilated kernel fall on a map of ``size``, an ``(H, W)`` or the side of a square.

    ``valid_taps(33, 18).mean`` is 3.64 of 9: so little is left of DeepLab v3's largest rate on the map of a 513-pixel
    picture at output stride 16. Raises ``ValueError`` for a side, a rate or a kernel below 1, and for an even kernel,
    which has no centre.
    """
    height, width = (size, size) if isinstance(size, int) else size
    for name, value in (("size", height), ("size", width), ("rate", rate), ("kernel", kernel)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} holds {value!r}, expected a whole number of at least 1")
    if kernel % 2 == 0:
        raise ValueError(f"kernel is {kernel}, expected an odd number: an even kernel has no centre to pad around")
    return ValidTaps((int(height), int(width)), int(rate), int(kernel))
