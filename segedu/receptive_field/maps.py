"""A feature map on its way through a network: what its units see, and along which dimensions of the tensor they lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import prod

from segedu.receptive_field.fields import Axis, Unknown
from segedu.receptive_field.reads import Everything, Reads, Window

Dim = int | None


@dataclass(frozen=True)
class Map:
    """A tensor that depends on the image: ``shape``, its two ``axes`` (height, width) and the ``dims`` they lie along.

    A dimension is None once it is gone, or has been looked through to its end: after global pooling, or in the scores
    of a classifier. ``tangled`` are axes that a reshape has mixed with others: they can be summed over, or left alone.
    """

    shape: tuple[int, ...]
    axes: tuple[Axis, Axis]
    dims: tuple[Dim, Dim]
    tangled: bool = False

    def across(self, dim: int) -> list[int]:
        """Which axes, 0 for height and 1 for width, lie along ``dim`` (counted from the end if negative)."""
        dim %= max(len(self.shape), 1)
        return [axis for axis, own in enumerate(self.dims) if own == dim]

    def reading(self, reads: Mapping[int, Reads], shape: Sequence[int]) -> "Map":
        """The map of ``shape`` that reads this one along some dimensions, the dimensions staying where they are."""
        axes, unknown = list(self.axes), "a reshape that mixes places"
        for dim, one in reads.items():
            for axis in self.across(dim):
                axes[axis] = unanswered(unknown) if self.tangled else axes[axis].read(one, shape[dim])
        return replace(self, shape=tuple(shape), axes=(axes[0], axes[1]))

    def mixing(self, dims: Sequence[int]) -> "Map":
        """The same map after every place along ``dims`` has been told of all others: a norm, a softmax."""
        axes = list(self.axes)
        for dim in dims:
            for axis in self.across(dim):
                axes[axis] = axes[axis].read(Everything(), 1).read(Window(stride=0), self.shape[dim])
        return replace(self, axes=(axes[0], axes[1]))

    def without(self, dims: Sequence[int], *, keepdim: bool = False, reads: Reads | None = None) -> "Map":
        """The map when ``dims`` have been summed up, or read at one place by ``reads``, and dropped or kept as 1."""
        count = len(self.shape)
        gone = {dim % count for dim in dims}
        axes = list(self.axes)
        for axis, dim in enumerate(self.dims):
            if dim in gone:
                axes[axis] = axes[axis].read(reads or Everything(), 1)
        shape = [1 if dim in gone else size for dim, size in enumerate(self.shape) if keepdim or dim not in gone]

        def kept(dim: Dim) -> Dim:
            if dim is None or keepdim:
                return dim
            return None if dim in gone else dim - sum(other < dim for other in gone)

        tangled = self.tangled and not gone & set(self.dims)
        along = (kept(self.dims[0]), kept(self.dims[1]))
        return replace(self, shape=tuple(shape), axes=(axes[0], axes[1]), dims=along, tangled=tangled)

    def permuted(self, order: Sequence[int]) -> "Map":
        """The map with its dimensions in another order."""
        order = [dim % len(self.shape) for dim in order]
        dims = tuple(None if dim is None else order.index(dim) for dim in self.dims)
        return replace(self, shape=tuple(self.shape[dim] for dim in order), dims=(dims[0], dims[1]))

    def reshaped(self, shape: Sequence[int]) -> "Map":
        """The map as ``shape``: an axis is found again where a dimension has its size and as many numbers behind it."""
        sizes = tuple(shape)
        found = [_found(self.shape, dim, sizes) for dim in self.dims]
        lost = [axis for axis, dim in enumerate(self.dims) if dim is not None and found[axis] is None]
        lost = [axis for axis in lost if self.shape[self.dims[axis] or 0] > 1]
        if not lost:
            return replace(self, shape=sizes, dims=(found[0], found[1]))
        for axis in lost:
            found[axis] = _holder(self.shape, self.dims[axis], sizes)
            if found[axis] is None:
                return unknown_map(sizes, "a reshape that splits an axis")
        return replace(self, shape=sizes, dims=(found[0], found[1]), tangled=True)


def unknown_map(shape: Sequence[int], *names: str) -> Map:
    """A map of which nothing is known but what stands in the way."""
    nobody = unanswered(*names)
    return Map(tuple(shape), (nobody, nobody), (None, None))


def unanswered(*names: str) -> Axis:
    """An axis of which nothing is known."""
    return Axis(Unknown(names), Unknown(names))


def joined(maps: Sequence[Map], shape: Sequence[int]) -> Map:
    """Maps taken together cell by cell, aligned at their last dimensions; one cell goes to all places: broadcasting."""
    first = maps[0]
    if all(one.axes == first.axes and one.dims == first.dims and one.shape == tuple(shape) for one in maps):
        return first
    places = [[_shifted(dim, len(shape) - len(one.shape)) for dim in one.dims] for one in maps]
    held = [{dim for dim in along if dim is not None} for along in zip(*places, strict=True)]
    if any(len(dims) > 1 for dims in held) or len({one.tangled for one in maps if one.dims != (None, None)}) > 1:
        return unknown_map(shape, "a join of maps that lie along different dimensions")
    dims = [next(iter(along), None) for along in held]
    axes = []
    for axis, dim in enumerate(dims):
        cells = 1 if dim is None else shape[dim]
        rows = [_repeated(one, axis, cells) for one in maps]
        axes.append(reduce(Axis.join, rows))
    return Map(tuple(shape), (axes[0], axes[1]), (dims[0], dims[1]), any(one.tangled for one in maps))


def _shifted(dim: Dim, by: int) -> Dim:
    return None if dim is None else dim + by


def _repeated(one: Map, axis: int, cells: int) -> Axis:
    """An axis as long as a join needs it: a single cell goes to every place."""
    dim = one.dims[axis]
    single = dim is None or (one.shape[dim] == 1 and cells > 1)
    return one.axes[axis].read(Window(stride=0), cells) if single and cells > 1 else one.axes[axis]


def _found(shape: tuple[int, ...], dim: Dim, new: tuple[int, ...]) -> Dim:
    """Where ``dim`` of ``shape`` is in ``new``: the last dimension of its size with as many numbers behind it."""
    if dim is None:
        return None
    behind = prod(shape[dim + 1 :])
    same = [at for at, size in enumerate(new) if size == shape[dim] and prod(new[at + 1 :]) == behind]
    return same[-1] if same else None


def _holder(shape: tuple[int, ...], dim: Dim, new: tuple[int, ...]) -> Dim:
    """The dimension of ``new`` that has swallowed ``dim`` of ``shape`` whole, if there is one."""
    if dim is None:
        return None
    behind = prod(shape[dim + 1 :])
    for at, size in enumerate(new):
        own = prod(new[at + 1 :])
        if behind % own == 0 and own * size % (behind * shape[dim]) == 0:
            return at
    return None
