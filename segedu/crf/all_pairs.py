"""The Gaussian filter as it is written: every point sees every other one."""

from typing import Self

import torch
from torch import Tensor

from segedu.crf.filters import Filter, Read

CPU_WEIGHTS, DEVICE_WEIGHTS = 2**16, 2**27
"""How many of the weights are in memory at one time; on a CPU, in its cache."""

FAINTEST = -60.0
"""The least exponent: fainter weights make no difference, and numbers below 1e-38 slow a processor a hundredfold."""


class AllPairs(Filter):
    """The Gaussian filter itself: what the lattice is measured by, for images of some ten thousand pixels.

    Time grows with the square of the points; memory does not, for the weights of a few points on all others are
    computed, used and forgotten, and in the backward pass once more. This is attention: a row of weights divided by its
    sum is the softmax over ``j`` of ``f_i . f_j - |f_j|^2 / 2``, so that ``scaled_dot_product_attention`` with queries
    ``(f, 1)``, keys ``(f, -|f|^2 / 2)`` and ``scale=1`` is this filter normalised afterwards. One more coordinate,
    ``-|f_i|^2 / 2`` times 1, leaves the weights as they are without a sum to divide by.
    """

    def __init__(self, features: Tensor) -> None:
        super().__init__(features)
        points = (features - features.mean(1, keepdim=True)).detach().double()  # the distances cancel many digits
        half = points.square().sum(2, keepdim=True) / 2
        ones = torch.ones_like(half)
        self.queries = torch.cat([points, ones, -half], 2)
        self.keys = torch.cat([points, -half, ones], 2).transpose(1, 2).contiguous()

    def reordered(self, order: Tensor) -> Self:
        reordered = super().reordered(order)
        reordered.queries, keys = (
            points.flatten(0, 1)[order].view(*self.shape, -1) for points in (self.queries, self.keys.transpose(1, 2))
        )
        reordered.keys = keys.transpose(1, 2).contiguous()
        return reordered

    def messages(self, values: Tensor) -> Read:
        weighted = values if self.before is None else values * self.before.flatten()[:, None]

        def read(points: slice) -> Tensor:
            sums = self._sums(weighted, *points.indices(len(values))[:2])
            return sums if self.after is None else sums * self.after.flatten()[points, None]

        return read

    def unscaled_own_weight(self) -> Tensor:
        return torch.ones(self.shape, dtype=self.dtype, device=self.device)

    def _sums(self, values: Tensor, start: int, stop: int) -> Tensor:
        """For the points from ``start`` to ``stop``, image by image, and few enough at a time."""
        count = self.shape[1]
        limit = CPU_WEIGHTS if values.device.type == "cpu" else DEVICE_WEIGHTS
        sums = []
        for image in range(start // count, -(-stop // count)):
            origin = image * count
            queries = self.queries[image, max(start - origin, 0) : stop - origin]
            for some in torch.split(queries, max(1, limit // count)):
                weights = (some @ self.keys[image]).to(self.dtype).clamp_(FAINTEST, 0).exp_()
                sums.append(weights @ values[origin : origin + count])
        return torch.cat(sums)
