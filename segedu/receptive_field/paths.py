"""How many paths lead from each pixel to a unit of a stack: what its gradient is worth before anything is learnt."""

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from segedu.receptive_field.reads import NOTHING, Reads, fold
from segedu.receptive_field.stack import Level, partner

Heat = npt.NDArray[np.float64]
Terms = tuple[Heat, Heat]  # (terms, units) along the rows and along the columns: a map as a sum of outer products


def expected_heat(levels: Sequence[Level], pixels: int, unit: tuple[int, int]) -> Heat:
    """The gradient that ``unit`` of the last level is expected to have on an image, ``(pixels, pixels)``, of sum 1.

    In a network with random weights of mean zero no two paths from a pixel to a unit agree but by chance, so the
    expected squared gradient adds up over the paths (Luo et al. 2016, section 2); a pooling sends its part to each of
    its cells with equal chance. Here is the root of that sum, which a mean absolute gradient comes near to. Each layer
    is taken to keep the size of what passes (He et al. 2015), which settles how branches compare; the two halves of a
    skip count alike. Raises ``ValueError`` for a unit that is not there and for one that no pixel reaches.
    """
    units = levels[-1].units if levels else pixels
    if not all(0 <= place < units for place in unit):
        raise ValueError(f"unit is {unit}, but the map has {units} rows and columns of units, counted from 0")
    rows, columns = _arrivals(levels, pixels, (_only(units, unit[0]), _only(units, unit[1])))
    down, across = (np.flatnonzero(part.any(0)) for part in (rows, columns))
    if not (len(down) and len(across)):
        raise ValueError(f"no pixel reaches unit {unit}: it sees padding only")
    box = slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1)  # most of the image may lie outside
    weights: Heat = np.sqrt(rows[:, box[0]].T @ columns[:, box[1]])
    heat = np.zeros((pixels, pixels))
    heat[box] = weights / weights.sum()
    return heat


def _arrivals(levels: Sequence[Level], pixels: int, start: Terms) -> Terms:
    """Every path followed back to the image, the layers in reverse, so that what joins has all arrived."""
    arrived: defaultdict[int, list[Terms]] = defaultdict(list, {len(levels) - 1: [start]})
    for at in reversed(range(len(levels))):
        level, cells = levels[at], levels[at - 1].units if at else pixels
        rows, columns = _joined(arrived.pop(at))
        if level.layer.kind == "skip":
            other = partner(levels[:at])
            arrived[other].append((_uncropped(rows, levels[other].units), _uncropped(columns, levels[other].units)))
            arrived[at - 1].append((rows, columns))
        else:
            for reads in level.layer.reads:
                arrived[at - 1].append((_back(rows, reads, cells), _back(columns, reads, cells)))
    return _joined(arrived[-1])


def _only(units: int, place: int) -> Heat:
    return np.eye(1, units, place)


def _joined(arrived: list[Terms]) -> Terms:
    """All terms together; never more than there are units, since so many can hold any map."""
    rows, columns = (np.concatenate(parts) for parts in zip(*arrived, strict=True))
    terms, units = rows.shape
    return (np.eye(units), rows.T @ columns) if terms > units else (rows, columns)


def _back(weights: Heat, reads: Reads, cells: int) -> Heat:
    """What ``(terms, units)`` of weight hand to the cells that they read, alike to each tap; padding keeps its part."""
    taps = fold(reads.taps(np.arange(weights.shape[1]), cells), cells, reads.border)
    handed = np.zeros((len(weights), cells))
    for tap in taps.T:  # of one tap, no two units read the same cell
        real = tap != NOTHING
        handed[:, tap[real]] += weights[:, real]
    existing = taps.shape[1] * min(reads.step, Fraction(1))  # of a transposed kernel, on average
    return handed / float(existing)


def _uncropped(weights: Heat, cells: int) -> Heat:
    """The weights of a middle part as those of the whole map."""
    before = (cells - weights.shape[1]) // 2
    return np.pad(weights, ((0, 0), (before, cells - weights.shape[1] - before)))
