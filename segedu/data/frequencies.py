"""How often each class occurs, and the weights that even it out."""

from typing import NamedTuple

import torch
from torch import Tensor

from segedu import losses
from segedu.data.contract import SegmentationData


class ClassFrequencies(NamedTuple):
    """Counts over the images of a data set: both ``(K,)`` int64.

    ``pixels`` holds the pixels of each class; ``image_pixels`` the size, void included, of all images in which the
    class occurs, added up.
    """

    pixels: Tensor
    image_pixels: Tensor

    @property
    def frequency(self) -> Tensor:
        """``(K,)`` float64: the share of a class within the images that hold it; NaN for a class that never occurs."""
        return self.pixels.double() / self.image_pixels


def class_frequencies(dataset: SegmentationData) -> ClassFrequencies:
    """Count the classes over every label map of ``dataset``, whose items it reads one by one.

    Raises ``ValueError`` for a label that is neither a class nor void.
    """
    classes = len(dataset.classes)
    pixels = torch.zeros(classes, dtype=torch.int64, device="cpu")
    image_pixels = torch.zeros_like(pixels)
    for index in range(len(dataset)):
        labels = dataset[index][1].as_subclass(Tensor).flatten().cpu()
        counts = torch.bincount(labels[labels != dataset.ignore_index], minlength=classes)
        if len(counts) > classes:
            raise ValueError(
                f"item {index} holds class {len(counts) - 1}, but the data set names {classes} classes: "
                f"labels are 0..{classes - 1} and void is ignore_index={dataset.ignore_index}"
            )
        pixels += counts
        image_pixels += labels.numel() * (counts > 0)
    return ClassFrequencies(pixels, image_pixels)


def median_frequency_weights(frequencies: ClassFrequencies) -> Tensor:
    """``losses.median_frequency_weights`` of what ``class_frequencies`` counted: ``(K,)`` float32."""
    return losses.median_frequency_weights(*frequencies)
