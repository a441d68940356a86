"""From a loss at each pixel to one number."""

from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor

Reduction = Literal["mean", "sum", "none"]


def check_reduction(reduction: str, known: Sequence[str] = ("mean", "sum", "none")) -> None:
    """Raises ``ValueError`` for a reduction that is not ``known``."""
    if reduction not in known:
        names = ", ".join(f'"{name}"' for name in known[:-1])
        raise ValueError(f'reduction is {reduction!r}; it must be {names} or "{known[-1]}"')


def quotient(total: Tensor, weight: Tensor) -> Tensor:
    """``total / weight``, and 0 where nothing had a weight."""
    return total / torch.where(weight == 0, 1, weight)


class Losses(Protocol):
    """Losses ``(N, P)`` that are worked out when their form is known; a tensor of them is one."""

    def view(self, shape: torch.Size, /) -> Tensor: ...

    def sum(self) -> Tensor: ...


def reduced(loss: Losses, pixel_weight: Tensor, reduction: str, shape: torch.Size) -> Tensor:
    """``loss (N, P)`` as it was asked for; a mean divides by the sum of ``pixel_weight (N, P)``, booleans count."""
    if reduction == "none":
        return loss.view(shape)
    total = loss.sum()
    if reduction == "sum":
        return total
    return quotient(total, pixel_weight.count_nonzero() if pixel_weight.dtype == torch.bool else pixel_weight.sum())
