"""The corners of a set of simplices, each once, and which of them are neighbours.

A corner is written as one whole number. Its remainder is the first digit, its image the second, and its first ``d``
coordinates, divided by ``d + 1`` and rounded down, are the others. A step along an axis of the lattice is then the
addition of a constant, so neighbours are found by searching sorted numbers: there is no hash table, and what comes out
is the same on every run.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from segedu.operators import operator

_Indices = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


class Vertices(NamedTuple):
    """The ``M`` vertices of a lattice over ``P`` points of ``d`` dimensions, and the ways from points to vertices.

    ``of_point (P, d + 1)``: the vertices around each point, by remainder; ``points (d + 1, P)``: the points around
    the first vertex, around the second, ..., a row for each remainder; ``first (M + 2,)``: where in ``points`` each
    vertex begins, and where a last one would that has none; ``neighbours (d + 1, M + 1, 3)``: along each axis the
    vertex one step back, the vertex itself and the one a step ahead, ``M`` where there is none; ``simplex (P,)``: which
    of the ``S`` simplices each point lies in; ``sample (S,)``: a point of each. All are int32, ``sample`` int64.
    """

    of_point: Tensor
    points: Tensor
    first: Tensor
    neighbours: Tensor
    simplex: Tensor
    sample: Tensor

    def reordered(self, order: Tensor) -> "Vertices":
        """The same with the points numbered anew, ``order (P,)`` being their old numbers."""
        place = torch.empty_like(order, dtype=torch.int32).scatter_(
            0, order, torch.arange(len(order), dtype=torch.int32, device=order.device)
        )
        return self._replace(
            of_point=self.of_point[order],
            points=place[self.points.long()],
            simplex=self.simplex[order],
            sample=place[self.sample].long(),
        )


def vertices(corner: Tensor, rank: Tensor, image: Tensor, images: int) -> Vertices:
    """Number the corners of simplices ``(d + 1, P)``; points of different images, ``image (P,)``, share none.

    Raises ``ValueError`` for points so far apart that the numbers would not fit 63 bits.
    """
    return Vertices(*_vertices(corner, rank, image, images))


def _shapes(corner: Tensor, rank: Tensor, image: Tensor, images: int) -> _Indices:
    """Without values nothing tells how many corners are shared: as if none were."""
    axes, points = corner.shape
    shapes = (points, axes), (axes, points), (axes * points + 2,), (axes, axes * points + 1, 3), (points,)
    of_point, of_vertex, first, neighbours, simplex = (corner.new_empty(shape, dtype=torch.int32) for shape in shapes)
    return of_point, of_vertex, first, neighbours, simplex, simplex.long()


@operator("lattice_vertices", _shapes)
def _vertices(corner: Tensor, rank: Tensor, image: Tensor, images: int) -> _Indices:
    axes, count = corner.shape
    least, spans = _spans(corner[:-1], images)
    places = [(place - low).long() for place, low in zip(corner, least, strict=False)]

    key = image
    for place, span in zip(places, spans, strict=False):
        key = key * span + place
    if images * math.prod(axes * span for span in spans) >= 2**63:
        key = torch.unique(key, return_inverse=True)[1]
    for ranks in rank[:-1]:
        key = key * axes + ranks
    by_simplex, simplex, sizes = _equal_runs(key)
    begins = sizes.cumsum(0) - sizes
    sample = by_simplex[begins]

    strides, whole = _strides(spans, images)
    base = image[sample] * (whole // images)
    for place, stride in zip(places, strides, strict=False):
        base += (place.index_select(0, sample) + 2) * stride
    keys = _corner_keys(base, rank[:, sample], strides, whole).flatten()
    by_vertex, vertex, uses = _equal_runs(keys)

    of_simplex = torch.empty_like(vertex).scatter_(0, by_vertex, vertex).view(axes, -1).T.int().contiguous()
    of = torch.empty_like(simplex).scatter_(0, by_simplex, simplex)
    # Remainders come first in a key, so the corners of each are together.
    chosen = (by_vertex.view(axes, -1) - len(sizes) * torch.arange(axes, device=key.device)[:, None]).flatten()
    ends = sizes.index_select(0, chosen).cumsum(0)
    places_of = _runs(begins.index_select(0, chosen), ends, axes * count)
    points = by_simplex.int().index_select(0, places_of).view(axes, count)
    last = uses.cumsum(0) - 1
    first = torch.cat([ends.new_zeros(1), ends[last], ends[-1:]])
    neighbours = _neighbours(keys[by_vertex[last]], strides, whole)
    return of_simplex.index_select(0, of), points, first.int(), neighbours, of.int(), sample


def _spans(corner: Tensor, images: int) -> tuple[list[int], list[int]]:
    """The least coordinate of each axis, and how many there are from it to the largest."""
    axes = len(corner) + 1
    least, most = (bound.tolist() for bound in corner.aminmax(dim=1))
    if all(map(math.isfinite, (*least, *most))):
        spans = [int(high) - int(low) + 1 for low, high in zip(least, most, strict=True)]
        if images * axes * math.prod(span + 3 for span in spans) < 2**63:
            return [int(low) for low in least], spans
    widths = ", ".join(f"{high - low + 1:.3g}" for low, high in zip(least, most, strict=True))
    raise ValueError(
        f"the features span {widths} cells of the lattice, too many to number in 63 bits; "
        "take larger standard deviations, or exact=True"
    )


def _strides(spans: list[int], images: int) -> tuple[list[int], int]:
    """What a step in each coordinate is in a key, and how many keys a remainder has.

    A simplex's corners lie up to one cell below its first, and their neighbours another one, on both sides.
    """
    strides, whole = [], 1
    for span in reversed(spans):
        strides.append(whole)
        whole *= span + 3
    return [*reversed(strides), 0], whole * images


def _equal_runs(keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sort: the order, which run of equal keys each of the sorted lies in, and the runs' lengths."""
    ordered, order = keys.sort(stable=True)
    _, run, lengths = torch.unique_consecutive(ordered, return_inverse=True, return_counts=True)
    return order, run, lengths


