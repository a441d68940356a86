"""The permutohedral lattice: a Gaussian filter in few dimensions whose time does not depend on its width."""

from functools import cached_property
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.crf.filters import Filter, Read
from segedu.crf.own_weights import own_weights
from segedu.crf.simplices import simplices
from segedu.crf.vertices import vertices


class Lattice(Filter):
    """The Gaussian filter, nearly, in time that grows with the points alone.

    Adams, Baek and Davis (Eurographics 2010): values are spread over the corners of simplices (splat), blurred there
    along each axis, and read again (slice). As in the release of Krähenbühl and Koltun's dense CRF a part of the
    weight is lost where the lattice is nearly empty: ``segedu.crf.normalisation`` makes up for that. Raises what
    ``Filter`` raises, and ``ValueError`` for features too far apart for the lattice's numbering.
    """

    def __init__(self, features: Tensor) -> None:
        super().__init__(features)
        images, count, dimensions = features.shape
        found = simplices(features.detach().flatten(0, 1).T)
        image = torch.arange(images, device=features.device).repeat_interleave(count)
        self.vertices = vertices(found.corner, found.rank, image, images)
        # What stays within a simplex would be multiplied by the inverse square of this; splat and slice share it.
        self.nearness = found.nearness * (1 + 2.0**-dimensions) ** -0.5
        self.rank = found.rank
        self.axes = range(dimensions + 1)

    def scaled(self, before: Tensor | None, after: Tensor | None) -> Self:
        scaled = super().scaled(before, after)
        return scaled._forget(*(["_splat"] if before is not None else []), *(["_slice"] if after is not None else []))

    def reordered(self, order: Tensor) -> Self:
        reordered = super().reordered(order)
        reordered.vertices = self.vertices.reordered(order)
        reordered.nearness, reordered.rank = self.nearness[:, order], self.rank[:, order]
        return reordered._forget("_slice")

    def transposed(self) -> Self:
        transposed = super().transposed()
        transposed.axes = self.axes[::-1]
        return transposed if self.before is self.after else transposed._forget("_splat", "_slice")

    def messages(self, values: Tensor) -> Read:
        near = self.vertices
        held = _weighted_sums(near.points.flatten(), values, self._splat, near.first)
        for axis in self.axes:
            held = _weighted_sums(near.neighbours[axis], held, self._blur)
        return lambda points: _weighted_sums(near.of_point[points], held, self._slice[points])

    def unscaled_own_weight(self) -> Tensor:
        return own_weights(self.vertices, self.rank, self.nearness, self.axes).view(self.shape)

    @cached_property
    def _splat(self) -> Tensor:
        """The weights of points in the order of the vertices."""
        weights = self.nearness if self.before is None else self.nearness * self.before.flatten()
        splat: Tensor = weights.gather(1, self.vertices.points.long())
        return splat.flatten()

    @cached_property
    def _blur(self) -> Tensor:
        """The weights of a vertex between its neighbours."""
        kernel: Tensor = self.nearness.new_tensor([0.5, 1.0, 0.5])
        return kernel.repeat(self.vertices.neighbours.shape[1], 1)

    @cached_property
    def _slice(self) -> Tensor:
        """The weights of vertices in the order of the points."""
        weights: Tensor = self.nearness if self.after is None else self.nearness * self.after.flatten()
        return weights.T.contiguous()

    def _forget(self, *weights: str) -> Self:
        for name in weights:
            self.__dict__.pop(name, None)
        return self


def _weighted_sums(rows: Tensor, table: Tensor, weights: Tensor, first: Tensor | None = None) -> Tensor:
    """Sums of a table's rows, each with its weight: one for each line of ``rows``, or from each of ``first`` on.

    Every sum is made by one thread in the order of its rows, on every device, which ``index_add_`` does not promise.
    """
    return F.embedding_bag(
        rows, table, first, per_sample_weights=weights, mode="sum", include_last_offset=first is not None
    )
