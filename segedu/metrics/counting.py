"""Counting integers, the one sum that every metric is made of."""

import torch
from torch import Tensor

from segedu.operators import operator


def histogram(keys: Tensor, bins: int) -> Tensor:
    """How often each of ``0..bins-1`` occurs in ``keys``: ``(P,) integers -> (bins,) int64``.

    ``torch.bincount``, whose result's length depends on the data unless told otherwise. As an operator of its own it
    promises that length, so that fake tensors and ``torch.compile`` can follow it. Integer counts are deterministic
    on every device.
    """
    counts: Tensor = _histogram(keys, bins)
    return counts


def _uncounted(keys: Tensor, bins: int) -> Tensor:
    return keys.new_empty(bins, dtype=torch.int64)


@operator("histogram", _uncounted)
def _histogram(keys: Tensor, bins: int) -> Tensor:
    return torch.bincount(keys, minlength=bins)
