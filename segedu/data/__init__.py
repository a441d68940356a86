"""The data sets of the course, by name: ``streets`` is painted, ``camvid`` is real, and one word swaps them."""

from collections.abc import Callable
from typing import Any

from segedu.data import transforms
from segedu.data.adapt import Adapted
from segedu.data.camvid import CamVid, find
from segedu.data.contract import SegmentationData
from segedu.data.frequencies import ClassFrequencies, class_frequencies, median_frequency_weights
from segedu.data.install import data_root
from segedu.data.palette import CAMVID, Palette, colourise
from segedu.data.room import DownloadError, NoRoomError
from segedu.data.streets import Streets
from segedu.data.transforms import denormalise

__all__ = [
    "CAMVID",
    "Adapted",
    "CamVid",
    "ClassFrequencies",
    "DownloadError",
    "NoRoomError",
    "Palette",
    "SegmentationData",
    "Streets",
    "available",
    "class_frequencies",
    "colourise",
    "denormalise",
    "load",
    "median_frequency_weights",
]

SPLITS = ("train", "val", "test")


def load(
    name: str, split: str = "train", size: tuple[int, int] | None = None, *, augment: bool = False, **options: Any
) -> SegmentationData:
    """A data set under the house contract: ``data[i] -> (Image (3, H, W) float32 normalised, Mask (H, W) int64)``.

    ``name`` is "streets" or "camvid", ``split`` "train", "val" or "test"; ``size`` is (height, width), by default the
    set's own. The result has ``classes``, ``palette``, ``mean``, ``std`` and ``ignore_index``.

    - ``streets``: scenes are painted when asked for, no scene in two splits; ``options`` are those of ``Streets``
      (``length``, ``seed``, the dials), and ``.batch(indices, device)`` paints on the device.
    - ``camvid``: photographs; ``options`` are ``root`` and ``download`` of ``CamVid``.

    ``augment`` asks for random colour, mirror, scale and crop, in the training split alone. Painted scenes never
    repeat and need none: there it changes nothing, so that one call serves both sets.

    Raises ``ValueError`` for an unknown name or split, or ``augment`` outside the training split, and what the data
    set's class raises, for example ``FileNotFoundError`` where CamVid is absent.
    """
    loader = _loader(name, split)
    if augment and split != "train":
        raise ValueError(f"augment is True for split {split!r}: only 'train' is augmented, scores need the data as is")
    return loader(split, size, augment, options)


def available(name: str, split: str = "train", **options: Any) -> bool:
    """Whether ``load(name, split, **options)`` would find its data on this machine, without a download.

    Raises ``ValueError`` for an unknown name or split.
    """
    return _loader(name, split) is _streets or find(data_root(options.get("root")), split) is not None


def _streets(split: str, size: tuple[int, int] | None, augment: bool, options: dict[str, Any]) -> SegmentationData:
    seed = options.pop("seed", 0)
    if not isinstance(seed, int) or not 0 <= seed < 2**30:
        raise ValueError(f"seed is {seed!r}, expected a whole number from 0 to {2**30 - 1}")
    if size is not None:
        options["size"] = size
    # Three streams of scenes for each seed, and no two seeds share one.
    return Streets(seed=len(SPLITS) * seed + SPLITS.index(split), **options)


def _camvid(split: str, size: tuple[int, int] | None, augment: bool, options: dict[str, Any]) -> SegmentationData:
    if augment:
        joint = transforms.training(size or CamVid.size, CamVid.mean, CamVid.std)
    else:
        joint = transforms.evaluation(size, CamVid.mean, CamVid.std)
    return CamVid(split=split, transforms=joint, **options)


_LOADERS: dict[str, Callable[[str, tuple[int, int] | None, bool, dict[str, Any]], SegmentationData]] = {
    "streets": _streets,
    "camvid": _camvid,
}


def _loader(name: str, split: str) -> Callable[[str, tuple[int, int] | None, bool, dict[str, Any]], SegmentationData]:
    if name not in _LOADERS:
        raise ValueError(f"name is {name!r}, expected one of {', '.join(map(repr, _LOADERS))}")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}, expected one of {', '.join(map(repr, SPLITS))}")
    return _LOADERS[name]
