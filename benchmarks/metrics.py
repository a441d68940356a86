"""Confusion matrices and means over images of two 512x512 label maps of 19 classes, against what is in use elsewhere.

numpy's ``fast_hist`` is FCN's own score.py. The peers are in the [bench] extra; one that is not installed is left out.
Those that know no void are given a target without it, and so are we. ``boundaries.py`` and ``confidence.py`` measure
the other metrics.
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec

import numpy as np
import torch
from metric_tasks import CLASSES, VOID, Way, label_maps, require_equal, run
from torch import Tensor

from segedu.metrics import ConfusionMatrix, PerImageIoU

# A task's ways, from scores, labels and target.
Peers = Callable[[Tensor, Tensor, Tensor], dict[str, dict[str, Way]]]


def fast_hist(predictions: Tensor, target: Tensor) -> np.ndarray:
    called, truth = predictions.numpy().ravel(), target.numpy().ravel()
    kept = (truth >= 0) & (truth < CLASSES)
    return np.bincount(CLASSES * truth[kept].astype(int) + called[kept], minlength=CLASSES**2)


def deterministically(function: Way) -> Way:
    def call() -> None:
        torch.use_deterministic_algorithms(True)
        function()
        torch.use_deterministic_algorithms(False)

    return call


def torchmetrics(scores: Tensor, labels: Tensor, target: Tensor) -> dict[str, dict[str, Way]]:
    from torchmetrics.classification import MulticlassJaccardIndex
    from torchmetrics.segmentation import MeanIoU

    whole, counts = target.where(target != VOID, 0), ConfusionMatrix(CLASSES)
    checked, unchecked = (
        MulticlassJaccardIndex(CLASSES, ignore_index=VOID, validate_args=validate) for validate in (True, False)
    )
    checked.update(labels, target)
    counts.update(labels, target)
    require_equal("torchmetrics' Jaccard index", counts.scores().mean_iou, float(checked.compute()))
    images, ours = MeanIoU(CLASSES, input_format="index"), PerImageIoU(CLASSES)
    images.update(labels, whole)
    ours.update(labels, whole)
    require_equal("torchmetrics' MeanIoU", ours.scores().pair_mean_iou, float(images.compute()), 1e-5)
    small = labels.to(torch.uint8), target.to(torch.uint8)
    return {
        "labels int64": {
            "torchmetrics": lambda: checked.update(labels, target),
            "torchmetrics, unchecked": lambda: unchecked.update(labels, target),
        },
        "labels uint8": {
            "torchmetrics": lambda: checked.update(*small),
            "torchmetrics, unchecked": lambda: unchecked.update(*small),
        },
        "scores": {
            "torchmetrics": lambda: checked.update(scores, target),
            "torchmetrics, unchecked": lambda: unchecked.update(scores, target),
        },
        "means over images": {"torchmetrics MeanIoU": lambda: images.update(labels, whole)},
        "deterministic": {
            "torchmetrics, unchecked": deterministically(lambda: unchecked.update(labels[:, :128], target[:, :128]))
        },
    }


def monai(scores: Tensor, labels: Tensor, target: Tensor) -> dict[str, dict[str, Way]]:
    from monai.metrics import MeanIoU
    from monai.networks.utils import one_hot

    whole, metric = target.where(target != VOID, 0), MeanIoU(reduction="mean")

    def measure() -> None:
        metric(one_hot(labels[:, None], CLASSES), one_hot(whole[:, None], CLASSES))

    measure()
    ours = PerImageIoU(CLASSES)
    ours.update(labels, whole)
    require_equal("monai's MeanIoU", ours.scores().image_mean_iou, float(metric.aggregate()), 1e-5)
    return {"means over images": {"monai": measure}}


def kornia(scores: Tensor, labels: Tensor, target: Tensor) -> dict[str, dict[str, Way]]:
    from kornia.metrics import mean_iou

    whole, ours = target.where(target != VOID, 0), PerImageIoU(CLASSES)
    ours.update(labels, whole)
    require_equal(
        "kornia's mean_iou", ours.scores().image_mean_iou, float(mean_iou(labels, whole, CLASSES).mean()), 1e-5
    )
    return {"means over images": {"kornia": lambda: mean_iou(labels, whole, CLASSES)}}


def segmentation_models_pytorch(scores: Tensor, labels: Tensor, target: Tensor) -> dict[str, dict[str, Way]]:
    from segmentation_models_pytorch.metrics import get_stats

    def count() -> tuple[Tensor, ...]:
        return get_stats(labels, target, mode="multiclass", ignore_index=VOID, num_classes=CLASSES)

    counts = ConfusionMatrix(CLASSES)
    counts.update(labels, target)
    require_equal("smp's true positives", int(counts.matrix.trace()), int(count()[0].sum()), 0)
    return {"labels int64": {"smp": count}}


PEERS: Mapping[str, Peers] = {
    found.__name__: found for found in (torchmetrics, monai, kornia, segmentation_models_pytorch)
}


def tasks() -> dict[str, dict[str, Way]]:
    scores, labels, target = label_maps()
    small, small_target = labels.to(torch.uint8), target.to(torch.uint8)
    ours, images = ConfusionMatrix(CLASSES), PerImageIoU(CLASSES)
    ours.update(labels, target)
    if not np.array_equal(ours.matrix.numpy().ravel(), fast_hist(labels, target)):
        raise SystemExit("segedu and numpy count differently")
    found: dict[str, dict[str, Way]] = {
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
        "means over images": {"segedu": lambda: images.update(labels, target)},
        "deterministic": {"segedu": deterministically(lambda: ours.update(labels[:, :128], target[:, :128]))},
    }
    for peer, ways in PEERS.items():
        if find_spec(peer):
            for task, more in ways(scores, labels, target).items():
                found[task].update(more)
    return found


if __name__ == "__main__":
    run(__doc__, tasks, repeats=7)
