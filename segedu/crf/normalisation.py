"""How much the pixels of an image give one another: by the formula, or made equal in one way or another."""

from typing import Literal, get_args

import torch
from torch import Tensor

from segedu.crf.filters import Filter, Read

Normalisation = Literal["symmetric", "before", "after", "none"]


def normalised(linear: Filter, normalisation: Normalisation) -> Filter:
    """A filter of matrix ``A`` divided by ``m = A 1``, the weight that each point receives in all.

    ``"symmetric"``: ``A_ij / sqrt(m_i m_j)``, as in the release of the dense CRF; ``"after"``: ``A_ij / m_i``, so a
    point receives the mean of all; ``"before"``: ``A_ij / m_j``, so each gives as much; ``"none"``: ``A`` itself, the
    sums of the paper's equation. Raises ``ValueError`` for another name.
    """
    if normalisation not in get_args(Normalisation):
        raise ValueError(f"normalisation is {normalisation!r}; choose one of {', '.join(get_args(Normalisation))}")
    if normalisation == "none":
        return linear
    mass = received(linear)
    if normalisation == "symmetric":
        root = mass.rsqrt()
        return linear.scaled(root, root)
    return linear.scaled(None, 1 / mass) if normalisation == "after" else linear.scaled(1 / mass, None)


def received(linear: Filter) -> Tensor:
    """The weight that each point receives in all, ``(N, P)``."""
    ones = torch.ones((*linear.shape, 1), dtype=linear.dtype, device=linear.device)
    return linear.filter(ones)[..., 0]


class OthersOnly(Filter):
    """A filter through which no point sees itself: the paper's sums are over ``j != i``.

    The weights that it is normalised by are those of the whole filter, so a point far from all others receives
    nothing, not nothing divided by nothing.
    """

    def __init__(self, whole: Filter, own: Tensor) -> None:
        self.shape, self.dtype, self.device = whole.shape, whole.dtype, whole.device
        self.before = self.after = None  # whatever scales it scales the two below
        self.whole, self.own = whole, own

    def scaled(self, before: Tensor | None, after: Tensor | None) -> "OthersOnly":
        own = self.own
        for factor in (before, after):
            own = own if factor is None else own * factor
        return OthersOnly(self.whole.scaled(before, after), own)

    def reordered(self, order: Tensor) -> "OthersOnly":
        return OthersOnly(self.whole.reordered(order), self.own.flatten()[order].view(self.shape))

    def unscaled_own_weight(self) -> Tensor:
        return torch.zeros_like(self.own)

    def transposed(self) -> "OthersOnly":
        return OthersOnly(self.whole.transposed(), self.own)

    def messages(self, values: Tensor) -> Read:
        read, own = self.whole.messages(values), self.own.flatten()[:, None]
        return lambda points: read(points) - own[points] * values[points]
