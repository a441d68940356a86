"""Where label maps change class, and which of those places lie near one another."""

from math import isqrt

import torch
from torch import Tensor

CLASSES_PER_WORD = {torch.int16: 15, torch.int32: 31, torch.int64: 63}  # all bits but the sign


def squared_reach(tolerance: float, height: int, width: int) -> int:
    """The largest whole squared distance, in pixels, within ``tolerance`` diagonals of a picture of this size."""
    return int(tolerance**2 * (height**2 + width**2) + 1e-9)


def contour(labels: Tensor, valid: Tensor) -> Tensor:
    """Pixels with another class beside, above or below: labels and valid pixels ``(N, H, W) -> (N, H, W)`` bool."""
    across = (labels[:, :, 1:] != labels[:, :, :-1]) & valid[:, :, 1:] & valid[:, :, :-1]
    down = (labels[:, 1:] != labels[:, :-1]) & valid[:, 1:] & valid[:, :-1]
    edge = torch.zeros_like(valid)
    edge[:, :, 1:] |= across
    edge[:, :, :-1] |= across
    edge[:, 1:] |= down
    edge[:, :-1] |= down
    return edge


def near_same_class(labels: Tensor, others: Tensor, chosen: Tensor, reach: int, num_classes: int) -> Tensor:
    """Whether a chosen pixel of ``others`` with the pixel's own label lies within ``reach``: ``(N, H, W)`` bool.

    Each class is one bit of an integer, so a single pass over the disc carries all classes that fit a word: memory
    does not grow with K, and time by a pass per 63 classes.
    """
    word = next(dtype for dtype, bits in CLASSES_PER_WORD.items() if bits >= min(num_classes, 63))
    bits, found = CLASSES_PER_WORD[word], torch.zeros_like(chosen)
    for first in range(0, num_classes, bits):
        theirs, own = others - first, labels - first
        here = chosen & (theirs >= 0) & (theirs < bits)
        words = spread(torch.where(here, _bit(theirs, word, bits), 0), reach)
        found |= (own >= 0) & (own < bits) & (words & _bit(own, word, bits) != 0)
    return found


def _bit(index: Tensor, word: torch.dtype, bits: int) -> Tensor:
    return torch.ones((), dtype=word, device=index.device) << index.clamp(0, bits - 1).to(word)


def spread(words: Tensor, reach: int) -> Tensor:
    """Each pixel's bitwise or of the words within a disc of squared radius ``reach``: ``(N, H, W) -> (N, H, W)``.

    The rows of a disc are runs that widen towards its middle, so one run, grown step by step, serves them all: about
    four shifts for a pixel of radius instead of one for each pixel of the disc.
    """
    run, result, width = words.clone(), torch.zeros_like(words), 0
    for row in range(min(isqrt(reach), words.shape[1] - 1), -1, -1):
        while width < min(isqrt(reach - row * row), words.shape[2] - 1):
            width += 1
            run[:, :, width:] |= words[:, :, :-width]
            run[:, :, :-width] |= words[:, :, width:]
        result[:, row:] |= run[:, : words.shape[1] - row]
        result[:, : words.shape[1] - row] |= run[:, row:]
    return result
