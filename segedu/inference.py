"""Running a model to look at it, and leaving it as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from segedu.mode import mode

__all__ = ["device_of", "inference"]


@contextmanager
def inference(model: nn.Module) -> Iterator[None]:
    """``model`` in evaluation mode and without gradients; every submodule's own mode comes back at the end."""
    with mode(model, training=False), torch.no_grad():
        yield


def device_of(model: nn.Module) -> torch.device:
    """Where the model's first parameter or buffer lies; the default device for a model that has neither."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.get_default_device()
