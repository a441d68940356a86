"""How well one score a pixel ranks what should stand out above the rest: AUROC, average precision, FPR at 95 % TPR."""

from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.labels import is_void
from segedu.metrics.inputs import pixel_scores, stray_sentence
from segedu.metrics.pairs import CPU_CHUNK
from segedu.metrics.tally import Tally

Bounds = tuple[float, float]


@dataclass(frozen=True)
class RankingScores:
    """How well positives rank above negatives, between 0 and 1; NaN where there were none of a kind that it needs.

    ``auroc`` is the share of pairs of a positive and a negative in which the positive has the higher score, a tie being
    half a pair. ``average_precision`` is the sum of precision times the step in recall, over the scores from high to
    low (a step sum: a trapezium flatters), ``fpr_at_95_tpr`` the share of negatives at or above the first threshold
    that finds 95 % of the positives. Equal scores are passed at once.

    Each ``..._bounds`` holds the lowest and the highest value that the scores can have had before they were rounded.
    """

    auroc: float
    average_precision: float
    fpr_at_95_tpr: float
    auroc_bounds: Bounds
    average_precision_bounds: Bounds
    fpr_at_95_tpr_bounds: Bounds
    positives: int
    negatives: int


class Ranking(Tally):
    """Ranking of positives above negatives by a score, streamed over pixels in constant memory.

    Label 1 is positive (for anomalies: out of distribution), 0 negative, and a higher score means more positive; void
    pixels (``ignore_index``) are counted nowhere. Scores are float32; their ``bits`` leading bits are kept, in the
    order of the numbers, and counted as integers, so nothing is sorted. 20 bits are sign, exponent and 11 binary
    digits: scores closer than a 2048th of their size may tie. The results are exact for the rounded scores, and the
    bounds tell what rounding can have changed. A score that crowds at a number other than 0 ties more than it need:
    give ``-log p`` of the called class rather than ``-p``, which ranks alike. Memory: ``2**(bits + 4)`` bytes.
    """

    settings = ("bits", "ignore_index")

    def __init__(self, bits: int = 20, ignore_index: int = 255, device: torch.device | str | None = None) -> None:
        if not 10 <= bits <= 26:
            raise ValueError(f"bits is {bits}, expected between 10 (one binary digit) and 26 (1 GiB of counts)")
        self.bits = bits
        self.ignore_index = ignore_index
        super().__init__(device)

    def _kept(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        # The bins of the negatives, those of the positives, and one for void.
        return {"pixels": ((2 ** (self.bits + 1) + 1,), torch.int64), "strays": ((2,), torch.int64)}

    @torch.no_grad()
    def update(self, scores: Tensor, target: Tensor) -> None:
        """Count a batch: floating point scores and labels 0, 1 or ``ignore_index``, both of one shape.

        Raises ``ValueError`` for another label and for a score that is NaN. On a GPU, where asking would hold up the
        queue, that complaint comes from ``scores``.
        """
        scores, target = pixel_scores(scores, target)
        pixels = CPU_CHUNK if target.device.type == "cpu" else max(1, target.numel())
        parts = zip(torch.split(scores.flatten(), pixels), torch.split(target.flatten(), pixels), strict=True)
        keys, strays = zip(*(self._keys(*part) for part in parts), strict=True)
        missed = torch.stack(strays).sum(0)
        if target.device.type == "cpu":
            self._refuse_strays(missed)
        # Integers add up to the same in any order, and unlike bincount this needs no second table and no host.
        kept = self._kept_beside("pixels", target)
        for key in keys:
            key = key.to(kept.device)
            kept.scatter_add_(0, key, kept.new_ones(()).expand_as(key))
        self._add(strays=missed)

    def _keys(self, scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The bin of each pixel, ``(P,)`` int64, and how many labels and scores went astray, ``(2,)``."""
        scores = scores.float()
        valid, positive, ordered = ~is_void(target, self.ignore_index), target == 1, ~scores.isnan()
        binary = positive | (target == 0)
        keys = self._place(scores).add_(positive, alpha=2**self.bits)
        keys.masked_fill_(~(valid & binary & ordered), 2 ** (self.bits + 1))
        return keys.long(), torch.stack([(valid & ~binary).sum(), (valid & ~ordered).sum()])

    def _place(self, scores: Tensor) -> Tensor:
        """The place of each score's bin among all: float32 ``-> 0..2**bits-1`` int32, rising with the score."""
        pattern = (scores + 0.0).view(torch.int32)  # adding 0 makes -0 and 0 one number
        rising = pattern ^ ((pattern >> 31) & 0x7FFFFFFF)  # among negative numbers the bits fall
        return (rising >> (32 - self.bits)).add_(2 ** (self.bits - 1))

    def _refuse_strays(self, strays: Tensor) -> None:
        labels, scores = strays.tolist()
        if labels:
            raise ValueError(stray_sentence("target labels", labels, 2, self.ignore_index))
        if scores:
            raise ValueError(f"scores are NaN at {scores} pixels: what has no order cannot be ranked")

    def scores(self) -> RankingScores:
        """The measures of all pixels so far."""
        self._refuse_strays(self._sums["strays"])
        bins = self._sums["pixels"][:-1].cpu().view(2, -1)
        falling = (bins[0] | bins[1]).nonzero().flatten().flip(0)
        counts = bins[0][falling].double(), bins[1][falling].double()
        auroc, auroc_bounds = _auroc(*counts)
        precision, precision_bounds = _average_precision(*counts)
        false_alarms, false_alarm_bounds = _fpr_at_95_tpr(*counts)
        return RankingScores(
            auroc=auroc,
            average_precision=precision,
            fpr_at_95_tpr=false_alarms,
            auroc_bounds=auroc_bounds,
            average_precision_bounds=precision_bounds,
            fpr_at_95_tpr_bounds=false_alarm_bounds,
            positives=int(counts[1].sum()),
            negatives=int(counts[0].sum()),
        )


# Each of the three reads the negatives and positives of the bins that hold any, ``(B,)`` float64 each, from the
# highest score down, and returns its value, with a bin's scores taken as equal, and what it can be if they are not.


def _auroc(negatives: Tensor, positives: Tensor) -> tuple[float, Bounds]:
    pairs = negatives.sum() * positives.sum()
    below = negatives.sum() - negatives.cumsum(0)
    above, tied = float((positives * below).sum() / pairs), float((positives * negatives).sum() / pairs)
    return above + tied / 2, (above, above + tied)


def _average_precision(negatives: Tensor, positives: Tensor) -> tuple[float, Bounds]:
    found, false = positives.cumsum(0), negatives.cumsum(0)
    earlier_found, earlier_false = found - positives, false - negatives
    total = positives.sum()
    # At worst each positive of a bin comes alone after the bin's negatives, as the i-th with precision
    # i / (i + false), a sum that digamma closes; at best all of them come at once before the negatives.
    missed = torch.digamma(found + false + 1) - torch.digamma(earlier_found + false + 1)
    worst = (positives - false * missed).sum() / total
    best = (positives * found / (found + earlier_false).clamp(min=1)).sum() / total
    value = (positives * found / (found + false)).sum() / total
    return float(value), (float(worst), float(best))


def _fpr_at_95_tpr(negatives: Tensor, positives: Tensor) -> tuple[float, Bounds]:
    if not positives.sum():
        return float("nan"), (float("nan"), float("nan"))
    reached = int((positives.cumsum(0) / positives.sum() >= 0.95).int().argmax())
    false, total = negatives.cumsum(0)[reached], negatives.sum()
    return float(false / total), (float((false - negatives[reached]) / total), float(false / total))
