"""``predict``: label pictures, and draw the labels over them."""

import argparse
from collections import Counter
from pathlib import Path

from torch import Tensor, nn

from segedu import trained
from segedu.cli.sources import chosen_device
from segedu.predict import overlay, predict, predict_tiled, read_image, write_labels, write_picture


def run(chosen: argparse.Namespace) -> int:
    """Write NAME-labels.png, whose pixel values are the classes, and NAME-overlay.png for each picture."""
    _require_different_names(chosen.images)
    model, card = trained.load(chosen.run)
    model.to(chosen_device(chosen.device))
    palette = card.colours()
    chosen.output.mkdir(parents=True, exist_ok=True)
    for path in chosen.images:
        image = read_image(path)
        labels = _labels(model, image, card, chosen)
        write_labels(chosen.output / f"{path.stem}-labels.png", labels, palette)
        write_picture(chosen.output / f"{path.stem}-overlay.png", overlay(image, labels, palette))
        print(f"{path}: {_contents(labels, card.classes)}")
    return 0


def _labels(model: nn.Module, image: Tensor, card: trained.Card, chosen: argparse.Namespace) -> Tensor:
    """``(H, W)`` on the CPU: in one pass, or tile by tile where ``--tile`` asks for it."""
    if chosen.tile is None and chosen.margin is not None:
        raise ValueError(f"--margin is {chosen.margin}, but only tiles have one; give --tile too")
    if chosen.tile is None:
        return predict(model, image, card.mean, card.std).cpu()
    return predict_tiled(model, image, card.mean, card.std, tile=chosen.tile, margin=chosen.margin, progress=True)


def _require_different_names(paths: list[Path]) -> None:
    stem, times = Counter(path.stem for path in paths).most_common(1)[0]
    if times > 1:
        raise ValueError(
            f"{times} of the images are named {stem}, and their results would replace each other; run them apart"
        )


def _contents(labels: Tensor, classes: list[str]) -> str:
    """The classes that cover a hundredth of the picture at least, the largest first: ``Road 41 %, Sky 30 %``."""
    shares = 100 * labels.flatten().bincount(minlength=len(classes)) / labels.numel()
    return ", ".join(
        f"{classes[i]} {shares[i]:.0f} %" for i in shares.argsort(descending=True).tolist() if shares[i] >= 1
    )
