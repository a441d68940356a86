"""Online hard example mining: cross entropy over the pixels that the model still gets wrong."""

import math

import torch
from torch import Tensor, nn

from segedu.losses.inputs import arithmetic_dtype, check_class_weights, check_shapes, safe_labels
from segedu.losses.pixels import true_log_probability
from segedu.losses.reduction import quotient


def ohem_cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    threshold: float = 0.7,
    min_kept: float = 1 / 16,
    weight: Tensor | None = None,
) -> Tensor:
    """The mean cross entropy of the hard pixels: ``logits (N, K, H, W), target (N, H, W) -> scalar``.

    Hard is a pixel whose true class has a probability below ``threshold``; where that are too few, the hardest
    ``min_kept`` of the batch's valid pixels, rounded down but at least one, are taken instead (Shrivastava et al. 2016;
    the rule for segmentation is that of BiSeNet's public code). Pixels that tie for the last seats share them, so the
    value is that of any choice among them and does not depend on their order. A class ``weight`` has no say in what
    is hard; it weighs what is kept, and the mean divides by the kept weight.

    The choice needs the whole batch: it is no sum over pixels that several processes could add up. On the CPU the
    hardest are looked for only where too few are below the threshold; an accelerator sorts the losses at each step,
    and the host does not wait.

    Errors are those of ``cross_entropy``, and ``ValueError`` for a threshold or a share that is outside 0..1.
    """
    if not (0 < threshold <= 1 and 0 <= min_kept <= 1):
        raise ValueError(
            f"threshold is {threshold} and min_kept is {min_kept}; a probability in 0..1 (0 excluded) and a share of "
            "the valid pixels in 0..1 are needed"
        )
    check_shapes(logits, target)
    check_class_weights(weight, logits.shape[1])
    index, valid = (labels.flatten(1) for labels in safe_labels(target, logits.shape[1], ignore_index))
    loss = -true_log_probability(logits.flatten(2), index, valid)
    kept = _kept(loss.detach(), valid, -math.log(threshold), min_kept)
    if weight is not None:
        kept = kept * weight.to(index.device, arithmetic_dtype(logits))[index]
    return quotient((loss * kept).sum(), kept.sum())


class OHEMCrossEntropy(nn.Module):
    """``ohem_cross_entropy`` with its settings kept: ``logits (N, K, H, W), target (N, H, W) -> loss``.

    ``weight`` moves with the module and is no part of its state. Errors are those of the function.
    """

    weight: Tensor | None

    def __init__(
        self,
        threshold: float = 0.7,
        min_kept: float = 1 / 16,
        *,
        ignore_index: int = 255,
        weight: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.threshold = threshold
        self.min_kept = min_kept
        self.ignore_index = ignore_index
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return ohem_cross_entropy(
            logits,
            target,
            ignore_index=self.ignore_index,
            threshold=self.threshold,
            min_kept=self.min_kept,
            weight=self.weight,
        )


def _kept(loss: Tensor, valid: Tensor, limit: float, min_kept: float) -> Tensor:
    """How much of each pixel is kept, 0..1, of the dtype of ``loss``."""
    hard = (loss > limit) & valid
    needed = (valid.sum() * min_kept).long().clamp(min=1)
    enough = hard.sum() >= needed
    if loss.device.type == "cpu" and not torch.compiler.is_compiling():
        return hard.to(loss.dtype) if enough else _hardest(loss, valid, needed)
    return torch.where(enough, hard.to(loss.dtype), _hardest(loss, valid, needed))


def _hardest(loss: Tensor, valid: Tensor, needed: Tensor) -> Tensor:
    """The ``needed`` largest of the valid losses, those that tie for the last seats sharing them."""
    candidates = torch.where(valid, loss, -1)
    last = candidates.flatten().sort(descending=True).values.gather(0, needed[None] - 1)
    above, tied = (candidates > last) & valid, (candidates == last) & valid
    seats = (needed - above.sum()) / tied.sum().clamp(min=1)
    return above + tied * seats.to(loss.dtype)
