"""Connected components: every island of a mask gets a number of its own."""

import torch
from torch import Tensor
from torch.nn import functional

from segedu.operators import operator

Steps = tuple[int, ...]

_STEPS: dict[int, Steps] = {4: (0,), 8: (-1, 0, 1)}
"""How far to the side a pixel of the next row may lie and still be a neighbour."""


def components(mask: Tensor, connectivity: int = 4) -> Tensor:
    """Number the connected components of each mask: ``(N, H, W)`` bool or integer -> ``(N, H, W)`` int64.

    Background (zero) is 0; the components of an image are 1, 2, ... in the order in which reading it row by row meets
    them. ``connectivity`` is 4 (pixels that share a side) or 8 (or a corner). Runs on the mask's device. Not the pixels
    but the runs of each row are joined, hooking every run to the first of its neighbours and halving the chains until
    nothing moves (after Shiloach and Vishkin, J. Algorithms 3, 1982), a few rounds whatever the size.

    Raises ``ValueError`` for another connectivity or number of dimensions, ``TypeError`` for a mask of real numbers.
    """
    if connectivity not in _STEPS:
        raise ValueError(f"connectivity is {connectivity!r}, expected 4 (shared sides) or 8 (sides and corners)")
    if mask.dim() != 3:
        raise ValueError(f"mask has shape {tuple(mask.shape)}, expected (N, H, W): one mask for each image of a batch")
    if mask.is_floating_point() or mask.is_complex():
        raise TypeError(f"mask has dtype {mask.dtype}, expected bool or integers: threshold scores first")
    numbered: Tensor = _components(mask.as_subclass(Tensor) != 0, connectivity)
    return numbered


def _unnumbered(mask: Tensor, connectivity: int) -> Tensor:
    return torch.empty_like(mask, dtype=torch.int64)


@operator("components", _unnumbered)
def _components(mask: Tensor, connectivity: int) -> Tensor:
    """As one operator, since what happens inside depends on the pixels: fake tensors need only the result's shape."""
    starts = mask & ~functional.pad(mask, (1, 0))[..., :-1]
    runs = starts.flatten().cumsum(0).view(mask.shape) - 1  # the run that a pixel lies in, where it lies in one
    roots = _join(int(starts.sum()), *_contacts(mask, runs, _STEPS[connectivity]))
    first = roots == torch.arange(len(roots), device=mask.device)
    images = starts.flatten(1).sum(1).cumsum(0)  # runs up to and with each image
    counted = functional.pad(first.cumsum(0), (1, 0))  # components among the first r runs
    before = counted[functional.pad(images, (1, 0))[:-1]]
    image = torch.arange(len(mask), device=mask.device).view(-1, 1, 1).expand_as(mask)
    result = torch.zeros_like(runs)
    result[mask] = counted[1:][roots[runs[mask]]] - before[image[mask]]
    return result


def _contacts(mask: Tensor, runs: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
    """The pairs of runs, one of the upper and one of the lower row, that hold neighbouring pixels: two ``(E,)``."""
    upper, lower = [], []
    width = mask.shape[2]
    for step in steps:
        above = slice(max(-step, 0), width - max(step, 0))
        below = slice(max(step, 0), width - max(-step, 0))
        touch = mask[:, :-1, above] & mask[:, 1:, below]
        upper.append(runs[:, :-1, above][touch])
        lower.append(runs[:, 1:, below][touch])
    return torch.cat(upper), torch.cat(lower)


def _join(count: int, upper: Tensor, lower: Tensor) -> Tensor:
    """The first run of each run's component: ``(count,)``."""
    parent = torch.arange(count, device=upper.device)
    while len(upper):
        parent.scatter_reduce_(0, torch.maximum(upper, lower), torch.minimum(upper, lower), "amin")
        shorter = parent[parent]
        while not torch.equal(shorter, parent):
            parent, shorter = shorter, shorter[shorter]
        upper, lower = parent[upper], parent[lower]
        apart = upper != lower
        upper, lower = upper[apart], lower[apart]
    return parent
