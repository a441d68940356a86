"""The confusion matrix of a data set, and the scores that are read from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.metrics.inputs import checked_num_classes, histogram, label_maps, stray_sentence, sum_over_ranks

# Pixels counted at a time on the CPU. Their keys stay in the cache, and below torch's grain of 32,768 elements an
# operation runs on the calling thread alone: nothing waits for a second core that others keep busy.
CPU_CHUNK = 32_000


@dataclass(frozen=True, eq=False)
class Scores:
    """What a confusion matrix says, between 0 and 1; NaN where there was nothing to measure.

    Per class, ``(K,)`` float64: ``precision`` (of the pixels called so, how many are), ``recall`` (of those that are,
    how many were found: the class accuracy), ``f1`` (their harmonic mean, which is Dice), ``iou`` (intersection over
    union) and ``frequency`` (share of the valid pixels). ``precision`` is NaN for a class never predicted, ``recall``
    for one never in the target, ``f1`` and ``iou`` for one in neither. Means leave NaN out (FCN, section 5, and its
    ``nanmean``).
    """

    pixel_accuracy: float
    mean_accuracy: float
    mean_iou: float
    frequency_weighted_iou: float
    precision: Tensor
    recall: Tensor
    f1: Tensor
    iou: Tensor
    frequency: Tensor

    @classmethod
    def of(cls, matrix: Tensor) -> "Scores":
        """Read the scores from counts ``(K, K)``, rows the target and columns the prediction."""
        counts = matrix.cpu().double()
        hits, truth, called = counts.diagonal(), counts.sum(1), counts.sum(0)
        frequency = truth / counts.sum()
        recall = hits / truth
        iou = hits / (truth + called - hits)
        return cls(
            pixel_accuracy=float(hits.sum() / counts.sum()),
            mean_accuracy=float(recall.nanmean()),
            mean_iou=float(iou.nanmean()),
            frequency_weighted_iou=float((frequency * iou.nan_to_num()).sum()),
            precision=hits / called,
            recall=recall,
            f1=2 * hits / (truth + called),
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


class ConfusionMatrix:
    """Counts of (true class, predicted class) over all the pixels of a data set, streamed batch by batch.

    One int64 table from which every pixel score follows, so nothing is averaged over batches or images. Void pixels
    (``ignore_index``) are counted nowhere. The counts lie on ``device``, or without one where the first batch lies.
    ``+`` adds two matrices, ``all_reduce`` those of all processes.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255, device: torch.device | str | None = None) -> None:
        self.num_classes = checked_num_classes(num_classes)
        self.ignore_index = ignore_index
        self.device = None if device is None else torch.device(device)
        self.reset()

    def reset(self) -> None:
        """Forget every pixel."""
        # Labels are cut to -1..K, so that a ring around the table catches those that are no class; the last bin is
        # void.
        self._side = self.num_classes + 2
        self._bins = torch.zeros(self._side**2 + 1, dtype=torch.int64, device=self.device)

    @torch.no_grad()
    def update(self, predictions: Tensor, target: Tensor) -> None:
        """Count a batch: scores ``(N, K, H, W)`` or labels shaped as the target, against labels ``(N, H, W)``.

        Raises ``ValueError`` for a label that is neither a class nor ``ignore_index``. On a GPU, where asking would
        hold up the queue, that complaint comes from ``matrix`` or ``scores``.
        """
        predictions, target = label_maps(predictions, target, self.num_classes)
        bins = torch.zeros_like(self._bins, device=target.device)
        pixels = max(1, CPU_CHUNK if target.device.type == "cpu" else target.numel())
        for called, truth in zip(
            torch.split(predictions.flatten(), pixels), torch.split(target.flatten(), pixels), strict=True
        ):
            bins += self._count(called, truth)
        if bins.device.type == "cpu":
            self._refuse_strays(bins)
        if self.device is None:
            self._bins = self._bins.to(bins.device)
        self._bins += bins.to(self._bins.device)

    def _count(self, called: Tensor, truth: Tensor) -> Tensor:
        row, column = (labels.to(torch.int32, copy=True).clamp_(-1, self.num_classes) for labels in (truth, called))
        keys = torch.add(column, row, alpha=self._side).add_(self._side + 1)
        keys.masked_fill_(truth == self.ignore_index, self._side**2)
        counts: Tensor = histogram(keys, self._side**2 + 1)
        return counts

    def _refuse_strays(self, bins: Tensor) -> None:
        ring = bins[:-1].view(self._side, self._side)
        in_target = int(ring[0].sum() + ring[-1].sum())
        in_predictions = int(ring[1:-1, 0].sum() + ring[1:-1, -1].sum())
        for name, pixels in (("target labels", in_target), ("predictions", in_predictions)):
            if pixels:
                raise ValueError(stray_sentence(name, pixels, self.num_classes, self.ignore_index))

    @property
    def matrix(self) -> Tensor:
        """The counts, ``(K, K)`` int64: rows are the target, columns the prediction."""
        if self._bins.device.type != "cpu":
            self._refuse_strays(self._bins)
        return self._bins[:-1].view(self._side, self._side)[1:-1, 1:-1].clone()

    def scores(self) -> Scores:
        """Everything that the matrix says so far."""
        return Scores.of(self.matrix)

    def table(self, classes: Sequence[str], **columns: Tensor) -> str:
        """The scores of each class as text: see ``Scores.table``."""
        return self.scores().table(classes, **columns)

    def all_reduce(self) -> "ConfusionMatrix":
        """Add up the matrices of all processes, in place: call it once, after the last update; returns itself."""
        sum_over_ranks(self._bins)
        return self

    def __add__(self, other: "ConfusionMatrix") -> "ConfusionMatrix":
        if not isinstance(other, ConfusionMatrix):
            return NotImplemented
        if (self.num_classes, self.ignore_index) != (other.num_classes, other.ignore_index):
            raise ValueError(
                f"cannot add a matrix of {other.num_classes} classes with ignore_index={other.ignore_index} to one of "
                f"{self.num_classes} with ignore_index={self.ignore_index}: both need the same"
            )
        total = ConfusionMatrix(self.num_classes, self.ignore_index, self.device)
        total._bins = self._bins + other._bins.to(self._bins.device)
        return total
