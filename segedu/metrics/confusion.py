"""The confusion matrix of a data set, and the scores that are read from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.metrics.inputs import checked_num_classes, label_maps
from segedu.metrics.pairs import classes_of, pair_counts, refuse_strays
from segedu.metrics.tally import Tally


@dataclass(frozen=True, eq=False)
class Scores:
    """What a confusion matrix says, between 0 and 1; NaN where there was nothing to measure.

    Pixels are pooled over the data set first, then divided. Per class, ``(K,)`` float64: ``precision`` (of the pixels
    called so, how many are), ``recall`` (of those that are, how many were found: the class accuracy, or sensitivity),
    ``specificity`` (of those that are not, how many were not called so), ``f1`` (the harmonic mean of the first two,
    which is Dice), ``iou`` (intersection over union) and ``frequency`` (share of the valid pixels). ``precision`` is
    NaN for a class never predicted, ``recall`` for one never in the target, ``specificity`` for one that all pixels
    are, ``f1`` and ``iou`` for one in neither.

    ``mean_accuracy``, ``mean_iou`` and ``mean_f1`` are means over classes that leave NaN out (FCN, section 5, and its
    ``nanmean``). ``kappa`` is Cohen's: the share of the way from the accuracy that calling at random would have, each
    class as often as now, to 1; it is 0 for a constant answer however frequent, and negative for worse than chance.
    """

    pixel_accuracy: float
    mean_accuracy: float
    mean_iou: float
    mean_f1: float
    frequency_weighted_iou: float
    kappa: float
    precision: Tensor
    recall: Tensor
    specificity: Tensor
    f1: Tensor
    iou: Tensor
    frequency: Tensor

    @classmethod
    def of(cls, matrix: Tensor) -> "Scores":
        """Read the scores from counts ``(K, K)``, rows the target and columns the prediction."""
        counts = matrix.cpu().double()
        hits, truth, called, pixels = counts.diagonal(), counts.sum(1), counts.sum(0), counts.sum()
        frequency = truth / pixels
        accuracy = hits.sum() / pixels
        by_chance = (frequency * called / pixels).sum()
        recall = hits / truth
        iou = hits / (truth + called - hits)
        f1 = 2 * hits / (truth + called)
        return cls(
            pixel_accuracy=float(accuracy),
            mean_accuracy=float(recall.nanmean()),
            mean_iou=float(iou.nanmean()),
            mean_f1=float(f1.nanmean()),
            frequency_weighted_iou=float((frequency * iou.nan_to_num()).sum()),
            kappa=float((accuracy - by_chance) / (1 - by_chance)),
            precision=hits / called,
            recall=recall,
            specificity=(pixels - truth - called + hits) / (pixels - truth),
            f1=f1,
            iou=iou,
            frequency=frequency,
        )

    def table(self, classes: Sequence[str], **columns: Tensor) -> str:
        """A line of text for each class, in per cent, then the means; ``columns`` adds further ``(K,)`` scores by
        name."""
        if len(classes) != len(self.iou):
            raise ValueError(
                f"classes names {len(classes)} classes, but {len(self.iou)} were counted: give one name each"
            )
        shown: Mapping[str, Tensor] = {
            "pixels": self.frequency,
            "precision": self.precision,
            "recall": self.recall,
            "F1": self.f1,
            "IoU": self.iou,
            **{name.replace("_", " "): values for name, values in columns.items()},
        }
        left = max(len("class"), *map(len, classes))
        widths = {title: max(7, len(title)) + 2 for title in shown}
        lines = ["class".ljust(left) + "".join(title.rjust(width) for title, width in widths.items())]
        for index, name in enumerate(classes):
            cells = (_per_cent(float(shown[title][index])).rjust(width) for title, width in widths.items())
            lines.append(name.ljust(left) + "".join(cells))
        means = {
            "mean IoU": self.mean_iou,
            "pixel accuracy": self.pixel_accuracy,
            "mean accuracy": self.mean_accuracy,
            "frequency weighted IoU": self.frequency_weighted_iou,
        }
        return "\n".join([*lines, "", *(f"{title:<24}{_per_cent(value):>7}" for title, value in means.items())])


def _per_cent(value: float) -> str:
    return "-" if value != value else f"{100 * value:.2f}"


class ConfusionMatrix(Tally):
    """Counts of (true class, predicted class) over all the pixels of a data set, streamed batch by batch.

    One int64 table from which every pixel score follows, so nothing is averaged over batches or images (for that see
    ``PerImageIoU``). Void pixels (``ignore_index``) are counted nowhere. The counts lie on ``device``, or without one
    where the first batch lies. ``+`` adds two matrices, ``all_reduce`` those of all processes.
    """

    settings = ("num_classes", "ignore_index")

    def __init__(self, num_classes: int, ignore_index: int = 255, device: torch.device | str | None = None) -> None:
        self.num_classes = checked_num_classes(num_classes)
        self.ignore_index = ignore_index
        super().__init__(device)

    def _kept(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        return {"pairs": ((self.num_classes + 2, self.num_classes + 2), torch.int64)}

    @torch.no_grad()
    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Count a batch: scores ``(N, K, H, W)`` or labels shaped as the target, against labels ``(N, H, W)``.

        Raises ``ValueError`` for a label that is neither a class nor ``ignore_index``. On a GPU, where asking would
        hold up the queue, that complaint comes from ``matrix`` or ``scores``.
        """
        predictions, target = label_maps(predictions, target, self.num_classes)
        pairs = pair_counts(predictions, target, self.num_classes, self.ignore_index)
        if target.device.type == "cpu":
            refuse_strays(pairs, self.ignore_index)
        self._add(pairs=pairs[0])

    @property
    def matrix(self) -> Tensor:
        """The counts, ``(K, K)`` int64: rows are the target, columns the prediction."""
        refuse_strays(self._sums["pairs"], self.ignore_index)
        return classes_of(self._sums["pairs"]).clone()

    def scores(self) -> Scores:
        """Everything that the matrix says so far."""
        return Scores.of(self.matrix)

    def table(self, classes: Sequence[str], **columns: Tensor) -> str:
        """The scores of each class as text: see ``Scores.table``."""
        return self.scores().table(classes, **columns)
