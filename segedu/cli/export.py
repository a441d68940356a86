"""``export``: a finished run as weights in safetensors, and a card that says how they came about and the scores."""

import argparse
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.utils.data import Dataset, Subset

from segedu import trained
from segedu.cli.evaluate import measure
from segedu.cli.sources import chosen_device, open_data
from segedu.data import SegmentationData
from segedu.metrics import BoundaryF1, ConfusionMatrix
from segedu.models import released
from segedu.profile import parameters
from segedu.train import History, checkpoint, evaluate

SPLIT = "val"
FIRST = 8  # images whose scores are kept apart, so that whoever has the weights can check them in a second
DIGITS = 5  # of a recorded loss or score


def run(chosen: argparse.Namespace) -> int:
    """Score the run's model, and write its weights and card."""
    if chosen.to.suffix != ".json":
        raise ValueError(f"--to is {chosen.to}; give the card's name, which ends in .json")
    model, card = trained.load(chosen.run)
    history = _history(chosen.run)
    device = chosen_device(chosen.device)
    data = open_data(card.data, SPLIT, card.size)
    found = scores(card.classes, *measure(model, data, chosen.batch_size, device))
    entries = {
        "parameters": parameters(model),
        "model": vars(card),
        "scores": found | {"split": SPLIT, "images": len(data)},
        "first": first_scores(model, data, device),
        "trained": {"torch": torch.__version__.partition("+")[0], "machine": platform.machine()},
        "validation": {step: _two(at_step) for step, at_step in history.validation.items()},
        "loss": [_significant(loss) for loss in history.loss],
    }
    written = released.write(chosen.to, model.state_dict(), entries)
    print(
        f"{card.title}: {written.weights}, {written.entries['bytes'] / 1e6:.2f} MB of {written.entries['dtype']}, and "
        f"{written.path}; mean IoU {100 * found['mean_iou']:.2f} %; use it by its path: "
        f"python -m segedu predict {written.path} photograph.jpg --output labels"
    )
    return 0


def scores(classes: list[str], confusion: ConfusionMatrix, boundary: BoundaryF1) -> dict[str, Any]:
    """Mean IoU, pixel accuracy and boundary F1; of each class IoU and boundary F1, None where it does not occur."""
    regions, contours = confusion.scores(), boundary.scores()
    by_class = {
        name: {"iou": _or_none(iou), "boundary_f1": _or_none(f1)}
        for name, iou, f1 in zip(classes, regions.iou.tolist(), contours.f1.tolist(), strict=True)
    }
    means = {"mean_iou": regions.mean_iou, "pixel_accuracy": regions.pixel_accuracy, "boundary_f1": contours.mean_f1}
    return {name: _significant(value) for name, value in means.items()} | {"classes": by_class}


def first_scores(model: nn.Module, data: SegmentationData, device: torch.device) -> dict[str, Any]:
    """The scores on the first few images alone."""
    few: Subset[Any] = Subset(cast("Dataset[Any]", data), range(min(FIRST, len(data))))
    counts = evaluate(model, few, num_classes=len(data.classes), ignore_index=data.ignore_index, device=device)
    return {"images": len(few), **_two(vars(counts.scores()))}


def _history(run: Path) -> History:
    path = run / trained.CHECKPOINT
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}, which has the loss of every step; name the whole folder of a finished run"
        )
    return History.from_dict(checkpoint.load(path)["history"])


def _two(scores: Mapping[str, Any]) -> dict[str, float]:
    """Of many scores the two that say most."""
    return {name: _significant(scores[name]) for name in ("mean_iou", "pixel_accuracy")}


def _significant(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _or_none(value: float) -> float | None:
    return None if value != value else _significant(value)
