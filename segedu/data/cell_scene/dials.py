"""The dials of the painter of cells: what a lesson turns to make one difficulty larger."""

from dataclasses import dataclass

from segedu.data.dials import require_in_range

_RANGES = {
    "density": (0.0, 1.0),
    "touching": (0.0, 1.0),
    "seam": (0.0, 1.0),
    "noise": (0.0, 4.0),
    "unevenness": (0.0, 1.0),
}


@dataclass(frozen=True)
class Dials:
    """How a dish of cells is painted. A dial changes what it names and leaves the rest of scene i as it was.

    density: share of the places for cells that are taken, 0..1.
    touching: probability that a cell has grown against an earlier one, 0..1; the others lie where chance puts them.
    seam: how much darker the line between two touching cells is than the cells, 0..1: at 0 only their outlines tell.
    noise: strength of the sensor's noise, 0..4.
    unevenness: how far the light changes over the picture, 0..1.

    Raises ``TypeError`` for a dial that is not a number, ``ValueError`` if out of range.
    """

    density: float = 0.8
    touching: float = 0.7
    seam: float = 0.5
    noise: float = 1.0
    unevenness: float = 0.5

    def __post_init__(self) -> None:
        require_in_range(self, _RANGES)
