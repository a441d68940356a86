"""Putting other modules in the place of some of a model's own."""

from collections.abc import Mapping

from torch import nn


def exchange(model: nn.Module, others: Mapping[nn.Module, nn.Module]) -> None:
    """Put ``others[module]`` wherever ``module`` stands within ``model``, under each of its names."""
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):  # named_children would pass over a second name
            if child is not None and child in others:
                setattr(parent, name, others[child])
