"""Nuclei: fluorescence pictures of the 2018 Data Science Bowl, many of whose nuclei touch."""

from pathlib import Path
from typing import ClassVar

from torch import Tensor

from segedu.data.microscope import Microscope, both_folders, stretched
from segedu.data.palette import CELLS
from segedu.data.pictures import decode, pairs
from segedu.data.separation import separated


class Nuclei(Microscope):
    """The real nuclei: ``data[i] -> (Image (3, H, W) uint8, Mask (H, W) int64)``, before ``transforms``.

    Labels are 1 on nuclei and 0 on background, of which a line two pixels wide parts nuclei that touch, since the
    annotation gives each its own id and no line; there is no void. Pictures are turned grey, and their contrast is
    stretched: the originals are dark. ``root`` is the folder that holds ``dsb2018/``; by default ``SEGEDU_DATA`` of the
    environment, else ``segedu`` in the user's cache. The layout is ``dsb2018/{train,val}/{images,labels}``, one PNG of
    instance ids (grey, 8 or 16 bit, 0 for background) for each image, by the same name.

    Source: Caicedo et al., Nature Methods 16, 2019, set BBBC038 of the Broad Bioimage Benchmark Collection (CC0).

    Raises ``ValueError`` for an unknown split, a set that is not whole, or a file that does not decode, naming it;
    ``FileNotFoundError`` where the split is absent.
    """

    classes: ClassVar[tuple[str, ...]] = CELLS.classes
    palette: ClassVar[Tensor] = CELLS.colours
    size: ClassVar[tuple[int, int]] = (256, 256)
    # Measured over the 80 pictures of the train split used in this course, stretched.
    mean: ClassVar[tuple[float, float, float]] = (0.0617, 0.0617, 0.0617)
    std: ClassVar[tuple[float, float, float]] = (0.1274, 0.1274, 0.1274)
    home: ClassVar[str] = "dsb2018"
    way_here: ClassVar[str] = (
        "take pictures of stage1_train of BBBC038 (Broad Bioimage Benchmark Collection, CC0), join the masks of each "
        "into one PNG of ids 1..n, and put them into dsb2018/{train,val}/{images,labels} under SEGEDU_DATA"
    )

    @classmethod
    def holds(cls, folder: Path, split: str) -> bool:
        return both_folders(folder / split)

    @classmethod
    def files(cls, folder: Path, split: str) -> tuple[list[Path], list[Path]]:
        found = pairs(folder / split / "images", folder / split / "labels", cls.way_here)
        if not found[0]:
            raise ValueError(f"{folder / split / 'images'} holds no picture, expected some: {cls.way_here}")
        return found

    def grey(self, index: int) -> Tensor:
        colours = decode(self.images[index], ("RGBA", "RGB", "L"), None, self.way_here)
        return stretched(_luma(colours) if colours.dim() == 3 else colours)

    def mask(self, index: int) -> Tensor:
        return (self.instances(index) > 0).long()

    def instances(self, index: int) -> Tensor:
        """The id of the nucleus at each pixel, 0 for background and for the line between two: ``(H, W)`` int64.

        It is that of the files, before ``transforms``; ``instances > 0`` are the labels.
        """
        ids = decode(self.labels[index], ("L", "I;16", "I"), None, self.way_here)
        return separated(ids.long()[None])[0]


def _luma(colours: Tensor) -> Tensor:
    """Pillow's grey, ITU-R 601: ``(H, W, 3 or 4)`` uint8 -> ``(H, W)`` uint8, in the whole numbers that it uses."""
    red, green, blue = colours[..., :3].int().unbind(-1)
    return (red * 19595 + green * 38470 + blue * 7471 + 0x8000 >> 16).byte()
