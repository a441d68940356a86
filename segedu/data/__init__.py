"""The data sets of the course, by name: what is painted and what is real have the same form, so one word swaps them."""

from typing import Any

from segedu.data import transforms
from segedu.data.adapt import Adapted
from segedu.data.camvid import CamVid, find
from segedu.data.cells import Cells
from segedu.data.contract import SegmentationData
from segedu.data.elastic import ElasticDeformation, deform
from segedu.data.frequencies import ClassFrequencies, class_frequencies, median_frequency_weights
from segedu.data.held import Held
from segedu.data.install import data_root
from segedu.data.isbi import ISBI
from segedu.data.microscope import Microscope
from segedu.data.nuclei import Nuclei
from segedu.data.palette import CAMVID, CELLS, Palette, colourise
from segedu.data.room import DownloadError, NoRoomError
from segedu.data.streets import Streets
from segedu.data.transforms import denormalise

__all__ = [
    "CAMVID",
    "CELLS",
    "ISBI",
    "Adapted",
    "CamVid",
    "Cells",
    "ClassFrequencies",
    "DownloadError",
    "ElasticDeformation",
    "Held",
    "NoRoomError",
    "Nuclei",
    "Palette",
    "SegmentationData",
    "Streets",
    "available",
    "class_frequencies",
    "colourise",
    "deform",
    "denormalise",
    "load",
    "median_frequency_weights",
]

SPLITS = ("train", "val", "test")


def load(
    name: str, split: str = "train", size: tuple[int, int] | None = None, *, augment: bool = False, **options: Any
) -> SegmentationData:
    """A data set under the house contract: ``data[i] -> (Image (3, H, W) float32 normalised, Mask (H, W) int64)``.

    ``name`` is "streets" or "camvid" (road scenes), "cells", "nuclei" or "isbi" (cells under a microscope), ``split``
    "train", "val" or "test"; ``size`` is (height, width), by default the set's own. The result has ``classes``,
    ``palette``, ``mean``, ``std`` and ``ignore_index``.

    - ``streets``, ``cells``: scenes are painted when asked for, no scene in two splits; ``options`` are those of
      ``Streets`` and ``Cells`` (``length``, ``seed``, the dials), and ``.batch(indices, device)`` paints on the device.
    - ``camvid``: photographs; ``options`` are ``root`` and ``download`` of ``CamVid``.
    - ``nuclei``, ``isbi``: micrographs, without a split "test"; the option is ``root`` of ``Nuclei`` and ``ISBI``.

    ``augment`` asks for random colour, mirror, scale and crop, in the training split alone. Painted scenes never
    repeat and need none: there it changes nothing, so that one call serves all sets.

    Raises ``ValueError`` for an unknown name or split, or ``augment`` outside the training split, and what the data
    set's class raises, for example ``FileNotFoundError`` where CamVid is absent.
    """
    _require(name, split)
    if augment and split != "train":
        raise ValueError(f"augment is True for split {split!r}: only 'train' is augmented, scores need the data as is")
    if name in _PAINTERS:
        return _painted(_PAINTERS[name], split, size, options)
    return _real(_REAL[name], split, size, augment, options)


def available(name: str, split: str = "train", **options: Any) -> bool:
    """Whether ``load(name, split, **options)`` would find its data on this machine, without a download.

    Raises ``ValueError`` for an unknown name or split.
    """
    _require(name, split)
    if name in _PAINTERS:
        return True
    root = options.get("root")
    return (
        _MICROSCOPES[name].available(root, split) if name in _MICROSCOPES else find(data_root(root), split) is not None
    )


def _painted(
    painter: type[Streets] | type[Cells], split: str, size: tuple[int, int] | None, options: dict[str, Any]
) -> SegmentationData:
    seed = options.pop("seed", 0)
    if not isinstance(seed, int) or not 0 <= seed < 2**30:
        raise ValueError(f"seed is {seed!r}, expected a whole number from 0 to {2**30 - 1}")
    if size is not None:
        options["size"] = size
    # Three streams of scenes for each seed, and no two seeds share one.
    return painter(seed=len(SPLITS) * seed + SPLITS.index(split), **options)


def _real(
    real: type[CamVid] | type[Microscope],
    split: str,
    size: tuple[int, int] | None,
    augment: bool,
    options: dict[str, Any],
) -> SegmentationData:
    if augment:
        joint = transforms.training(size or real.size, real.mean, real.std)
    else:
        joint = transforms.evaluation(size, real.mean, real.std)
    return real(split=split, transforms=joint, **options)


_PAINTERS: dict[str, type[Streets] | type[Cells]] = {"streets": Streets, "cells": Cells}
_MICROSCOPES: dict[str, type[Microscope]] = {"nuclei": Nuclei, "isbi": ISBI}
_REAL: dict[str, type[CamVid] | type[Microscope]] = {"camvid": CamVid, **_MICROSCOPES}


def _require(name: str, split: str) -> None:
    names = (*_PAINTERS, *_REAL)
    if name not in names:
        raise ValueError(f"name is {name!r}, expected one of {', '.join(map(repr, names))}")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}, expected one of {', '.join(map(repr, SPLITS))}")
