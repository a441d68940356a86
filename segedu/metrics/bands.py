"""Bands along the places where label maps change: all classes and several maps in one pass."""

from collections.abc import Mapping

import torch
from torch import Tensor


def corners(maps: Mapping[int, Tensor]) -> Tensor:
    """Corners of pixels around which not all labels are the same: ``(N, H, W) -> (N, H + 1, W + 1)`` uint8.

    Corner ``(i, j)`` has pixel ``(i, j)`` to its lower right; those on the frame see only the pixels that there are.
    Several maps share one pass: each is given under the bits that it sets where its labels differ.
    """
    across = _combined({bits: labels[:, :, 1:] != labels[:, :, :-1] for bits, labels in maps.items()})
    down = _combined({bits: labels[:, 1:] != labels[:, :-1] for bits, labels in maps.items()})
    images, height, width = next(iter(maps.values())).shape
    changes = across.new_zeros(images, height + 1, width + 1)
    changes[:, :-1, 1:-1] |= across
    changes[:, 1:, 1:-1] |= across
    changes[:, 1:-1, :-1] |= down
    changes[:, 1:-1, 1:] |= down
    return changes


def _combined(differ: Mapping[int, Tensor]) -> Tensor:
    words = [found.view(torch.uint8) * bits for bits, found in differ.items()]
    for more in words[1:]:
        words[0] |= more
    return words[0]


def compact(labels: Tensor, num_classes: int) -> Tensor:
    """The labels in one byte, or two where a byte does not tell the classes apart: less to read when they compare.

    What is no class wraps around, so void needs a map of its own, and strays are refused elsewhere.
    """
    return labels.to(torch.uint8 if num_classes <= 256 else torch.int16)


def mark_frame(changes: Tensor, bits: int) -> Tensor:
    """The same corners with those on the frame marked, in place: outside the picture is another label."""
    for edge in (changes[:, 0], changes[:, -1], changes[:, :, 0], changes[:, :, -1]):
        edge.fill_(bits)
    return changes


def within(changes: Tensor, distance: int) -> Tensor:
    """Bitwise or over the corners inside each pixel's square: ``(N, H + 1, W + 1) -> (N, H, W)``, any integer type.

    The square of ``2 distance + 1`` pixels a side (chessboard distance) holds two labels exactly where it holds a
    corner that does; so one bit a map is enough for any number of classes, and neither minimum nor maximum is needed.
    The run of ``2 distance`` corners is doubled until it is as long, so time grows with the logarithm of the distance.
    """
    for axis in (1, 2):
        changes = _run(changes, min(distance, changes.shape[axis]), axis)
    return changes


def _run(words: Tensor, distance: int, axis: int) -> Tensor:
    edge = list(words.shape)
    edge[axis] = distance - 1
    outside = words.new_zeros(edge)
    run, length = torch.cat([outside, words, outside], axis), 1
    while length < 2 * distance:
        step = min(length, 2 * distance - length)
        size = run.shape[axis] - step
        run, length = run.narrow(axis, 0, size) | run.narrow(axis, step, size), length + step
    return run
