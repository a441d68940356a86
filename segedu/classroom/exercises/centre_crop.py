"""Exercise: ``centre_crop(maps, size)``, the middle of a map: what a skip of the unpadded U-Net hands across.

``maps`` is ``(N, C, H, W)`` and ``size=(h, w)`` no larger. An odd rest is cut at the end, as in the package.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_tensor
from segedu.models.unet import centre_crop as right_crop

Size = tuple[int, int]


def _maps() -> Iterator[tuple[Tensor, Size]]:
    """An even rest, an odd one, another rest down than across, and none at all."""
    source = torch.Generator().manual_seed(2)
    for size, inner in (((8, 8), (4, 4)), ((9, 9), (4, 4)), ((7, 10), (4, 5)), ((5, 6), (5, 6)), ((6, 9), (4, 3))):
        yield torch.randn(2, 3, *size, generator=source), inner


def _from(first: Callable[[int], int]) -> Answer:
    """A crop that starts at ``first(rest)`` along each axis, as far as there is map."""

    def answer(maps: Tensor, size: Size) -> Tensor:
        top, left = first(maps.shape[-2] - size[0]), first(maps.shape[-1] - size[1])
        return maps[..., top : top + size[0], left : left + size[1]]

    return answer


def _rest_as_start(maps: Tensor, size: Size) -> Tensor:
    top, left = (maps.shape[-2] - size[0]) // 2, (maps.shape[-1] - size[1]) // 2
    return maps[..., top : size[0], left : size[1]]


def _both_sides(maps: Tensor, size: Size) -> Tensor:
    top, left = (maps.shape[-2] - size[0]) // 2, (maps.shape[-1] - size[1]) // 2
    return maps[..., top : maps.shape[-2] - top, left : maps.shape[-1] - left]


def _negative_end(maps: Tensor, size: Size) -> Tensor:
    top, left = (maps.shape[-2] - size[0]) // 2, (maps.shape[-1] - size[1]) // 2
    bottom, right = maps.shape[-2] - size[0] - top, maps.shape[-1] - size[1] - left
    return maps[..., top:-bottom, left:-right]


def _offsets_swapped(maps: Tensor, size: Size) -> Tensor:
    left, top = (maps.shape[-2] - size[0]) // 2, (maps.shape[-1] - size[1]) // 2
    return maps[..., top : top + size[0], left : left + size[1]]


def _one_offset(maps: Tensor, size: Size) -> Tensor:
    start = (maps.shape[-2] - size[0]) // 2
    return maps[..., start : start + size[0], start : start + size[1]]


centre_crop = Exercise(
    solution=right_crop,
    mistakes=(
        Mistake(
            _from(lambda rest: 0),
            "the crop starts in the upper left corner. The valid convolutions have eaten the map on all sides, so half "
            "of the difference is cut off before it and half behind; as it is, every skip shows its picture shifted.",
        ),
        Mistake(
            _from(lambda rest: rest),
            "the crop ends in the lower right corner: the whole difference is cut off before it. Half of it is.",
        ),
        Mistake(
            _from(lambda rest: (rest + 1) // 2),
            "where the difference is odd, the larger half is cut off at the beginning. One pixel decides whether maps "
            "meet: the rule here is that the odd row or column is cut at the end, so the start is rounded down.",
        ),
        Mistake(
            _from(lambda rest: rest // 2 + 1),
            "the crop is one pixel off, down and to the right: rest // 2 rows are cut off, so row rest // 2, counted "
            "from 0, is the first that stays.",
        ),
        Mistake(
            _from(lambda rest: max(rest // 2 - 1, 0)),
            "the crop is one pixel off, up and to the left: the first row that stays is number rest // 2, counted from "
            "0.",
        ),
        Mistake(
            _rest_as_start,
            "the slice ends at the size. A slice names the first that stays and the first that no longer does: it ends "
            "at start + size.",
        ),
        Mistake(
            _both_sides,
            "as much is cut off at the end as at the start. An odd difference leaves the map one pixel too large: end "
            "at start + size.",
        ),
        Mistake(
            _negative_end,
            "where nothing is left to cut, the slice ends at -0, which is 0, and the map is empty: end at start + size "
            "and no case is special.",
        ),
        Mistake(
            _offsets_swapped,
            "rows and columns have changed places in the offsets: the last axis of a map is its width, the one before "
            "its height.",
        ),
        Mistake(
            _one_offset,
            "one offset serves both axes. Height and width may differ by different amounts, so each has its own.",
        ),
        Mistake(
            lambda maps, size: right_crop(maps, (size[1], size[0])),
            "height and width of size have changed places: it is (rows, columns), in the order of the map's axes.",
        ),
        Mistake(
            lambda maps, size: F.interpolate(maps, size),
            "the map is resized by leaving pixels out. The whole of it is then squeezed into the frame, and nothing "
            "lies where it did; a crop keeps the pixels of the middle and drops the border.",
        ),
        Mistake(
            lambda maps, size: F.interpolate(maps, size, mode="bilinear"),
            "the map is resized by interpolation. The whole of it is then squeezed into the frame, and nothing lies "
            "where it did; a crop keeps the pixels of the middle and drops the border.",
        ),
        Mistake(
            lambda maps, size: F.adaptive_avg_pool2d(maps, size),
            "the map is pooled to the size, so all of it is averaged into the frame; a crop keeps the pixels of the "
            "middle as they are.",
        ),
    ),
    probes=_maps,
    observe=one_tensor,
    learnt=(
        "half of what is too much goes at each side, and an odd one at the end. Off by one, every skip would tell the "
        "decoder of the pixel next door."
    ),
)
