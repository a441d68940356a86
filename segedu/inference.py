"""Running a model to look at it, and leaving it as it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from segedu.mode import mode

__all__ = ["device_of", "inference", "outputs_of"]


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


def outputs_of(model: Callable[[Tensor], Any], images: Tensor) -> dict[str, Tensor]:
    """The named score maps of ``model``; a model that returns one tensor has one, ``"out"``."""
    if not images.is_floating_point():
        raise TypeError(f"images are {images.dtype}; give float32 images, normalised by the data set's mean and std")
    outputs = model(images)
    if isinstance(outputs, Tensor):
        return {"out": outputs}
    if not isinstance(outputs, dict) or "out" not in outputs:
        raise TypeError(f'model returned {type(outputs).__name__}; it must return scores, or a dict that holds "out"')
    return outputs
