"""Random numbers that are a function of (seed, index, counter): equal on every device and in every batch."""

import math
from typing import TypeVar

import torch
from torch import Tensor

WORD = 0xFFFFFFFF
"""Mask of the 32-bit words that all arithmetic here stays within, held in int64 tensors."""

Word = TypeVar("Word", int, Tensor)

_STEP = 0x9E3779B9  # 2^32 / golden ratio: consecutive counters land far apart


def mix(word: Word) -> Word:
    """Scramble 32-bit words: a bijection in which each input bit flips about half of the output bits.

    The constants are C. Wellons' (hash-prospector, bias 0.11). Both multipliers are below 2^31, so every product with a
    32-bit word stays below 2^63 and int64 arithmetic never overflows: the result is the same on any device.
    """
    word = word & WORD
    word = ((word ^ (word >> 16)) * 0x21F0AAAD) & WORD
    word = ((word ^ (word >> 15)) * 0x735A2D97) & WORD
    return word ^ (word >> 15)


class Draws:
    """The random numbers of a batch: draw ``j`` of item ``i`` depends on ``(seed, i, j)`` alone.

    A torch generator yields other numbers on another device, and an item's depend on how many those before it took.
    Here the numbers come in the order of the code, ``count`` of them at most, all hashed at once.
    ``indices`` is ``(N,)`` int64; each method returns ``(N, *shape)``.
    """

    def __init__(self, seed: int, indices: Tensor, count: int) -> None:
        counters = torch.arange(1, count + 1, device=indices.device) * _STEP
        item = mix(indices ^ mix(seed))
        self._words = mix(item[:, None] + (counters & WORD))
        self._used = 0

    def words(self, *shape: int) -> Tensor:
        """Uniform 32-bit words, int64."""
        count = math.prod(shape)
        drawn = self._words.narrow(1, self._used, count)
        self._used += count
        return drawn.reshape(len(drawn), *shape)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Uniform integers of ``[low, high)``, int64."""
        return low + ((self.words(*shape) * (high - low)) >> 32)

    def chance(self, probability: float, *shape: int) -> Tensor:
        """True with the given probability; what is true at one probability stays true at any higher one."""
        return self.words(*shape) < round(probability * 2**32)

    def choice(self, table: Tensor, *shape: int) -> Tensor:
        """Rows of ``table`` ``(R, ...)``, each equally likely: ``(N, *shape, ...)``."""
        return table[self.integers(0, len(table), *shape)]
