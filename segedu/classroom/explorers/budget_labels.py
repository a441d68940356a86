"""Names beside the points of a plot, so that none covers a point or another name."""

from collections.abc import Iterator, Sequence
from functools import lru_cache, partial

from segedu.classroom.explorers.scene import FONT_SIZE, Box, Point

LETTER = 0.6 * FONT_SIZE  # the width of one, a little generous
TALL = FONT_SIZE + 3
AWAY = 13  # from the point to the nearest edge of its name


@lru_cache(maxsize=64)
def placed(names: tuple[str, ...], points: tuple[Point, ...], taken: tuple[Box, ...], within: Box) -> list[Point]:
    """The middle of each name: as near to its point as there is room beside what is ``taken`` and the other names.

    Where there is room nowhere, the place with the least overlap.
    """
    boxes: list[Box] = []
    for name, point in zip(names, points, strict=True):
        others, candidates = [*taken, *boxes], list(_candidates(name, point, within))
        free = (box for box in candidates if not any(_overlap(box, other) for other in others))
        boxes.append(next(free, None) or min(candidates, key=partial(_crowding, others)))
    return [(x + width / 2, y + height / 2) for x, y, width, height in boxes]


def _candidates(name: str, point: Point, within: Box) -> Iterator[Box]:
    """Boxes around a point, the nearest first, that lie within the plot."""
    width = LETTER * len(name)
    left, top, across, down = within
    x, y = point
    for far in range(1, 9):
        side, rise = AWAY * far + width / 2, AWAY * (far - 1) + TALL
        for dx, dy in (
            (-side, 0),
            (side, 0),
            (0, -rise),
            (0, rise),
            (-side, -rise),
            (side, rise),
            (side, -rise),
            (-side, rise),
        ):
            box = (x + dx - width / 2, y + dy - TALL / 2, width, TALL)
            if left <= box[0] and box[0] + width <= left + across and top <= box[1] and box[1] + TALL <= top + down:
                yield box


def _crowding(others: Sequence[Box], box: Box) -> float:
    """The area that a box shares with others."""
    return sum(_overlap(box, other) for other in others)


def _overlap(one: Box, other: Box) -> float:
    """The area that two boxes share, of which a line has a pixel's breadth."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(across, 1) * max(down, 1) if min(across, down) >= 0 else 0
