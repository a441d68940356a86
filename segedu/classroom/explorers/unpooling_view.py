"""What the unpooling explorer shows: a small feature map, its pooled map, and four ways back with their errors."""

import functools
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.layers.way_back import WAYS_BACK

SIZES = (4, 11)  # cells along a side
WAYS = {"indices": "offsets", "nearest": "nearest", "bilinear": "bilinear", "shuffled": "shuffled offsets"}
"""The four ways by their short names, and which of the library's ways back each is."""
KEPT = {"int64 indices": "indices", "uint8 offsets": "offsets", "packed, 2 bits": "packed offsets"}
"""Forms in which the places of the maxima can be kept, and the library's way back that keeps them so."""
PATTERNS = ("edge", "bar", "blob", "noise only")

Place = tuple[int, int]
Values = npt.NDArray[np.float32]


class Block(NamedTuple):
    """A rectangle of cells: the first row and column, and how many of each."""

    row: int
    col: int
    rows: int
    cols: int

    @property
    def cells(self) -> int:
        return self.rows * self.cols


class Errors(NamedTuple):
    """How far a map that came back is from the one that was pooled: means over all cells."""

    missing: float
    added: float

    @property
    def total(self) -> float:
        """The mean absolute error."""
        return self.missing + self.added


@dataclass(frozen=True, eq=False)
class Unpooling:
    """A map ``(H, W)``, and what 2x2 max pooling and each of the `WAYS` back make of it.

    ``pooled``, ``offsets`` and ``equals``, how many cells of a window hold its maximum, are ``(h, w)``. Of each way,
    ``restored`` is what it makes of the pooled map, ``(H, W)``, and ``weights (h, w, H, W)`` what each cell of that
    gets from each maximum. ``kept`` counts the bytes that it takes to know where the maxima were.
    """

    values: Values
    pooled: Values
    offsets: npt.NDArray[np.uint8]
    equals: npt.NDArray[np.int64]
    restored: dict[str, Values]
    weights: dict[str, Values]
    kept: dict[str, int]
    differences: bool

    @cached_property
    def errors(self) -> dict[str, Errors]:
        """Of each way, what is missing from the map and what was added to it."""
        return {way: _errors(restored - self.values) for way, restored in self.restored.items()}

    @property
    def limit(self) -> float:
        """The value that gets the brightest colour."""
        return max(1.0, float(self.values.max()))

    @property
    def ties(self) -> int:
        """How many windows hold their maximum more than once."""
        return int((self.equals > 1).sum())

    @property
    def cut(self) -> int:
        """How many windows an odd edge cuts off."""
        height, width = self.values.shape
        return self.pooled.size - int(height // 2) * int(width // 2)

    def source(self, window: Place) -> Place:
        """The cell that a window's maximum came from."""
        offset = int(self.offsets[window])
        return 2 * window[0] + offset // 2, 2 * window[1] + offset % 2

    def window(self, window: Place) -> Block:
        """The cells of a window, of which an odd edge has fewer."""
        height, width = self.values.shape
        row, col = 2 * window[0], 2 * window[1]
        return Block(row, col, min(2, height - row), min(2, width - col))

    def goes_to(self, way: str, window: Place) -> Block:
        """The cells that a window's maximum has a part in, on one way back."""
        rows, cols = (np.flatnonzero(self.weights[way][window].any(axis)) for axis in (1, 0))
        return Block(int(rows[0]), int(cols[0]), len(rows), len(cols))


def unpooling(values: Tensor, differences: bool) -> Unpooling:
    """Pool a map ``(H, W)`` and bring it back in every way, all by the library's own layers."""
    x, (height, width) = values[None, None], values.shape
    pooled = {name: WAYS_BACK[name].pool()(x) for name in {*WAYS.values(), *KEPT.values()}}
    maxima, offsets = pooled["offsets"]
    down, across = maxima.shape[-2:]
    one_by_one = torch.eye(down * across).view(-1, 1, down, across)  # all ways are linear in the maxima
    coarse = torch.cat([maxima, one_by_one])
    fine = {}
    for way, name in WAYS.items():
        kept = pooled[name][1]
        each = kept if kept is None else kept.expand(len(coarse), -1, -1, -1)
        fine[way] = WAYS_BACK[name].unpool()(coarse, each, (height, width))[:, 0].numpy()
    return Unpooling(
        values=values.numpy(),
        pooled=maxima[0, 0].numpy(),
        offsets=offsets[0, 0].numpy(),
        equals=_equals(values, maxima[0, 0]).numpy(),
        restored={way: maps[0] for way, maps in fine.items()},
        weights={way: maps[1:].reshape(down, across, height, width) for way, maps in fine.items()},
        kept={form: pooled[name][1].nbytes for form, name in KEPT.items()},
        differences=differences,
    )


def feature_map(pattern: str, height: int, width: int, noise: float, step: float, seed: int) -> Tensor:
    """A pattern with normal noise, as ReLU would leave it: ``(H, W)``, no value below 0.

    A ``step`` above 0 rounds the values to its multiples, so that some are equal. A larger map holds the noise of a
    smaller one.
    """
    noisy = (_pattern(pattern, height, width) + noise * _noise(seed)[:height, :width]).clamp(min=0)
    return (noisy / step).round() * step if step else noisy


def _pattern(name: str, height: int, width: int) -> Tensor:
    """Bright and dark; a slanting edge and bar meet windows at every offset."""
    rows, cols = torch.arange(height)[:, None], torch.arange(width)
    slanting = (width * (0.25 + 0.5 * rows / (height - 1))).floor()
    if name == "edge":
        return torch.where(cols >= slanting, 1.0, 0.2)
    if name == "bar":
        return torch.where(cols == slanting, 1.0, 0.0)
    if name == "blob":
        down, across = (rows + 0.5) / height - 0.5, (cols + 0.5) / width - 0.5
        return torch.exp(-12 * (down**2 + across**2))
    return torch.full((height, width), 0.6)


@functools.cache
def _noise(seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(SIZES[1], SIZES[1], generator=draw)


def _equals(values: Tensor, maxima: Tensor) -> Tensor:
    """How many cells of each window hold its maximum: ``(h, w)``."""
    down, across = maxima.shape
    missing = (0, 2 * across - values.shape[1], 0, 2 * down - values.shape[0])
    windows = F.pad(values, missing, value=-torch.inf).view(down, 2, across, 2)
    return (windows == maxima[:, None, :, None]).sum((1, 3))


def _errors(difference: Values) -> Errors:
    return Errors(float(np.maximum(-difference, 0).mean()), float(np.maximum(difference, 0).mean()))
