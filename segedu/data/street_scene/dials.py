"""The dials of the road-scene painter: what a lesson turns to make one difficulty larger."""

from dataclasses import dataclass

from segedu.data.dials import require_in_range

_RANGES = {
    "thinness": (0.25, 8.0),
    "imbalance": (0.0, 8.0),
    "scale_spread": (0.0, 2.0),
    "texture": (0.0, 2.0),
    "context": (0.0, 1.0),
    "void_border": (0, 16),
    "unknown_object": (0.0, 1.0),
}


@dataclass(frozen=True)
class Dials:
    """How a street is painted. A dial changes what it names and leaves the rest of scene i as it was.

    thinness: poles and signs are this many times thinner than usual (never under one pixel), 0.25..8.
    imbalance: rarity of poles, signs, fences, pedestrians and bicyclists, 0..8. What usually is there with
    probability p
        is there with p ** imbalance: 0 puts everything in, 1 is the usual street, more empties it.
    scale_spread: spread of the objects' distances, so of their scales, 0..2: 0 sets all at one distance, 1 is usual.
    texture: strength of surface texture and sensor noise, 0..2.
    context: how far only its place tells pavement from road, 0..1: 0 gives pavement its own colour, 1 the road's.
    void_border: width in pixels of the void round cars, people, riders and unknown objects, 0..16.
    unknown_object: probability of an object of no class on the road, labelled void, 0..1.

    Raises ``TypeError`` for a dial that is not a number (``void_border``: not an integer), ``ValueError`` if out of
    range.
    """

    thinness: float = 1.0
    imbalance: float = 1.0
    scale_spread: float = 1.0
    texture: float = 1.0
    context: float = 0.8
    void_border: int = 1
    unknown_object: float = 0.0

    def __post_init__(self) -> None:
        require_in_range(self, _RANGES)
