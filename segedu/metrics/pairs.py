"""Counting pairs of labels: how often each class was called where each class is, in one pass of integers."""

import torch
from torch import Tensor

from segedu.labels import is_void
from segedu.metrics.counting import histogram
from segedu.metrics.inputs import stray_sentence

# Pixels counted at a time on the CPU. Their keys stay in the cache, and below torch's grain of 32,768 elements an
# operation runs on the calling thread alone: nothing waits for a second core that others keep busy.
CPU_CHUNK = 32_000

BYTES_CHUNK = 2**18
"""Pixels counted at a time where both labels are bytes, whose table is larger."""


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
    if group is None and target.device.type == "cpu" and _are_bytes(predictions) and _are_bytes(target):
        return _from_bytes(predictions, target, num_classes, ignore_index)[None]
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
        keys.masked_fill_(is_void(truth, ignore_index), void)
        counts += histogram(keys, void + 1)
    return counts[:-1].view(groups, side, side)


def image_pair_counts(predictions: Tensor, target: Tensor, num_classes: int, ignore_index: int) -> Tensor:
    """``pair_counts`` of each image by itself: two label maps ``(N, H, W) -> (N, K + 2, K + 2)`` int64."""
    if target.device.type == "cpu" and target.numel() > len(target) * CPU_CHUNK:
        # Large images one by one: without groups, bytes are counted the faster way.
        each = [pair_counts(*maps, num_classes, ignore_index)[0] for maps in zip(predictions, target, strict=True)]
        return torch.stack(each)
    image = torch.arange(len(target), dtype=torch.int32, device=target.device).view(-1, 1, 1).expand_as(target)
    return pair_counts(predictions, target, num_classes, ignore_index, image, len(target))


def _are_bytes(labels: Tensor) -> bool:
    """Does every label fit one?"""
    if labels.dtype == torch.uint8 or not labels.numel():
        return True
    lowest, highest = torch.aminmax(labels)
    return int(lowest) >= 0 and int(highest) <= 255


def _from_bytes(predictions: Tensor, target: Tensor, num_classes: int, ignore_index: int) -> Tensor:
    """The table ``(K + 2, K + 2)`` of labels in 0..255: a row is counted for every byte, and sorted out afterwards.

    What is void or no class in the target then costs nothing at the pixels, and what is no class in the predictions
    one operation on bytes. Keys of 16 bits are half the memory of those of 32; more than 127 classes need the latter.
    """
    side = num_classes + 1
    keys = torch.int16 if 256 * side <= 2**15 else torch.int32
    table = torch.zeros(256 * side, dtype=torch.int64, device=target.device)
    pieces = (torch.split(each.flatten(), BYTES_CHUNK) for each in (target, predictions))
    for truth, called in zip(*pieces, strict=True):
        columns = called.byte().clamp(max=min(num_classes, 255))
        table += histogram(truth.to(keys, copy=True).mul_(side).add_(columns), len(table))
    rows = table.view(256, side)
    if 0 <= ignore_index <= 255:
        rows[ignore_index] = 0
    pairs = table.new_zeros(num_classes + 2, num_classes + 2)
    pairs[1 : min(num_classes, 256) + 1, 1:] = rows[:num_classes]
    pairs[-1, 1:] = rows[num_classes:].sum(0)
    return pairs


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
