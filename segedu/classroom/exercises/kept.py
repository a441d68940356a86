"""Exercise: ``kept_bytes(way, maps)``, the bytes that an encoder holds for its decoder while it goes on down.

``maps`` lists ``(channels, height, width)`` of each map that is pooled, for one picture, in float32. ``way`` is
``"indices"`` (int64), ``"offsets"`` (uint8), ``"pooled skip"`` (the map after pooling) or ``"full skip"`` (the map
before it). Windows are 2x2; at an odd side the last one is cut, and counts (claim N2 of the notes).
"""

import reprlib
from collections.abc import Callable
from math import ceil
from operator import index
from typing import Any

import torch

from segedu.classroom.exercises.exercise import Answer, Exercise, Hint, Mistake, Observed

Maps = list[tuple[int, int, int]]
Cost = Callable[[str, int, int, int], int]

WAYS = ("indices", "offsets", "pooled skip", "full skip")
SEGNET = [(64, 360, 480), (128, 180, 240), (256, 90, 120), (512, 45, 60), (512, 23, 30)]
BYTES = {"indices": 8, "offsets": 1, "pooled skip": 4, "full skip": 4}


def _count(returned: Any) -> Observed:
    try:
        return {"the number of bytes": torch.tensor(index(returned))}
    except (TypeError, ValueError, RuntimeError):
        raise Hint(
            f"return a whole number of bytes; the function returns {reprlib.repr(returned)}. (A MiB is 2**20 bytes.)"
        ) from None


def _networks() -> list[tuple[str, Maps]]:
    """One small even map, two odd ones, SegNet at 360 x 480, and no pooling at all, each for every way."""
    return [(way, list(maps)) for maps in ([(2, 4, 6)], [(1, 3, 3), (3, 5, 7)], SEGNET, []) for way in WAYS]


def _summed(cost: Cost) -> Answer:
    """The sum of ``cost(way, channels, height, width)`` over the maps."""
    return lambda way, maps: sum(cost(way, *one) for one in maps)


def _windows(height: int, width: int) -> int:
    return ceil(height / 2) * ceil(width / 2)


def _with(numbers: Callable[[int, int], int]) -> Answer:
    """The right answer but for ``numbers(height, width)`` that a pooled channel is taken to have."""
    return _summed(lambda way, c, h, w: c * BYTES[way] * (h * w if way == "full skip" else numbers(h, w)))


def _priced(**prices: int) -> Answer:
    """The right answer but for the bytes of one number."""
    paid = BYTES | {name.replace("_", " "): price for name, price in prices.items()}
    return _summed(lambda way, c, h, w: c * paid[way] * (h * w if way == "full skip" else _windows(h, w)))


_right = _priced()

kept_bytes = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            _with(lambda h, w: h // 2 * (w // 2)),
            "right for even sides. At an odd side the last window is cut off and still gives a maximum: 5 rows make 3 "
            "windows, so halves are rounded up.",
        ),
        Mistake(
            _with(lambda h, w: ceil(h * w / 4)),
            "right for even sides. Each side is halved and rounded up by itself, 3 x 4 windows in 5 x 7 cells; a "
            "quarter of all cells is less.",
        ),
        Mistake(
            _with(lambda h, w: h * w // 4),
            "right for even sides. Each side is halved and rounded up by itself, 3 x 4 windows in 5 x 7 cells; a "
            "quarter of all cells, rounded down, is fewer still.",
        ),
        Mistake(
            _with(lambda h, w: h * w),
            "a window gives one number in each channel, whatever is kept of it. Only the full skip keeps all cells; "
            "the other ways keep a quarter as many numbers.",
        ),
        Mistake(
            _with(lambda h, w: ceil(h / 2) * w),
            "only one side is halved: a 2x2 window halves rows and columns.",
        ),
        Mistake(
            _summed(lambda way, c, h, w: c * BYTES[way] * _windows(h, w)),
            "the full skip is counted after pooling. It keeps the map as it was before, with all its cells; that is "
            "why it costs four times the pooled one.",
        ),
        Mistake(
            _priced(indices=4),
            "indices are counted with 4 bytes, like int32. PyTorch's are int64, 8 bytes each, so they take twice the "
            "place of the pooled map itself.",
        ),
        Mistake(
            _priced(offsets=4),
            "offsets are counted with 4 bytes, like float32. A uint8 takes one.",
        ),
        Mistake(
            _priced(offsets=8),
            "offsets are counted with 8 bytes, as if they were int64 too; or in bits. A uint8 takes one byte.",
        ),
        Mistake(
            _summed(lambda way, c, h, w: c * _windows(h, w) // 4 if way == "offsets" else _right(way, [(c, h, w)])),
            "four offsets are put into a byte. Two bits are enough for each, and the package's packed offsets do so; "
            "those of this exercise take a byte each.",
        ),
        Mistake(
            _priced(offsets=1, pooled_skip=8, full_skip=8),
            "skips are counted in double precision; float32 takes 4 bytes.",
        ),
        Mistake(
            _priced(indices=1, pooled_skip=1, full_skip=1),
            "numbers are counted and not bytes: int64 takes 8 bytes, float32 takes 4, uint8 takes 1.",
        ),
        Mistake(
            lambda way, maps: 8 * _right(way, maps),
            "this is eight times too much: these are bits, and a byte has eight.",
        ),
        Mistake(
            _summed(lambda way, c, h, w: _right(way, [(1, h, w)])),
            "one channel is counted of each map. Every channel has maxima of its own, at places of its own.",
        ),
        Mistake(
            lambda way, maps: _right(way, maps[:1]),
            "only the first map is counted: all of them are held until the decoder comes back to them, the first one "
            "last. A return must not stand inside the loop.",
        ),
        Mistake(
            lambda way, maps: _right(way, maps[-1:]),
            "only the last map is counted: the sum has to grow with each map, and to start before the loop.",
        ),
        Mistake(
            lambda way, maps: max((_right(way, [one]) for one in maps), default=0),
            "this is the largest of the maps. All of them are held at the same time, so they add up.",
        ),
        Mistake(
            lambda way, maps: _right(way, maps) + (_right("pooled skip", maps) if way in ("indices", "offsets") else 0),
            "the pooled map is counted as well. The encoder goes on with it and lets it go; what is held for the "
            "decoder are the places alone.",
        ),
        Mistake(
            lambda way, maps: _right(way, maps) + (_right("pooled skip", maps) if way == "full skip" else 0),
            "the full skip is counted together with the pooled map, which nobody keeps there.",
        ),
    ),
    probes=_networks,
    observe=_count,
    learnt=(
        "positions in int64 take twice the bytes of the pooled map that they are to replace, offsets a quarter of it, "
        "and two bits would take a sixteenth. What a design saves depends on how it is stored."
    ),
)
