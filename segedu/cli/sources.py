"""What several commands do before their work: find the device and the data."""

from typing import Any

import torch

import segedu
from segedu.data import load


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


def open_data(name: str, split: str, size: list[int] | None, *, augment: bool = False) -> Any:
    """The data set ``name`` with the house transforms; at its own size unless ``--size`` gave one."""
    # Painted scenes have no end, so what is scored of them is a choice: enough for a stable mean, soon done.
    options = {"length": 200} if name in {"streets", "cells"} and split != "train" else {}
    return load(name, split, None if size is None else (size[0], size[1]), augment=augment, **options)
