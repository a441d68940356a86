"""Calibration: whether a prediction is right as often as its confidence says."""

from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.labels import is_void
from segedu.metrics.counting import histogram
from segedu.metrics.inputs import checked_num_classes, class_scores, stray_sentence
from segedu.metrics.tally import Tally, narrowed

# A confidence is counted in units of 2**-24, the spacing of float32 just below 1: sums of integers come out the same in
# any order and on any device. Two digits of twelve bits each are enough, as bins of a histogram are cheap.
ONE, DIGIT = 2**24, 2**12
# Scores at a time on the CPU: they stay in the cache of one thread; several need longer pieces, or they wait for one
# another at the end of each.
CPU_CHUNK, SHARED_CPU_CHUNK = 2**18, 2**22


@dataclass(frozen=True, eq=False)
class CalibrationScores:
    """How far confidence and accuracy lie apart; NaN where no pixel was seen.

    ``expected_error`` (ECE) is the mean over pixels of ``|accuracy - confidence|`` of their bin, ``maximum_error``
    (MCE) that of the worst bin that holds any. ``accuracy`` and ``confidence`` are means over all pixels: confidence
    above accuracy is overconfidence. ``brier`` is the mean squared distance, summed over classes, between the
    probabilities and the truth (0 to 2; Brier 1950), ``negative_log_likelihood`` the mean of ``-log p`` of the true
    class in nats: both reward accuracy and calibration at once.

    The reliability diagram, ``(B,)``: of bin ``b``, with confidences from ``b / B`` up to and with ``(b + 1) / B``,
    ``bin_pixels`` (int64), ``bin_accuracy`` and ``bin_confidence`` (float64, NaN for an empty bin).
    """

    expected_error: float
    maximum_error: float
    accuracy: float
    confidence: float
    brier: float
    negative_log_likelihood: float
    bin_pixels: Tensor
    bin_accuracy: Tensor
    bin_confidence: Tensor


