"""What mean field asks of a filter, whether it sums over a lattice or over all pairs of points."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor

Read = Callable[[slice], Tensor]


class Filter(ABC):
    """Sums values over the points of an image, weighted by ``exp(-|f_i - f_j|^2 / 2)`` of the points' features.

    ``features`` are ``(N, P, d)``, float32 or float64, in units of the standard deviation; no image sees another. The
    filter works in their dtype, on their device, in the same order every time, and gives them no gradient. It is
    built once and used often. Raises ``TypeError`` for features of another dtype, ``ValueError`` for another shape or
    none of something.
    """

    def __init__(self, features: Tensor) -> None:
        if features.dtype not in (torch.float32, torch.float64):
            raise TypeError(f"features are {features.dtype}; a filter needs float32 or float64")
        if features.ndim != 3 or not features.numel():
            raise ValueError(
                f"features are {tuple(features.shape)}; a filter needs (N, P, d) with at least one of each"
            )
        self.shape, self.dtype, self.device = features.shape[:2], features.dtype, features.device
        self.before: Tensor | None = None
        self.after: Tensor | None = None

    def filter(self, values: Tensor) -> Tensor:
        """``(N, P, C) -> (N, P, C)`` in the filter's dtype; differentiable by the values, as often as wanted.

        Raises ``ValueError`` for values of other points than the filter's.
        """
        if values.ndim != 3 or values.shape[:2] != self.shape:
            raise ValueError(f"values are {tuple(values.shape)}, but the filter is one of {(*self.shape, 'C')}")
        filtered: Tensor = _Linear.apply(values.to(self.dtype), self)
        return filtered

    def scaled(self, before: Tensor | None, after: Tensor | None) -> Self:
        """The filter between two multiplications by a number for each point, ``(N, P)``; ``None`` leaves as it is."""
        scaled = copy.copy(self)
        scaled.before, scaled.after = _product(self.before, before), _product(self.after, after)
        return scaled

    def reordered(self, order: Tensor) -> Self:
        """The same filter with its points numbered anew, ``order (N P,)`` being their old numbers; images stay."""
        reordered = copy.copy(self)
        for name in ("before", "after"):
            factor = getattr(self, name)
            setattr(reordered, name, None if factor is None else factor.flatten()[order].view(self.shape))
        return reordered

    def transposed(self) -> Self:
        """The filter whose matrix is the transpose of this one's: the way that gradients take."""
        transposed = copy.copy(self)
        transposed.before, transposed.after = self.after, self.before
        return transposed

    @abstractmethod
    def messages(self, values: Tensor) -> Read:
        """``filter`` of ``(N P, C)`` without a gradient, to be read for a slice of the points at a time.

        The values must stay as they are until the last of them is read.
        """

    @abstractmethod
    def unscaled_own_weight(self) -> Tensor:
        """``own_weight`` of the filter as it was before any scaling."""

    def own_weight(self) -> Tensor:
        """What each point gets of its own value, ``(N, P)``: the diagonal of the filter's matrix."""
        own = self.unscaled_own_weight()
        for factor in (self.before, self.after):
            own = own if factor is None else own * factor
        return own


class _Linear(torch.autograd.Function):
    """The gradient of a linear map is its transpose."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, linear: Filter) -> Tensor:
        ctx.linear = linear
        return linear.messages(values.flatten(0, 1))(slice(None)).view(values.shape)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        passed: Tensor = _Linear.apply(gradient, ctx.linear.transposed())
        return passed, None


def _product(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return one if other is None else other
    return one * other
