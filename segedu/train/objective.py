"""What a step minimises: any loss, read as a total and the weight that it is divided by."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from segedu.losses import cross_entropy_sums
from segedu.train.recipe import Recipe

__all__ = ["Loss", "name_of", "resolved", "sums_of"]

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor | tuple[Tensor, Tensor]]
"""``logits (N, K, H, W), labels (N, H, W) -> scalar``, or ``(total, weight)``, two scalars whose quotient it is."""


def resolved(loss: Loss | None, recipe: Recipe, device: torch.device) -> Loss:
    """The loss of a run on ``device``: a module is moved there, and None is the recipe's class-weighted cross entropy.

    Raises ``TypeError`` for what cannot be called, ``ValueError`` where class weights would go unheard.
    """
    if loss is None:
        weights = None if recipe.class_weights is None else torch.tensor(recipe.class_weights, device=device)
        return partial(cross_entropy_sums, weight=weights)
    if not callable(loss):
        raise TypeError(f"loss is {loss!r}; give a function or a module of (logits, labels)")
    if recipe.class_weights is not None:
        raise ValueError(
            "recipe has class_weights and fit was given a loss, which does not hear of them; give them to the loss"
        )
    return loss.to(device) if isinstance(loss, nn.Module) else loss


def sums_of(loss: Loss, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """``loss`` as a total and a weight that processes can add up before they divide.

    A loss that says only its mean weighs as much as the images that it is the mean of: exact for one process, and for
    several as far as an image's share does not depend on what the others hold. Raises ``TypeError`` where the loss is
    neither a scalar nor a pair of them.
    """
    value: Any = loss(logits, labels)
    if isinstance(value, Tensor) and value.dim() == 0:
        value = value * len(labels), value.new_full((), len(labels))
    parts = value if isinstance(value, tuple) and len(value) == 2 else ()
    if not parts or not all(isinstance(part, Tensor) and part.dim() == 0 for part in parts):
        raise TypeError(
            f"loss returned {_described(value)}; it must return one number, or a total and the weight to divide it by"
        )
    return parts


def name_of(loss: Loss | None) -> str | None:
    """What a checkpoint calls a loss: the name of its function, or its class and what that says of itself."""
    if loss is None:
        return None
    if isinstance(loss, partial):
        return name_of(loss.func)
    said = loss.extra_repr() if isinstance(loss, nn.Module) else ""
    if said:
        return f"{type(loss).__qualname__}({said})"
    return str(getattr(loss, "__qualname__", type(loss).__qualname__))


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, tuple):
        return f"a tuple of {', '.join(map(_described, value))}"
    return f"a {type(value).__name__}"