class Calibration(Tally):
    """Expected calibration error and reliability diagram of the called class, streamed over pixels.

    The confidence of a pixel is its largest softmax probability; pixels are sorted into ``bins`` of equal width (Guo
    et al., ICML 2017, arXiv 1706.04599, section 2). Void pixels are counted nowhere. Confidences are rounded to
    2**-24 and then summed as integers, so the result does not depend on the order of pixels, batches or processes.
    """

    settings = ("num_classes", "bins", "ignore_index")

    def __init__(
        self,
        num_classes: int,
        bins: int = 15,
        ignore_index: int = 255,
        device: torch.device | str | None = None,
    ) -> None:
        if not 1 <= bins <= 1000:
            raise ValueError(f"bins is {bins}, expected between 1 and 1000")
        self.num_classes = checked_num_classes(num_classes)
        self.bins = bins
        self.ignore_index = ignore_index
        super().__init__(device)

    def _kept(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        return {
            "pixels": ((2, self.bins), torch.int64),  # wrong ones, right ones
            "confidence": ((self.bins,), torch.int64),
            "losses": ((2,), torch.float64),
            "strays": ((2,), torch.int64),  # labels that are no class, and scores that are no probabilities
        }

    @torch.no_grad()
    def update(self, scores: Tensor, target: Tensor) -> None:
        """Measure a batch: raw scores (logits) ``(N, K, H, W)`` against labels ``(N, H, W)``.

        Probabilities are given as their logarithms. Raises ``TypeError`` for labels in place of scores, ``ValueError``
        for a label that is neither a class nor ``ignore_index`` and for scores that are NaN; on a GPU, where asking
        would hold up the queue, the latter two come from ``scores``.
        """
        scores, target = class_scores(scores, target, self.num_classes)
        called, confidence, losses = _softmax_summary(
            scores.flatten(2), target.flatten(1).clamp(0, self.num_classes - 1).long()
        )
        target = target.flatten(1)
        valid, is_class, defined = (
            ~is_void(target, self.ignore_index),
            (target >= 0) & (target < self.num_classes),
            ~confidence.isnan(),
        )
        strays = torch.stack([(valid & ~is_class).sum(), (valid & ~defined).sum()])
        if target.device.type == "cpu":
            self._refuse_strays(strays)
        known = valid & is_class & defined
        units = (confidence.nan_to_num() * ONE).round().long()
        bin_of = torch.where(known, (units * self.bins - 1).clamp(min=0) // ONE, self.bins)
        right = (called == target) & known
        pixels = histogram((bin_of + (self.bins + 1) * right).flatten(), 2 * (self.bins + 1))
        self._add(
            pixels=pixels.view(2, -1)[:, :-1],
            confidence=_sums_of(units.flatten(), bin_of.flatten(), self.bins + 1)[:-1],
            losses=losses.masked_fill(~known, 0).sum((1, 2), dtype=narrowed(torch.float64, losses.device)),
            strays=strays,
        )

    def _refuse_strays(self, strays: Tensor) -> None:
        labels, scores = strays.tolist()
        if labels:
            raise ValueError(stray_sentence("target labels", labels, self.num_classes, self.ignore_index))
        if scores:
            raise ValueError(f"scores give no probabilities at {scores} pixels: they hold NaN, or infinity at the top")

    def scores(self) -> CalibrationScores:
        """What the bins hold so far."""
        self._refuse_strays(self._sums["strays"])
        pixels = self._sums["pixels"].cpu().sum(0)
        right = self._sums["pixels"][1].cpu().double()
        sure = self._sums["confidence"].cpu().double() / ONE
        gap, total = (right - sure).abs(), pixels.sum()
        brier, surprise = (self._sums["losses"].cpu().double() / total).tolist()
        worst = (gap / pixels)[pixels > 0]
        return CalibrationScores(
            expected_error=float(gap.sum() / total),
            maximum_error=float(worst.max()) if len(worst) else float("nan"),
            accuracy=float(right.sum() / total),
            confidence=float(sure.sum() / total),
            brier=brier,
            negative_log_likelihood=surprise,
            bin_pixels=pixels,
            bin_accuracy=right / pixels,
            bin_confidence=sure / pixels,
        )


def _softmax_summary(scores: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Called class and its probability, ``(N, P)``, and Brier and log losses ``(2, N, P)``, of ``(N, K, P)``."""
    if scores.device.type != "cpu":
        return _chunk_summary(scores, truth)
    pixels = max(1, (CPU_CHUNK if torch.get_num_threads() == 1 else SHARED_CPU_CHUNK) // scores.shape[1])
    parts = zip(torch.split(scores, pixels, 2), torch.split(truth, pixels, 1), strict=True)
    images = [_chunk_summary(*part) for part in parts]
    called, confidence, losses = zip(*images, strict=True)
    return torch.cat(called, 1), torch.cat(confidence, 1), torch.cat(losses, 2)


def _chunk_summary(scores: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    top, called = scores.max(1)
    shifted = scores - top.unsqueeze(1)
    true = shifted.gather(1, truth.unsqueeze(1)).squeeze(1)
    powers = shifted.exp_()
    total = powers.sum(1)
    squares = powers.square_().sum(1) / total.square()
    brier = squares - 2 * true.exp() / total + 1
    return called, 1 / total, torch.stack([brier, total.log() - true])


def _sums_of(values: Tensor, keys: Tensor, bins: int) -> Tensor:
    """Sum of the integers ``0..ONE`` that share a key ``0..bins-1``: ``(P,)`` twice ``-> (bins,)`` int64."""
    weights = torch.arange(DIGIT + 1, device=values.device)
    total = torch.zeros(bins, dtype=torch.int64, device=values.device)
    for unit, digit in ((1, values % DIGIT), (DIGIT, values // DIGIT)):
        table = histogram(keys * (DIGIT + 1) + digit, bins * (DIGIT + 1)).view(bins, DIGIT + 1)
        total += unit * (table * weights).sum(1)
    return total
