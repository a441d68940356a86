"""Focal loss: cross entropy that a pixel already known hardly adds to."""

from functools import partial

import torch
from torch import Tensor, nn

from segedu.losses.elementwise import Elementwise, Place
from segedu.losses.inputs import arithmetic_dtype, check_class_weights, check_shapes, safe_labels
from segedu.losses.pixels import true_log_probability
from segedu.losses.reduction import Reduction, check_reduction, reduced


def focal_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    gamma: float = 2.0,
    alpha: float | Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """``-alpha (1 - p)^gamma log p`` of the true class's softmax probability ``p`` (Lin et al. 2017, section 3.2).

    ``logits (N, K, H, W)`` and ``target (N, H, W)`` -> a scalar, or ``(N, H, W)`` with ``reduction="none"``. ``alpha``
    is one number, or ``(K,)``, one for each class. ``"mean"`` divides by the number of valid pixels, so that
    ``gamma=0`` is cross entropy; the paper, a detector, divides by its number of objects. The paper's own form, with a
    sigmoid for each class, is ``one_vs_rest_focal_loss``.

    Any ``gamma >= 0`` has a finite gradient, also between 0 and 1, where ``(1 - p)^(gamma - 1)`` has none at ``p = 1``:
    ``log p / (1 - p)``, which it stands beside, tends to -1 there. (The second derivative is infinite for those.)

    Errors are those of ``cross_entropy``, and ``ValueError`` for a negative gamma.
    """
    check_reduction(reduction)
    loss, valid = _pixel_losses(logits, target, ignore_index, gamma, alpha)
    return reduced(loss, valid, reduction, target.shape)


def focal_loss_sums(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    gamma: float = 2.0,
    alpha: float | Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The two sums whose quotient is the mean of ``focal_loss``, for processes that share a batch."""
    loss, valid = _pixel_losses(logits, target, ignore_index, gamma, alpha)
    return loss.sum(), valid.sum().to(loss.dtype)


class FocalLoss(nn.Module):
    """``focal_loss`` with its settings kept: ``logits (N, K, H, W), target (N, H, W) -> loss``.

    An ``alpha`` for each class moves with the module and is no part of its state.
    """

    alpha: float | Tensor | None

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | Tensor | None = None,
        *,
        ignore_index: int = 255,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.gamma = gamma
        self.ignore_index = ignore_index
        self.reduction: Reduction = reduction
        if isinstance(alpha, Tensor):
            self.register_buffer("alpha", alpha, persistent=False)
        else:
            self.alpha = alpha

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return focal_loss(
            logits,
            target,
            ignore_index=self.ignore_index,
            gamma=self.gamma,
            alpha=self.alpha,
            reduction=self.reduction,
        )


def check_gamma(gamma: float) -> None:
    """Raises ``ValueError`` for a gamma that is no number from 0 up."""
    if not gamma >= 0:
        raise ValueError(f"gamma is {gamma}; it must be 0 (cross entropy) or more")


def focal_terms(place: Place, log_p: Tensor, gamma: float) -> None:
    """``-(1 - p)^gamma log p`` and its derivative by ``log p``."""
    value, slope, miss, dampened, _ = place
    torch.expm1(log_p, out=miss).neg_()
    torch.pow(miss, gamma, out=dampened)
    # log p / (1 - p): where both are 0 it tends to -1, but anything finite will do there, as it is dampened to 0.
    ratio = torch.clamp(miss, min=torch.finfo(miss.dtype).tiny, out=slope).reciprocal_().mul_(log_p)
    ratio.mul_(torch.sub(1, miss, out=value)).mul_(gamma).sub_(1).mul_(dampened)
    torch.mul(log_p, dampened, out=value).neg_()


def focal_value(log_p: Tensor, gamma: float) -> Tensor:
    """``-(1 - p)^gamma log p`` as ``-log p / (1 - p)`` times ``(1 - p)^(gamma + 1)``: both are smooth up to p = 1."""
    miss = -torch.expm1(log_p)
    some = miss > 0
    ratio = torch.where(some, -log_p / torch.where(some, miss, 1), 1)
    return ratio * miss ** (gamma + 1)


def _pixel_losses(
    logits: Tensor, target: Tensor, ignore_index: int, gamma: float, alpha: float | Tensor | None
) -> tuple[Tensor, Tensor]:
    """Each pixel's loss, and which of them are valid, ``(N, P)`` each."""
    check_gamma(gamma)
    check_shapes(logits, target)
    per_class = alpha if isinstance(alpha, Tensor) and alpha.ndim else None
    check_class_weights(per_class, logits.shape[1], "alpha")
    index, valid = (labels.flatten(1) for labels in safe_labels(target, logits.shape[1], ignore_index))
    log_p = true_log_probability(logits.flatten(2), index, valid)
    pixelwise = Elementwise(partial(focal_terms, gamma=gamma), partial(focal_value, gamma=gamma), log_p)
    loss = pixelwise.view(log_p.shape)
    if per_class is not None:
        loss = loss * per_class.to(index.device, arithmetic_dtype(logits))[index]
    elif alpha is not None:
        loss = loss * alpha
    return loss, valid
