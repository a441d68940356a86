"""What several commands do before their work: find the device and the data."""

import torch

import segedu
from segedu.data import SegmentationData, load

SCORED_SCENES = 200


def chosen_device(name: str | None) -> torch.device:
    """The device that ``--device`` names, the fastest without it; raises ``ValueError`` for one that is not there."""
    if name is None:
        return segedu.device()
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # PyTorch asserts where a backend was not built in
        raise ValueError(f"--device {name} cannot be used here; leave it out to use {segedu.device()}") from error
    return device


def open_data(
    name: str, split: str, size: list[int] | None, *, augment: bool = False, scenes: int | None = None
) -> SegmentationData:
    """The data set ``name`` with the house transforms; at its own size unless ``--size`` gave one.

    ``scenes`` is how many a painter paints, its own number for training if left out. Raises ``ValueError`` where the
    pictures are not painted, and what ``data.load`` raises.
    """
    painted = name in {"streets", "cells"}
    if scenes is not None and not painted:
        raise ValueError(
            f"--scenes is {scenes}, but {name} is not painted: it has the pictures that it has; leave it out"
        )
    # Painted scenes have no end, so what is scored of them is a choice: enough for a stable mean, soon done.
    length = SCORED_SCENES if painted and split != "train" else scenes
    options = {} if length is None else {"length": length}
    return load(name, split, None if size is None else (size[0], size[1]), augment=augment, **options)
