"""A label map on a coarser grid: one class for each square cell of it, found in a right way and in a wrong one."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Rule = Callable[[Tensor, int, int, int], Tensor]


def most_common(labels: Tensor, cell: int, num_classes: int, ignore_index: int) -> Tensor:
    """The class that most labelled pixels of a cell have, the lowest of several: ``(H, W) -> (H, W)``.

    The last cells of a row or a column may be cut off by the frame. A cell without a labelled pixel is void.
    """
    void = labels == ignore_index
    votes = F.one_hot(labels.masked_fill(void, num_classes), num_classes + 1)[..., :num_classes]
    counts = _in_cells(votes.movedim(-1, 0).float(), cell)
    winners = counts.argmax(0).masked_fill(counts.sum(0) == 0, ignore_index)
    return _enlarged(winners, cell, labels)


def mean_number(labels: Tensor, cell: int, num_classes: int, ignore_index: int) -> Tensor:
    """The mean of the class numbers in a cell, rounded, as if they were amounts: ``(H, W) -> (H, W)``.

    Between a sky (0) and a road (3) it finds a building (1) or a pole (2) that is in neither. Void is left out.
    """
    valid = labels != ignore_index
    total, pixels = _in_cells(torch.stack([labels * valid, valid]).float(), cell)
    means = (total / pixels.clamp(min=1)).round().long().masked_fill(pixels == 0, ignore_index)
    return _enlarged(means, cell, labels)


RULES: dict[str, Rule] = {"its most common class": most_common, "the mean of its numbers": mean_number}
"""How a cell comes by its class, in words."""


def _in_cells(maps: Tensor, cell: int) -> Tensor:
    """Sums over the cells: ``(C, H, W) -> (C, h, w)``."""
    return F.avg_pool2d(maps, cell, ceil_mode=True, divisor_override=1)


def _enlarged(cells: Tensor, cell: int, like: Tensor) -> Tensor:
    """Each cell over the pixels that it stands for."""
    rows, cols = like.shape
    return cells.repeat_interleave(cell, 0)[:rows].repeat_interleave(cell, 1)[:, :cols]
