"""Counting pairs of labels: how often each class was called where each class is, in one pass of integers."""

import torch
from torch import Tensor

from segedu.metrics.counting import histogram
from segedu.metrics.inputs import stray_sentence

# Pixels counted at a time on the CPU. Their keys stay in the cache, and below torch's grain of 32,768 elements an
# operation runs on the calling thread alone: nothing waits for a second core that others keep busy.
CPU_CHUNK = 32_000


def pair_counts(
    predictions: Tensor,
    target: Tensor,
    num_classes: int,
    ignore_index: int,
    group: Tensor | None = None,
    groups: int = 1,
) -> Tensor:
    """Pixels of each group by true class (rows) and predicted class (columns): ``(G, K + 2, K + 2)`` int64.

    Three integer tensors of one shape; ``group`` holds ``0..G-1``, and void pixels are counted nowhere. Labels are cut
    to ``-1..K``, so that a ring around each table catches those that are no class: ``classes_of`` takes it off.
    """
    side = num_classes + 2
    void = groups * side**2
    # A chunk should not be smaller than the table that is added up for each of them.
    pixels = max(CPU_CHUNK, void) if target.device.type == "cpu" else max(1, target.numel())
    counts = torch.zeros(void + 1, dtype=torch.int64, device=target.device)
    tensors = (predictions, target) if group is None else (predictions, target, group)
    for called, truth, *where in zip(*(torch.split(each.flatten(), pixels) for each in tensors), strict=True):
        row, column = (labels.to(torch.int32, copy=True).clamp_(-1, num_classes) for labels in (truth, called))
        keys = torch.add(column, row, alpha=side).add_(side + 1)
        for part in where:
            keys.add_(part, alpha=side**2)
        keys.masked_fill_(truth == ignore_index, void)
        counts += histogram(keys, void + 1)
    return counts[:-1].view(groups, side, side)


def classes_of(pairs: Tensor) -> Tensor:
    """The counts of classes alone, without the ring of strays: ``(..., K + 2, K + 2) -> (..., K, K)``."""
    return pairs[..., 1:-1, 1:-1]


def refuse_strays(pairs: Tensor, ignore_index: int) -> None:
    """Raises ``ValueError`` where the ring holds pixels: labels that are neither a class nor ``ignore_index``."""
    ring = pairs.reshape(-1, *pairs.shape[-2:]).sum(0)
    in_target = int(ring[0].sum() + ring[-1].sum())
    in_predictions = int(ring[1:-1, 0].sum() + ring[1:-1, -1].sum())
    for name, pixels in (("target labels", in_target), ("predictions", in_predictions)):
        if pixels:
            raise ValueError(stray_sentence(name, pixels, len(ring) - 2, ignore_index))
