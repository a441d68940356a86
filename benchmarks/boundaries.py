"""Boundary metrics of two 512x512 label maps of 19 classes: boundary F1, Boundary IoU and scores in bands.

Boundary F1 by distance transforms and bands by dilation are the definitions taken literally. Boundary IoU is held
against the way of its authors' code, one OpenCV erosion a mask; without OpenCV, which pytorch-toolbelt in the [bench]
extra brings, that row is left out.
"""

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import torch
from metric_tasks import CLASSES, VOID, Way, label_maps, require_equal, run
from scipy.ndimage import binary_dilation, distance_transform_edt
from torch import Tensor

from segedu.metrics import BoundaryF1, BoundaryIoU, TrimapIoU
from segedu.metrics.contours import contour

TOLERANCE, RATIO, WIDTHS = 0.0075, 0.02, (1, 2, 4, 8, 16)


def f1_by_distances(predictions: Tensor, target: Tensor) -> float:
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


def eroding() -> Callable[[Tensor, Tensor], float]:
    """Boundary IoU class by class: a mask framed by zeros and eroded by a 3x3 square, as often as the rim is wide."""
    import cv2

    cv2.setNumThreads(1)
    square = np.ones((3, 3), np.uint8)

    def rim(mask: np.ndarray, steps: int) -> np.ndarray:
        framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        return mask & ~cv2.erode(framed, square, iterations=steps)[1:-1, 1:-1].view(bool)

    def measure(predictions: Tensor, target: Tensor) -> float:
        images = []
        for called, truth in zip(predictions.numpy(), target.numpy(), strict=True):
            steps, valid, scores = max(1, round(RATIO * float(np.hypot(*truth.shape)))), truth != VOID, []
            for c in range(CLASSES):
                found, true = rim((called == c) & valid, steps), rim(truth == c, steps)
                union = np.count_nonzero(found | true)
                if union:
                    scores.append(np.count_nonzero(found & true) / union)
            images.append(np.mean(scores))
        return float(np.mean(images))

    return measure


def accuracy_by_dilation(predictions: Tensor, target: Tensor) -> list[float]:
    shares = []
    for width in WIDTHS:
        right = seen = 0
        for called, truth in zip(predictions.numpy(), target.numpy(), strict=True):
            band = np.zeros(truth.shape, bool)
            for label in np.unique(truth[truth != VOID]):
                band |= (truth == label) & binary_dilation(truth != label, np.ones((3, 3)), width)
            right, seen = right + int((band & (called == truth)).sum()), seen + int(band.sum())
        shares.append(right / seen)
    return shares


def tasks() -> dict[str, dict[str, Way]]:
    _, labels, target = label_maps()
    small = labels.to(torch.uint8), target.to(torch.uint8)
    f1, iou, bands = BoundaryF1(CLASSES, TOLERANCE), BoundaryIoU(CLASSES, RATIO), TrimapIoU(CLASSES, WIDTHS)
    for metric in (f1, iou, bands):
        metric.update(labels, target)
    require_equal("boundary F1", f1.scores().mean_f1, f1_by_distances(labels, target), 1e-9)
    for ours, theirs in zip(bands.scores().values(), accuracy_by_dilation(labels, target), strict=True):
        require_equal("accuracy in a band", ours.pixel_accuracy, theirs, 1e-9)
    found: dict[str, dict[str, Way]] = {
        "boundary F1": {
            "segedu": lambda: f1.update(labels, target),
            "distance transforms": lambda: f1_by_distances(labels, target),
        },
        "Boundary IoU, int64": {"segedu": lambda: iou.update(labels, target)},
        "Boundary IoU, uint8": {"segedu": lambda: iou.update(*small)},
        "bands of five widths": {
            "segedu": lambda: bands.update(labels, target),
            "dilation": lambda: accuracy_by_dilation(labels, target),
        },
    }
    if find_spec("cv2"):
        measure = eroding()
        require_equal("Boundary IoU", iou.scores().image_mean_iou, measure(labels, target), 1e-9)
        found["Boundary IoU, int64"]["OpenCV erosions"] = lambda: measure(labels, target)
        found["Boundary IoU, uint8"]["OpenCV erosions"] = lambda: measure(*small)
    return found


if __name__ == "__main__":
    run(__doc__, tasks, repeats=5)
