"""What the CRF explorer is tried on: small crops of pictures with their labels, and classes of their own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from segedu import data
from segedu.classroom.explorers.crf_photograph import photograph_crop
from segedu.data import SegmentationData, denormalise

SIZE = (96, 128)
LARGEST = (192, 256)
STREETS = {"green car": (10, (75, 112)), "thin poles": (20, (0, 128)), "dark street": (5, (50, 80))}
"""Painted scenes of the split "val" at 192 x 256, with the row and column that their crops begin at."""


@dataclass(frozen=True, eq=False)
class Crop:
    """A picture ``image (3, H, W)`` uint8 and its ``labels (H, W)`` int64: 0..K-1, or ``ignore_index`` for void.

    ``classes`` are K names and ``palette (K, 3)`` uint8 their colours. Raises ``ValueError`` where these do not belong
    together, for fewer than two classes, and for a crop larger than 192 x 256, which could not answer at once.
    """

    name: str
    image: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    palette: Tensor
    ignore_index: int = 255

    def __post_init__(self) -> None:
        size = tuple(self.labels.shape)
        dtypes = self.image.dtype, self.labels.dtype
        fits = len(size) == 2 and tuple(self.image.shape) == (3, *size) and self.labels.numel()
        if dtypes != (torch.uint8, torch.int64) or not fits:
            raise ValueError(
                f"crop {self.name!r} has an image {tuple(self.image.shape)} in {dtypes[0]} and labels {size} in "
                f"{dtypes[1]}; expected (3, H, W) in uint8 and (H, W) in int64"
            )
        if any(side > most for side, most in zip(size, LARGEST, strict=True)):
            raise ValueError(f"crop {self.name!r} is {size}; take a part of at most {LARGEST}, see Crop.of")
        if len(self.classes) < 2 or tuple(self.palette.shape) != (len(self.classes), 3):
            raise ValueError(
                f"crop {self.name!r} has {len(self.classes)} classes and a palette {tuple(self.palette.shape)}; "
                "expected at least two classes, and (K, 3)"
            )
        known = (self.labels >= 0) & (self.labels < len(self.classes)) | (self.labels == self.ignore_index)
        if not known.all():
            raise ValueError(
                f"crop {self.name!r} has the label {int(self.labels[~known][0])}, but its {len(self.classes)} classes "
                f"are 0..{len(self.classes) - 1} and void is {self.ignore_index}"
            )

    @classmethod
    def of(
        cls,
        name: str,
        source: SegmentationData,
        index: int,
        corner: tuple[int, int] = (0, 0),
        size: tuple[int, int] = SIZE,
    ) -> Crop:
        """A crop of a data set's picture, from the ``corner`` (row, column) on, with the classes that appear in it."""
        image, labels = source[index]
        rows, cols = (slice(first, first + length) for first, length in zip(corner, size, strict=True))
        labels = labels.as_subclass(Tensor)[rows, cols]
        colours = denormalise(image.as_subclass(Tensor)[:, rows, cols], source.mean, source.std)
        levels = (255 * colours).round().clamp(0, 255)
        present = [label for label in range(len(source.classes)) if (labels == label).any()]
        renamed = torch.full_like(labels, source.ignore_index)
        for new, old in enumerate(present):
            renamed[labels == old] = new
        classes = tuple(source.classes[label] for label in present)
        return cls(name, levels.byte(), renamed, classes, source.palette[present], source.ignore_index)


def example_crops() -> tuple[Crop, ...]:
    """A photograph, where matplotlib came with its samples, and painted streets: nothing is fetched."""
    streets = data.load("streets", split="val", size=LARGEST)
    return (
        *(Crop("photograph", *traced) for traced in photograph_crop()),
        *(Crop.of(name, streets, index, corner) for name, (index, corner) in STREETS.items()),
    )
