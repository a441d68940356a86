"""Exercise: ``unpool(pooled, offsets, size)``, each maximum back to its place in a 2x2 window, zeros elsewhere.

``pooled`` ``(N, C, h, w)`` are the maxima, ``offsets`` their places, ``2 * row + column`` in the window, and
``size=(H, W)`` is that of the map that was pooled, whose last windows are cut where a side is odd (SegNet, section 3).
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_tensor
from segedu.layers.unpool import max_pool, max_unpool

Size = tuple[int, int]


def _pooled_maps() -> Iterator[tuple[Tensor, Tensor, Size]]:
    """Even sides first, then one odd side after the other; values of both signs, every offset in every channel."""
    source = torch.Generator().manual_seed(2)
    for size in ((8, 12), (8, 11), (7, 12)):
        pooled, offsets = max_pool(torch.randn(2, 3, *size, generator=source))
        yield pooled - 0.5, offsets, size


def _spread(pooled: Tensor, offsets: Tensor) -> Tensor:
    """The right numbers on whole windows, before anything is cut: ``(N, C, 2h, 2w)``."""
    return max_unpool(pooled, offsets, (2 * pooled.shape[-2], 2 * pooled.shape[-1]))


def _cut(fine: Tensor, size: Size) -> Tensor:
    return fine[..., : size[0], : size[1]]


def _reading(change: Callable[[Tensor], Tensor]) -> Answer:
    """An answer that takes each offset for ``change(offset)``."""
    return lambda pooled, offsets, size: _cut(_spread(pooled, change(offsets)), size)


def _from_one(pooled: Tensor, offsets: Tensor, size: Size) -> Tensor:
    known = pooled.where(offsets > 0, 0.0)
    return _cut(_spread(known, offsets.clamp(min=1) - 1), size)


def _flat(place: Callable[[Tensor, Tensor, Tensor, int, int], Tensor]) -> Answer:
    """An answer by ``place(i, j, offset, w, W)``, a position in the flattened map; the last writer wins."""

    def answer(pooled: Tensor, offsets: Tensor, size: Size) -> Tensor:
        rows, columns = (torch.arange(cells) for cells in pooled.shape[-2:])
        places = place(rows[:, None], columns, offsets.long(), pooled.shape[-1], size[1]).flatten(2)
        fine = pooled.new_zeros(*pooled.shape[:2], size[0] * size[1])
        for window, values in enumerate(pooled.flatten(2).unbind(-1)):
            fine.scatter_(-1, places[..., window : window + 1], values[..., None])
        return fine.view(*pooled.shape[:2], *size)

    return answer


def _quadrants(pooled: Tensor, offsets: Tensor, size: Size) -> Tensor:
    parts = [pooled.where(offsets == offset, 0.0) for offset in range(4)]
    return _cut(torch.cat([torch.cat(parts[:2], -1), torch.cat(parts[2:], -1)], -2), size)


def _repeated(pooled: Tensor, offsets: Tensor, size: Size) -> Tensor:
    return _cut(pooled.repeat_interleave(2, -2).repeat_interleave(2, -1), size)


REPEATED = (
    "every cell of a window gets its maximum, and the offsets are not used: that is nearest-neighbour upsampling. "
    "Unpooling gives the maximum to the one cell that it came from, and zero to the others."
)
SMOOTH = (
    "this is bilinear interpolation, for which the offsets are not needed. Unpooling puts each maximum on one cell and "
    "leaves zeros; the convolutions after it fill them."
)

unpool = Exercise(
    solution=max_unpool,
    mistakes=(
        Mistake(
            _reading(lambda offsets: offsets // 2 + 2 * (offsets % 2)),
            "rows and columns have changed places: an offset is 2 * row + column, counted as one reads, so 1 is the "
            "cell to the right and 2 is the cell below.",
        ),
        Mistake(
            _reading(lambda offsets: 3 - offsets),
            "the window is read from its end: offset 0 is its upper left cell and 3 its lower right one.",
        ),
        Mistake(
            _from_one,
            "the offsets are counted from 1, so what belongs to the upper left cell is lost and the rest stands one "
            "place too early. They go from 0 to 3.",
        ),
        Mistake(
            _reading(torch.zeros_like),
            "every maximum goes to the upper left cell of its window: the offsets are not used yet, and they say which "
            "of the four it came from.",
        ),
        Mistake(
            lambda pooled, offsets, size: _cut(_spread(pooled, offsets[:1, :1].expand_as(offsets)), size),
            "all maps use the offsets of the first. Each channel of each picture has maxima of its own, and so places "
            "of its own.",
        ),
        Mistake(
            lambda pooled, offsets, size: _cut(_spread(pooled, offsets[:, :1].expand_as(offsets)), size),
            "all channels use the offsets of the first channel. Each has maxima of its own, and so places of its own.",
        ),
        Mistake(
            lambda pooled, offsets, size: _repeated(pooled, offsets, size) - _cut(_spread(pooled, offsets), size),
            "the choice is the wrong way round: the cell that the offset names is left at zero, and the other three "
            "get the maximum.",
        ),
        Mistake(_repeated, REPEATED),
        Mistake(lambda pooled, offsets, size: F.interpolate(pooled, size, mode="nearest"), REPEATED),
        Mistake(lambda pooled, offsets, size: F.interpolate(pooled, size, mode="bilinear"), SMOOTH),
        Mistake(
            lambda pooled, offsets, size: _cut(F.interpolate(pooled, scale_factor=2, mode="bilinear"), size), SMOOTH
        ),
        Mistake(
            _quadrants,
            "the four offsets fill four quarters of the map. Their cells lie interleaved: those of offset 0 are every "
            "second cell of every second row, fine[..., 0::2, 0::2].",
        ),
        Mistake(
            _flat(lambda i, j, offset, w, width: offset),
            "the offsets are used as positions in the whole map, so everything lands in its first four cells. An "
            "offset counts inside one window, which begins at row 2i and column 2j.",
        ),
        Mistake(
            _flat(lambda i, j, offset, w, width: (2 * i + offset // 2) * w + 2 * j + offset % 2),
            "the positions are counted with rows of w cells, the width of the pooled map. They are positions in the "
            "fine map, whose rows are size[1] cells long.",
        ),
        Mistake(
            _flat(lambda i, j, offset, w, width: (i + offset // 2) * width + j + offset % 2),
            "the windows overlap: window (i, j) begins at row 2i and column 2j of the fine map, not at row i and "
            "column j.",
        ),
        Mistake(
            lambda pooled, offsets, size: _spread(pooled, offsets),
            "right for the first map. The other maps have an odd side, where the last window has one row or column "
            "only: the result has to be cut to size.",
        ),
        Mistake(
            lambda pooled, offsets, size: _spread(pooled, offsets)[..., -size[0] :, -size[1] :],
            "right for even sides. At an odd side the cut is made at the first row or column; the incomplete window is "
            "the last, so cut at the end.",
        ),
        Mistake(
            lambda pooled, offsets, size: max_unpool(pooled / 4, offsets, size),
            "the places are right, but the values are quarters: nothing is shared out among the cells of a window, one "
            "of them gets all.",
        ),
        Mistake(
            lambda pooled, offsets, size: max_unpool(pooled.relu(), offsets, size),
            "the places are right, but negative values are gone. Unpooling moves whatever the decoder hands it; it "
            "takes no maximum itself.",
        ),
        Mistake(
            lambda pooled, offsets, size: max_unpool(torch.ones_like(pooled), offsets, size),
            "the places are marked with ones; the maxima themselves have to stand there.",
        ),
    ),
    probes=_pooled_maps,
    observe=one_tensor,
    learnt=(
        "one value to one cell of each window, the rest zero, and nothing to learn. The gradient goes the same way "
        "back: it is read off at the very same cells."
    ),
)
