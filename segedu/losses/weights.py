"""Class weights from how often each class occurs."""

import torch
from torch import Tensor


def median_frequency_weights(pixels: Tensor, image_pixels: Tensor) -> Tensor:
    """The median class's frequency over each class's own: ``(K,), (K,) -> (K,)`` float32, 1 for the median class.

    Median frequency balancing (Eigen and Fergus 2015, section 6.3.1): ``pixels`` counts the pixels of each class,
    ``image_pixels`` all pixels of the images in which it occurs, and the frequency is their quotient. The median is
    over the classes that occur; one that never does gets 0, since no pixel could ever use its weight.

    Raises ``ValueError`` unless both are ``(K,)``.
    """
    if pixels.ndim != 1 or pixels.shape != image_pixels.shape:
        raise ValueError(
            f"pixels are {tuple(pixels.shape)} and image_pixels {tuple(image_pixels.shape)}; give both (K,)"
        )
    frequency = pixels.double() / image_pixels
    return (frequency.nanquantile(0.5) / frequency).nan_to_num(nan=0.0).float()


def inverse_frequency_weights(pixels: Tensor) -> Tensor:
    """One over each class's share of all pixels, scaled so that a pixel weighs 1 on average: ``(K,) -> (K,)`` float32.

    ``sum(pixels) / (classes * pixels)``, over the classes that occur: each of them then has the same say in the sum of
    the loss. A class that never occurs gets 0. Raises ``ValueError`` unless ``pixels`` is ``(K,)``.
    """
    if pixels.ndim != 1:
        raise ValueError(f"pixels are {tuple(pixels.shape)}; give a count for each class, (K,)")
    counts = pixels.double()
    present = counts > 0
    return torch.where(present, counts.sum() / (present.sum() * counts), 0).float()
