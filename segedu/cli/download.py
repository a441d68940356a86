"""``download``: fetch a real data set, check it, and say where it lies."""

import argparse

from segedu.data.camvid import SPLITS, CamVid
from segedu.data.install import data_root


def run(chosen: argparse.Namespace) -> int:
    """Bring CamVid to ``--to``, else to where the loaders look for it; nothing to do where it lies there already."""
    root = data_root(chosen.to)
    pairs = {split: len(CamVid(root, split, download=True)) for split in SPLITS}
    print(f"{chosen.data} is in {root}: " + ", ".join(f"{count} {split}" for split, count in pairs.items()))
    if chosen.to is not None:
        print(f"to use it, set SEGEDU_DATA={root.resolve()}")
    return 0
