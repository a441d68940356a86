"""The map of the receptive-field explorer: a layer's units, coloured by what their fields are like."""

from collections.abc import Iterator, Sequence

import numpy as np

from segedu.classroom.explorers.heat import CIVIDIS, FINEST_GRID, grid_lines
from segedu.classroom.explorers.scene import Primitive, cells, gradient, rectangle, text
from segedu.classroom.explorers.stack_view import View, sizes_of

LEFT, TOP, SIDE = 446, 28, 190  # CSS pixels: a square
KEY, ROW = LEFT + SIDE + 12, 22  # what the colours mean
MOST_CELLS = 256  # along a side: the square has no room for more
MOST_SIZES = 5  # that are told apart by name in the key

SHADES = gradient(*CIVIDIS)


def step(units: int) -> int:
    """Units for each cell of the map, along one axis."""
    return -(-units // MOST_CELLS)


def units_map(view: View) -> Iterator[Primitive]:
    """The map: which of its units see how much, where they differ in size; else how much of it is picture."""
    sizes = sizes_of(view.field)
    yield text((LEFT, TOP / 2), f"{_title(view)}: {view.units} × {view.units} units")
    if len(sizes) > 1:
        areas = np.outer(view.along, view.along)
        shades = (areas - sizes[0] ** 2) / (sizes[-1] ** 2 - sizes[0] ** 2)
    else:
        along = view.in_picture / sizes[0]
        shades = np.outer(along, along)
    every = step(view.units)
    thin = np.rint((len(SHADES) - 1) * shades[every // 2 :: every, every // 2 :: every]).astype(np.uint8)
    cell = SIDE // len(thin)
    side = cell * len(thin) if cell >= FINEST_GRID else SIDE  # whole pixels where lines stand between the cells
    box = (LEFT, TOP, side, side)
    yield cells(box, thin, SHADES, panel="map")
    yield from grid_lines(box, *thin.shape)
    yield rectangle(box, stroke="border")
    yield from _key_of_sizes(sizes) if len(sizes) > 1 else _key_of_shares()


def _title(view: View) -> str:
    return f"layer {view.chosen + 1}" if view.chosen >= 0 else "image"


def _key_of_sizes(sizes: Sequence[int]) -> Iterator[Primitive]:
    """A swatch for each size that a field has; the smallest and the largest where there are many."""
    yield text((KEY, TOP + 10), "field of a unit:")
    fields = sorted({(min(pair), max(pair)) for pair in ((a, b) for a in sizes for b in sizes)}, key=np.prod)
    if len(fields) > MOST_SIZES:
        fields = [fields[0], fields[len(fields) // 2], fields[-1]]
    low, high = sizes[0] ** 2, sizes[-1] ** 2
    for index, (one, two) in enumerate(fields):
        y = TOP + 36 + index * ROW
        shade = SHADES[round((len(SHADES) - 1) * (one * two - low) / (high - low)), :3]
        yield rectangle((KEY, y - 8, 16, 16), fill="#" + bytes(shade).hex(), stroke="border")
        yield text((KEY + 22, y), f"{one} × {two} px")


def _key_of_shares() -> Iterator[Primitive]:
    yield text((KEY, TOP + 10), "share of a unit's field")
    yield text((KEY, TOP + 30), "that is picture:")
    bar = (KEY, TOP + 52, 16, SIDE - 62)
    yield cells(bar, np.arange(len(SHADES) - 1, -1, -1, dtype=np.uint8)[:, None], SHADES)
    yield rectangle(bar, stroke="border")
    for part in (0, 0.5, 1):
        yield text((KEY + 24, bar[1] + (1 - part) * bar[3]), f"{100 * part:.0f} %")
