"""How the dilation explorer looks: the input, by how often a cell is read, beside the output, by taps on the map."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from segedu.classroom.explorers.heat import heat_map, legend, outlines
from segedu.classroom.explorers.scene import Primitive, Scene, rectangle, text

WIDTH, HEIGHT, TITLE, SIDE = 840, 402, 28, 370  # CSS pixels
LEFT, PITCH = 2, 396  # where the input begins, and from there to the output
LEGEND = LEFT + PITCH + SIDE + 18

Counts = npt.NDArray[np.int64]


def scene(read_by: Counts, taps_on_map: Counts, kernel: int) -> Scene:
    """Both maps on one scale of colours, from counts along one axis."""
    size, units = len(read_by), len(taps_on_map)
    return Scene(
        WIDTH,
        HEIGHT,
        [
            text((LEFT, TITLE / 2), f"input {size} × {size}: how many units read a cell"),
            *heat_map((LEFT, TITLE), SIDE, np.outer(read_by, read_by), kernel**2, "input"),
            text((LEFT + PITCH, TITLE / 2), f"output {units} × {units}: taps on the map"),
            *heat_map((LEFT + PITCH, TITLE), SIDE, np.outer(taps_on_map, taps_on_map), kernel**2, "output"),
            *legend((LEGEND, TITLE + 8, 16, SIDE - 8), kernel**2),
        ],
    )


def taps(shown: Scene, unit: tuple[int, int], rows: Sequence[int], cols: Sequence[int]) -> list[Primitive]:
    """An output unit, the cells that it reads, and a frame around them."""
    read, output = _panels(shown)
    return [*_crossings(read, rows, cols), *outlines(output, [unit])]


def readers(shown: Scene, cell: tuple[int, int], rows: Sequence[int], cols: Sequence[int]) -> list[Primitive]:
    """An input cell, the output units that read it, and a frame around them."""
    read, output = _panels(shown)
    return [*outlines(read, [cell]), *_crossings(output, rows, cols)]


def _panels(shown: Scene) -> list[Primitive]:
    return [item for item in shown.items if item.get("panel")]


def _crossings(panel: Primitive, rows: Sequence[int], cols: Sequence[int]) -> list[Primitive]:
    """Every cell in one of ``rows`` and one of ``cols``; several are framed together."""
    places = [(row, col) for row in rows for col in cols]
    if len(places) < 2:
        return outlines(panel, places)
    (x, y, width, _), (cells, _) = panel["box"], panel["shape"]
    step = width / cells
    span = ((cols[-1] - cols[0] + 1) * step, (rows[-1] - rows[0] + 1) * step)
    frame = rectangle((x + cols[0] * step, y + rows[0] * step, *span), stroke="now", width=2)
    return [frame, *outlines(panel, places)]
