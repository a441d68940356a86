"""What a lattice gives a point back of its own value: all ways from the corners of its simplex to these corners."""

import torch
from torch import Tensor

from segedu.crf.vertices import Vertices


def own_weights(near: Vertices, rank: Tensor, nearness: Tensor, axes: range) -> Tensor:
    """The diagonal of splat, blur along ``axes`` and slice, ``(P,)``, from ranks and nearness ``(d + 1, P)``."""
    shares = _shares(near, rank[:, near.sample], axes, nearness.dtype)
    simplex = near.simplex.long()
    own = torch.zeros_like(nearness[0])
    for splat, row in zip(nearness, shares, strict=True):
        for back, share in zip(nearness, row, strict=True):
            own += splat * back * share[simplex]
    return own


def _shares(near: Vertices, rank: Tensor, axes: range, dtype: torch.dtype) -> Tensor:
    """What blurring moves from each corner of a simplex to each, ``(d + 1, d + 1, S)``.

    Between corners whose remainders differ by ``m`` lead ``m`` steps ahead along as many axes, or ``d + 1 - m`` steps
    back along all others; from a corner to itself no step at all, or ``d + 1`` either way. Each step halves, and a way
    through a vertex that the lattice lacks is closed.
    """
    count = len(rank)
    corners = near.of_point[near.sample].T.long()
    place = count - 1 - rank.to(torch.int64)  # the remainder of the corner from which the axis leads ahead to the next
    missing = near.neighbours.shape[1] - 1
    shares = torch.zeros((count, count, rank.shape[1]), dtype=dtype, device=rank.device)
    for source in range(count):
        for steps in range(-count, count + 1):
            passed = (place - source) % count < steps if steps > 0 else (source - 1 - place) % count < -steps
            vertex = corners[source]
            for axis in axes:
                turn = 1 + (passed[axis] if steps > 0 else -passed[axis].long())
                vertex = near.neighbours[axis].flatten()[3 * vertex + turn].long()
            shares[source, (source + steps) % count] += 0.5 ** abs(steps) * (vertex != missing)
    return shares
