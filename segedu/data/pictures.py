"""Pictures and their label maps as files: found in pairs, decoded whole, or named where they are not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors

Transforms = Callable[[tv_tensors.Image, tv_tensors.Mask], tuple[tv_tensors.Image, tv_tensors.Mask]]

_SUFFIXES = {".png", ".jpg", ".jpeg"}


def pairs(images: Path, labels: Path, way_out: str) -> tuple[list[Path], list[Path]]:
    """The files of two folders that share their names but for the suffix, in the order of these names.

    Raises ``ValueError`` naming a picture that has no counterpart, with the ``way_out``.
    """
    here, there = _pictures(images), _pictures(labels)
    for folder, own, others in ((images, here, there), (labels, there, here)):
        if missing := {path.stem for path in others} - {path.stem for path in own}:
            raise ValueError(f"{folder} has no picture named {min(missing)}: {way_out}")
    if len(here) != len(there):
        raise ValueError(f"{images} holds {len(here)} pictures and {labels} {len(there)}, expected pairs: {way_out}")
    return here, there


def decode(path: Path, modes: tuple[str, ...], size: tuple[int, int] | None, way_out: str) -> Tensor:
    """The pixels of a file in one of Pillow's ``modes``: ``(H, W)`` or ``(H, W, C)``, of ``size`` (H, W) where given.

    Raises ``ValueError`` naming the file where it does not decode to that, with the ``way_out``.
    """
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is not a whole picture ({error}): {way_out}") from error
    if picture.mode not in modes or size not in (None, picture.size[::-1]):
        wanted = " or ".join(modes) + ("" if size is None else f" of {size[1]}x{size[0]}")
        raise ValueError(
            f"{path} is a {picture.mode} picture of {picture.size[0]}x{picture.size[1]}, expected {wanted}: {way_out}"
        )
    return torch.from_numpy(np.array(picture))  # not as_tensor: that would follow an implied device


def _pictures(folder: Path) -> list[Path]:
    files = (path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and not path.name.startswith("."))
    return sorted(files, key=lambda path: path.stem)