def _corner_keys(base: Tensor, rank: Tensor, strides: list[int], whole: int) -> Tensor:
    """``(d + 1, S)``: from each corner to the next the axis with least left comes down by a cell."""
    down = torch.tensor(strides, device=base.device)[:, None].expand(-1, len(base))
    by_rank = torch.empty(down.shape, dtype=down.dtype, device=base.device).scatter_(0, rank.long(), down)
    return torch.cat([base[None], whole - by_rank.flip(0)[:-1]]).cumsum(0)


def _runs(begins: Tensor, ends: Tensor, total: int) -> Tensor:
    """Successive numbers in runs, one run after the other: ``begins`` are their first numbers, ``ends`` their ends."""
    steps = torch.ones(total, dtype=torch.int32, device=begins.device)
    lasts = begins + ends.diff(prepend=ends.new_zeros(1)) - 1
    steps[0] = begins[0]
    steps[ends[:-1]] = (begins[1:] - lasts[:-1]).int()
    return steps.cumsum(0, dtype=torch.int32)


def _neighbours(keys: Tensor, strides: list[int], whole: int) -> Tensor:
    """Along each axis the vertices before and after, of sorted keys: ``(M,) -> (d + 1, M + 1, 3)``."""
    axes, count = len(strides), len(keys)
    own = torch.arange(count + 1, dtype=torch.int32, device=keys.device)
    table = own.new_full((axes, count + 1, 3), count)
    # A step ahead adds 1 to every coordinate and takes d + 1 from one: the remainder grows by 1, or falls from d to 0
    # while every other coordinate passes into the next cell.
    ahead = keys + torch.where(keys < (axes - 1) * whole, whole, sum(strides) - (axes - 1) * whole)
    for axis, stride in enumerate(strides):
        wanted = ahead - stride
        place = torch.searchsorted(keys, wanted, out_int32=True).clamp_(max=count - 1)
        found = torch.where(keys[place] == wanted, place, count)
        table[axis, :, 0].scatter_(0, found.long(), own[:-1])
        table[axis, -1, 0] = count
        table[axis, :, 1] = own
        table[axis, :-1, 2] = found
    return table
