"""Several losses at once, each by its name."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from segedu.losses.reduction import quotient

Part: TypeAlias = Callable[[Tensor, Tensor], Tensor | tuple[Tensor, Tensor]]
"""``logits, target -> scalar``, or two scalars whose quotient it is, as ``cross_entropy_sums`` returns."""


class WeightedSum(nn.Module):
    """``sum of share * loss(logits, target)`` over named losses: ``logits, target -> scalar``.

    ``WeightedSum({"ce": (1.0, CrossEntropy()), "dice": (0.5, DiceLoss())})``. After a call ``parts`` holds what each
    loss said, before its share: detached scalars by name, which nobody has waited for; ``float`` of one waits. Losses
    that are modules move with this one.

    Raises ``ValueError`` for no losses at all and for names that a module cannot have, ``TypeError`` where an entry is
    no ``(share, loss)`` or a loss is not a scalar (its reduction may be ``"none"``).
    """

    def __init__(self, losses: Mapping[str, tuple[float, Part]]) -> None:
        super().__init__()
        if not losses:
            raise ValueError("losses is empty; give at least one, as {name: (share, loss)}")
        for name, entry in losses.items():
            if not (isinstance(entry, tuple) and len(entry) == 2 and callable(entry[1])):
                raise TypeError(f"losses[{name!r}] is {entry!r}; give (share, loss), a number and a function or module")
        self.shares = {name: float(share) for name, (share, _) in losses.items()}
        self.losses: dict[str, Part] = {name: loss for name, (_, loss) in losses.items()}
        self.modules_by_name = nn.ModuleDict(
            {name: loss for name, loss in self.losses.items() if isinstance(loss, nn.Module)}
        )
        self.parts: dict[str, Tensor] = {}

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        values = {name: _scalar(name, loss(logits, target)) for name, loss in self.losses.items()}
        self.parts = {name: value.detach() for name, value in values.items()}
        return torch.stack([self.shares[name] * value for name, value in values.items()]).sum()

    def extra_repr(self) -> str:
        return " + ".join(f"{share:g} {name}" for name, share in self.shares.items())


def _scalar(name: str, value: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    if isinstance(value, tuple):
        value = quotient(*value)
    if value.ndim:
        raise TypeError(f'losses[{name!r}] returned {tuple(value.shape)}; a sum needs scalars, so no reduction="none"')
    return value
