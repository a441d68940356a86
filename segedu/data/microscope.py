"""What the real cell data sets share: grey pictures in pairs with their labels, found on this machine or not at all."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from segedu.data.install import data_root
from segedu.data.pictures import Transforms


class Microscope(Dataset[tuple[tv_tensors.Image, tv_tensors.Mask]], ABC):
    """``data[i] -> (Image (3, H, W) uint8, grey in all channels, Mask (H, W) int64)``, before ``transforms``.

    A subclass says which files make a split, and how they are read. Nothing is downloaded. Raises ``ValueError`` for an
    unknown split or a set that is not whole, ``FileNotFoundError`` where the split is absent.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "val")
    classes: ClassVar[tuple[str, ...]]
    palette: ClassVar[Tensor]
    mean: ClassVar[tuple[float, float, float]]
    std: ClassVar[tuple[float, float, float]]
    size: ClassVar[tuple[int, int]]
    ignore_index: ClassVar[int] = 255
    home: ClassVar[str]
    """The set's folder under the root."""
    way_here: ClassVar[str]
    """How to come by the data, as the end of a sentence."""

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        split: str = "train",
        transforms: Transforms | None = None,
    ) -> None:
        if split not in self.splits:
            raise ValueError(f"split is {split!r}, expected one of {', '.join(map(repr, self.splits))}")
        folder = data_root(root) / self.home
        if not self.holds(folder, split):
            raise FileNotFoundError(
                f"the split {split!r} of {type(self).__name__} is not under {folder}, and there is no download: "
                f"{self.way_here}"
            )
        self.split = split
        self.transforms = transforms
        self.images, self.labels = self.files(folder, split)

    @classmethod
    def available(cls, root: str | os.PathLike[str] | None = None, split: str = "train") -> bool:
        """Whether this machine has the split."""
        return split in cls.splits and cls.holds(data_root(root) / cls.home, split)

    @classmethod
    @abstractmethod
    def holds(cls, folder: Path, split: str) -> bool:
        """Whether the folders of a split are there."""

    @classmethod
    @abstractmethod
    def files(cls, folder: Path, split: str) -> tuple[list[Path], list[Path]]:
        """The image and label files of a split."""

    @abstractmethod
    def grey(self, index: int) -> Tensor:
        """The picture, ``(H, W)`` uint8."""

    @abstractmethod
    def mask(self, index: int) -> Tensor:
        """Its labels, ``(H, W)`` int64."""

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
        grey, labels = self.grey(index), self.mask(index)
        if grey.shape != labels.shape:
            raise ValueError(
                f"{self.images[index]} is {tuple(grey.shape)} and {self.labels[index]} {tuple(labels.shape)}, "
                f"expected one size: {self.way_here}"
            )
        image = tv_tensors.Image(grey.expand(3, -1, -1).contiguous(), device="cpu")
        mask = tv_tensors.Mask(labels, device="cpu")
        return (image, mask) if self.transforms is None else self.transforms(image, mask)


def both_folders(folder: Path) -> bool:
    """Whether a folder holds ``images`` and ``labels``."""
    return all((folder / name).is_dir() for name in ("images", "labels"))


def stretched(grey: Tensor) -> Tensor:
    """Contrast stretched so that all but the darkest and the brightest thousandth span 0..255: ``(H, W)`` uint8."""
    ranked = grey.flatten().sort().values.float()
    tail = len(ranked) // 1000
    low, high = ranked[tail], ranked[len(ranked) - 1 - tail]
    return ((grey - low) * (255 / (high - low).clamp(min=1))).round().clamp(0, 255).to(torch.uint8)
