"""How well scores rank and how well they are calibrated: 524,288 pixels, a twentieth of them positive.

Each way is given the pixels once and asked for AUROC, average precision and FPR at 95 % TPR (pytorch-ood adds three
measures to them, torchmetrics gives AUROC alone, by its exact and by its binned way). Memory of ours is constant; the
others keep the scores. Peers come with the [bench] extra; one that is not installed is left out.
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec

import numpy as np
import torch
from metric_tasks import CLASSES, VOID, Way, label_maps, require_equal, run
from torch import Tensor

from segedu.metrics import Calibration, Ranking, RankingScores

RANKING, CALIBRATION = "AUROC, AP, FPR95", "calibration error"
Peers = Callable[[Tensor, Tensor], dict[str, dict[str, Way]]]


def anomalies() -> tuple[Tensor, Tensor]:
    """Scores ``(2, 512, 512)`` and labels: 1 for an anomaly, void on a strip."""
    generator = torch.Generator().manual_seed(0)
    target = (torch.rand(2, 512, 512, generator=generator) < 0.05).long()
    scores = 3 * torch.randn(2, 512, 512, generator=generator) + 3 * target
    target[:, :20] = VOID
    return scores, target


def rank(scores: Tensor, target: Tensor) -> RankingScores:
    metric = Ranking()
    metric.update(scores, target)
    return metric.scores()


def require_within(what: str, bounds: tuple[float, float], theirs: float) -> None:
    require_equal(what, min(max(theirs, bounds[0]), bounds[1]), theirs, 1e-5)


def sklearn(scores: Tensor, target: Tensor) -> dict[str, dict[str, Way]]:
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    def measure() -> tuple[float, float, float]:
        kept = (target != VOID).numpy()
        truth, values = target.numpy()[kept], scores.numpy()[kept]
        fpr, tpr, _ = roc_curve(truth, values)
        area, precision = roc_auc_score(truth, values), average_precision_score(truth, values)
        return float(area), float(precision), float(fpr[np.argmax(tpr >= 0.95)])

    area, precision, false_alarms = measure()
    ours = rank(scores, target)
    require_within("scikit-learn's AUROC", ours.auroc_bounds, area)
    require_within("scikit-learn's AP", ours.average_precision_bounds, precision)
    require_within("scikit-learn's FPR at 95 % TPR", ours.fpr_at_95_tpr_bounds, false_alarms)
    return {RANKING: {"scikit-learn": measure}}


def pytorch_ood(scores: Tensor, target: Tensor) -> dict[str, dict[str, Way]]:
    from pytorch_ood.metrics import OODMetrics

    labels = torch.where(target == 1, -1, target)

    def measure() -> dict[str, float]:
        return OODMetrics(void_label=VOID).update(scores, labels).compute()

    theirs, ours = measure(), rank(scores, target)
    require_within("pytorch-ood's AUROC", ours.auroc_bounds, theirs["AUROC"])
    require_within("pytorch-ood's FPR at 95 % TPR", ours.fpr_at_95_tpr_bounds, theirs["FPR95TPR"])
    return {RANKING: {"pytorch-ood": measure}}


def torchmetrics(scores: Tensor, target: Tensor) -> dict[str, dict[str, Way]]:
    from torchmetrics.functional.classification import binary_auroc, multiclass_calibration_error

    def area(thresholds: int | None = None) -> Tensor:
        return binary_auroc(scores, target, thresholds=thresholds, ignore_index=VOID, validate_args=False)

    logits, _, classes = label_maps()

    def error() -> Tensor:
        return multiclass_calibration_error(logits, classes, CLASSES, ignore_index=VOID, validate_args=False)

    require_within("torchmetrics' AUROC", rank(scores, target).auroc_bounds, float(area()))
    ours = Calibration(CLASSES)
    ours.update(logits, classes)
    require_equal("torchmetrics' calibration error", ours.scores().expected_error, float(error()), 1e-4)
    return {
        RANKING: {"torchmetrics, AUROC": area, "torchmetrics, AUROC of 100 bins": lambda: area(100)},
        CALIBRATION: {"torchmetrics": error},
    }


PEERS: Mapping[str, Peers] = {found.__name__: found for found in (sklearn, pytorch_ood, torchmetrics)}


def tasks() -> dict[str, dict[str, Way]]:
    scores, target = anomalies()
    logits, _, classes = label_maps()
    calibration, streamed = Calibration(CLASSES), Ranking()
    found: dict[str, dict[str, Way]] = {
        RANKING: {
            "segedu": lambda: rank(scores, target),
            "segedu, a batch of many": lambda: streamed.update(scores, target),
        },
        CALIBRATION: {"segedu": lambda: calibration.update(logits, classes)},
    }
    for peer, ways in PEERS.items():
        if find_spec(peer):
            for task, more in ways(scores, target).items():
                found[task].update(more)
    return found


if __name__ == "__main__":
    run(__doc__, tasks, repeats=5)
