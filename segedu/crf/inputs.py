"""What the CRF does with what it is given: read images as colours, or say in one sentence what is wrong."""

import torch
from torch import Tensor


def colours(images: Tensor, dtype: torch.dtype) -> Tensor:
    """Images ``(N, C, H, W)`` in 8-bit levels: uint8 as they are, floating point in [0, 1] times 255.

    Raises ``TypeError`` for other dtypes, and ``ValueError`` for other shapes or, on the CPU, for values out of range,
    as in an image that was normalised for a network.
    """
    if images.ndim != 4:
        raise ValueError(f"images are {tuple(images.shape)}; expected (N, C, H, W)")
    images = images.detach().as_subclass(Tensor)
    if images.dtype == torch.uint8:
        return images.to(dtype)
    if not images.is_floating_point():
        raise TypeError(f"images are {images.dtype}; expected uint8, or floating point in [0, 1]")
    require(
        ((images >= 0) & (images <= 1)).all(),
        "images hold values outside [0, 1]; undo their normalisation (segedu.data.denormalise) or give uint8",
    )
    return images.to(dtype) * 255


def check_logits(logits: Tensor) -> None:
    """Raises ``TypeError`` or ``ValueError`` unless logits are scores ``(N, K, H, W)`` that a softmax can take."""
    if not logits.is_floating_point():
        raise TypeError(f"logits are {logits.dtype}; expected floating-point scores or log-probabilities")
    if logits.ndim != 4 or not logits.numel():
        raise ValueError(f"logits are {tuple(logits.shape)}; expected (N, K, H, W) with at least one of each")
    require(
        logits.detach().amax(1).isfinite().all(),
        "logits hold a pixel with NaN, plus infinity, or minus infinity for every class, which has no probabilities",
    )


def check_pair(logits: Tensor, images: Tensor) -> None:
    """Raises ``ValueError`` unless logits and images are of the same number and size, on the same device."""
    check_logits(logits)
    if images.ndim != 4 or images.shape[:1] + images.shape[2:] != logits.shape[:1] + logits.shape[2:]:
        raise ValueError(
            f"images are {tuple(images.shape)} and logits are {tuple(logits.shape)}; logits (N, K, H, W) need images "
            "(N, C, H, W): upsample the logits to the images' size"
        )
    if images.device != logits.device:
        raise ValueError(f"images lie on {images.device} and logits on {logits.device}: move one to the other")


def require(condition: Tensor, message: str) -> None:
    """Raises ``ValueError`` on the CPU. A GPU is not waited for: it fails the program when next asked for a value."""
    if condition.device.type == "cpu":
        if not condition:
            raise ValueError(message)
    elif condition.device.type == "cuda":
        torch._assert_async(condition, message)
