"""Metrics on two 512x512 label maps of 19 classes: confusion matrix and boundary F1 against what is in use elsewhere.

numpy's ``fast_hist`` is FCN's own score.py; boundary F1 by distance transforms is the definition taken literally.
torchmetrics is in the [bench] extra; without it those rows are left out.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import common
import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt

from segedu.metrics import BoundaryF1, ConfusionMatrix
from segedu.metrics.contours import contour

CLASSES, VOID, TOLERANCE = 19, 255, 0.0075


def label_maps() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Scores, the labels that they call, and a target with a void strip: soft-edged regions as in a real scene."""
    generator = torch.Generator().manual_seed(0)
    truth = F.interpolate(torch.randn(2, CLASSES, 32, 32, generator=generator), size=(512, 512), mode="bilinear")
    scores = truth + 0.5 * F.interpolate(torch.randn(2, CLASSES, 64, 64, generator=generator), size=(512, 512))
    target = truth.argmax(1)
    target[:, :20] = VOID
    return scores, scores.argmax(1), target


def fast_hist(predictions: torch.Tensor, target: torch.Tensor) -> np.ndarray:
    called, truth = predictions.numpy().ravel(), target.numpy().ravel()
    kept = (truth >= 0) & (truth < CLASSES)
    return np.bincount(CLASSES * truth[kept].astype(int) + called[kept], minlength=CLASSES**2)


def boundary_by_distances(predictions: torch.Tensor, target: torch.Tensor) -> float:
    images = []
    for called, truth in zip(predictions, target, strict=True):
        valid, reach, scores = truth != VOID, TOLERANCE * float(np.hypot(*truth.shape)), []
        edges = [contour(labels[None], valid[None])[0] for labels in (called, truth)]
        for c in torch.unique(truth[valid]).tolist():
            found, true = ((edge & (labels == c)).numpy() for edge, labels in zip(edges, (called, truth), strict=True))
            if found.any() and true.any():
                precision = (distance_transform_edt(~true)[found] <= reach).mean()
                recall = (distance_transform_edt(~found)[true] <= reach).mean()
                scores.append(2 * precision * recall / max(precision + recall, 1e-12))
            elif found.any() or true.any():
                scores.append(0.0)
        images.append(np.mean(scores))
    return float(np.mean(images))


def torchmetrics_jaccard(validate: bool) -> Callable[[torch.Tensor, torch.Tensor], None] | None:
    try:
        from torchmetrics.classification import MulticlassJaccardIndex
    except ModuleNotFoundError:
        return None
    return MulticlassJaccardIndex(CLASSES, ignore_index=VOID, validate_args=validate).update


def ways(
    scores: torch.Tensor, labels: torch.Tensor, target: torch.Tensor
) -> dict[str, dict[str, Callable[[], object]]]:
    """The ways of each task, ours first."""
    ours, boundary = ConfusionMatrix(CLASSES), BoundaryF1(CLASSES, TOLERANCE)
    small, small_target = labels.to(torch.uint8), target.to(torch.uint8)
    tasks = {
        "labels int64": {
            "segedu": lambda: ours.update(labels, target),
            "numpy fast_hist": lambda: fast_hist(labels, target),
        },
        "labels uint8": {
            "segedu": lambda: ours.update(small, small_target),
            "numpy fast_hist": lambda: fast_hist(small, small_target),
        },
        "scores": {
            "segedu": lambda: ours.update(scores, target),
            "argmax, fast_hist": lambda: fast_hist(scores.argmax(1), target),
        },
        "boundary F1": {
            "segedu": lambda: boundary.update(labels, target),
            "distance transforms": lambda: boundary_by_distances(labels, target),
        },
    }
    for name, validate in (("torchmetrics", True), ("torchmetrics, unchecked", False)):
        peer = torchmetrics_jaccard(validate)
        if peer is not None:
            tasks["labels int64"][name] = lambda peer=peer: peer(labels, target)
            tasks["scores"][name] = lambda peer=peer: peer(scores, target)
    return tasks


def require_agreement(labels: torch.Tensor, target: torch.Tensor) -> None:
    """Stop before timing ways that do not compute the same."""
    confusion, boundary = ConfusionMatrix(CLASSES), BoundaryF1(CLASSES, TOLERANCE)
    confusion.update(labels, target)
    boundary.update(labels, target)
    if not np.array_equal(confusion.matrix.numpy().ravel(), fast_hist(labels, target)):
        raise SystemExit("segedu and numpy count differently")
    if abs(boundary.scores().mean_f1 - boundary_by_distances(labels, target)) > 1e-9:
        raise SystemExit("segedu and the distance transforms disagree")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the table here")
    arguments = parser.parse_args()
    scores, labels, target = label_maps()
    require_agreement(labels, target)
    rows = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for task, candidates in ways(scores, labels, target).items():
            times = common.interleaved(candidates)
            for name, time in times.items():
                rows.append(
                    {
                        "task": task,
                        "threads": threads,
                        "way": name,
                        "wall_ms": round(1e3 * time.wall, 2),
                        "cpu_ms": round(1e3 * time.cpu, 2),
                        "cpu_ratio_to_segedu": round(time.cpu / times["segedu"].cpu, 2),
                    }
                )
    print(common.table(rows))
    if arguments.json:
        common.write(arguments.json, rows)


if __name__ == "__main__":
    main()
