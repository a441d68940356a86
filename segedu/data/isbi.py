"""ISBI 2012: sections through a fly's nerve cord under an electron microscope, U-Net's own task."""

import re
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from segedu.data.microscope import Microscope, both_folders
from segedu.data.palette import Palette
from segedu.data.pictures import decode, pairs

SECTIONS = {"train": range(20), "val": range(20, 25)}
"""The numbers of each split's sections. Neighbours look alike, so what is held out is one block at the end."""

EM = Palette(
    classes=("Membrane", "Cell"),
    colours=torch.tensor([(0, 0, 0), (230, 159, 0)], dtype=torch.uint8, device="cpu"),
)


class ISBI(Microscope):
    """The real sections: ``data[i] -> (Image (3, 512, 512) uint8, Mask (512, 512) int64)``, before ``transforms``.

    Labels are 1 inside cells and 0 on membranes; there is no void. ``root`` is the folder that holds ``isbi2012/``; by
    default ``SEGEDU_DATA`` of the environment, else ``segedu`` in the user's cache. The layout is
    ``isbi2012/train/{images,labels}``, grey PNG files named by the number of their section, 00 to 24; ``train`` are the
    sections 0 to 19 and ``val`` 20 to 24, one block, because neighbouring sections overlap. Sections beyond 24 are not
    read.

    Source: Cardona et al., PLoS Biology 8, 2010, as the ISBI 2012 challenge labelled it; non-commercial use.

    Raises ``ValueError`` for an unknown split, a set that is not whole, or a file that does not decode to what it
    should, naming it; ``FileNotFoundError`` where the set is absent.
    """

    classes: ClassVar[tuple[str, ...]] = EM.classes
    palette: ClassVar[Tensor] = EM.colours
    size: ClassVar[tuple[int, int]] = (512, 512)
    # Measured over sections 0 to 24.
    mean: ClassVar[tuple[float, float, float]] = (0.4948, 0.4948, 0.4948)
    std: ClassVar[tuple[float, float, float]] = (0.1726, 0.1726, 0.1726)
    home: ClassVar[str] = "isbi2012"
    way_here: ClassVar[str] = (
        "get the training stack of the ISBI 2012 EM challenge (non-commercial, cite Cardona et al. 2010) and put its "
        "sections as 00.png, 01.png, ... into isbi2012/train/{images,labels} under SEGEDU_DATA"
    )

    @classmethod
    def holds(cls, folder: Path, split: str) -> bool:
        return both_folders(folder / "train")

    @classmethod
    def files(cls, folder: Path, split: str) -> tuple[list[Path], list[Path]]:
        images, labels = (
            {_number(path): path for path in paths}
            for paths in pairs(folder / "train" / "images", folder / "train" / "labels", cls.way_here)
        )
        for number in SECTIONS[split]:
            if number not in images:
                raise ValueError(f"{folder / 'train' / 'images'} has no section {number:02}: {cls.way_here}")
        return [images[number] for number in SECTIONS[split]], [labels[number] for number in SECTIONS[split]]

    def grey(self, index: int) -> Tensor:
        return decode(self.images[index], ("L",), self.size, self.way_here)

    def mask(self, index: int) -> Tensor:
        labels = decode(self.labels[index], ("L",), self.size, self.way_here)
        if not torch.isin(labels, torch.tensor([0, 255], dtype=torch.uint8, device="cpu")).all():
            raise ValueError(f"{self.labels[index]} holds other values than 0 and 255, expected a map of membranes")
        return (labels > 0).long()


def _number(path: Path) -> int | None:
    """The number of a section, None for a picture that has none."""
    return int(path.stem) if re.fullmatch(r"\d+", path.stem) else None
