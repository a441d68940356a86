"""Where a point lies in the permutohedral lattice: in which simplex, and how near to each of its corners.

The lattice (Adams, Baek and Davis, 2010, section 3) fills the plane ``sum(x) = 0`` of ``d + 1`` dimensions with equal
simplices of ``d + 1`` corners each. A corner's coordinates are all congruent modulo ``d + 1``; what they leave over is
its *remainder*, and a simplex has one corner of each remainder. It is known by its corner of remainder 0 and by the
order of what is left of the point once that corner is taken away.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

PIECE = 2**14


class Simplices(NamedTuple):
    """The simplices that ``P`` points lie in.

    ``corner (d + 1, P)``: the corner of remainder 0 in units of ``d + 1``, whole numbers in floating point;
    ``rank (d + 1, P)``: a permutation of ``0..d`` for each point, 0 where most is left; ``nearness (d + 1, P)``: the
    barycentric weight of the corner of each remainder, at least 0 but for rounding, of sum 1.
    """

    corner: Tensor
    rank: Tensor
    nearness: Tensor


def simplices(points: Tensor) -> Simplices:
    """Find the simplex of each of ``points (d, P)``, in units of the filter's standard deviation."""
    # A CPU takes as many points at once as leave the temporaries in its cache.
    pieces = torch.split(points, PIECE, 1) if points.device.type == "cpu" else [points]
    return Simplices(*(torch.cat(parts, 1) for parts in zip(*map(_simplices, pieces), strict=True)))


def _simplices(points: Tensor) -> Simplices:
    elevated = _elevate(points)
    axes = len(elevated)
    corner = torch.round(elevated / axes)
    left = elevated / axes - corner
    rank = _rank(left)
    # Rounding each coordinate apart leaves the plane by a whole number; those with most or least left are moved on.
    rank += corner.sum(0).to(rank.dtype)
    moved = (rank < 0).to(rank.dtype) - (rank >= axes).to(rank.dtype)
    rank += axes * moved
    corner += moved
    left -= moved
    ordered = torch.empty_like(left).scatter_(0, rank.long(), left)
    nearness = ordered.flip(0).diff(dim=0, prepend=ordered[:1])
    nearness[0] += 1
    return Simplices(corner, rank, nearness)


def _elevate(points: Tensor) -> Tensor:
    """``(d, P) -> (d + 1, P)``: into the plane, at the scale where splat, blur and slice have variance 1 together."""
    dimensions = len(points)
    elevated = points.new_empty((dimensions + 1, *points.shape[1:]))
    total = torch.zeros_like(points[0])
    for axis in range(dimensions, 0, -1):
        scale = (dimensions + 1) * math.sqrt(2 / 3 / (axis * (axis + 1)))
        part = points[axis - 1] * scale
        elevated[axis] = total - axis * part
        total = total + part
    elevated[0] = total
    return elevated


def _rank(left: Tensor) -> Tensor:
    """How many coordinates of a point have more left than this one; of equal ones the first counts as more."""
    rank = torch.arange(len(left), dtype=torch.int8, device=left.device)[:, None].repeat(1, left.shape[1])
    for axis in range(len(left)):
        for other in range(axis):
            less = (left[other] < left[axis]).view(torch.int8)
            rank[other] += less
            rank[axis] -= less
    return rank
