"""Weights into a network, once every entry is found to fit."""

from collections.abc import Mapping

from torch import Tensor, nn


def load_fitting(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Copy ``state``, which came from ``source``, into the parameters and buffers of ``model``.

    Raises ``ValueError`` naming the first entry that is absent on one side or of another shape; ``model`` is then
    unchanged.
    """
    wanted: dict[str, Tensor] = model.state_dict()
    for name in [*wanted, *state]:
        here, there = (_size(entries.get(name)) for entries in (wanted, state))
        if here != there:
            raise ValueError(
                f"{source} is of another model: {name} is {there} there and {here} in {type(model).__name__}; "
                "build the model that it was written from, or give another path"
            )
    model.load_state_dict(state)


def _size(entry: Tensor | None) -> str:
    return "absent" if entry is None else str(tuple(entry.shape))
