"""Losses for one class against everything else: one logit a pixel, and a sigmoid."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segedu.losses.elementwise import Place, elementwise
from segedu.losses.focal import check_gamma, focal_value
from segedu.losses.inputs import arithmetic_dtype, binary_labels, binary_maps, check_logits
from segedu.losses.reduction import Reduction, check_reduction, reduced


def binary_cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    pos_weight: float | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """``-pos_weight y log p - (1 - y) log(1 - p)`` with ``p = sigmoid(logits)``: two-class cross entropy, one logit.

    ``logits (N, 1, H, W)`` or ``(N, H, W)``, ``target`` of either shape with 0, 1 and void -> a scalar, or
    ``(N, H, W)`` with ``reduction="none"``, in float32 (float64 for float64 logits). A floating-point target holds
    probabilities ``y`` of class 1; that they lie in 0..1 is not checked. ``"mean"`` divides by the number of valid
    pixels, whatever ``pos_weight``, as PyTorch does. Raises ``TypeError`` for dtypes, ``ValueError`` for shapes, an
    unknown reduction and a label that is neither 0, 1 nor void.
    """
    check_reduction(reduction)
    loss, valid = _cross_entropies(logits, target, ignore_index, pos_weight)
    return reduced(loss, valid, reduction, _map_shape(logits))


def binary_cross_entropy_sums(
    logits: Tensor, target: Tensor, *, ignore_index: int = 255, pos_weight: float | None = None
) -> tuple[Tensor, Tensor]:
    """The two sums whose quotient is the mean of ``binary_cross_entropy``, for processes that share a batch."""
    loss, valid = _cross_entropies(logits, target, ignore_index, pos_weight)
    return loss.sum(), valid.sum().to(loss.dtype)


def binary_focal_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    gamma: float = 2.0,
    alpha: float | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """``-a (1 - p)^gamma log p`` of the true class's sigmoid probability ``p`` (Lin et al. 2017, section 3).

    Shapes, labels and ``"mean"`` are those of ``binary_cross_entropy``, which it is at ``gamma=0``. ``a`` is ``alpha``
    at class 1 and ``1 - alpha`` at class 0, and 1 at both without an alpha. The gradient is finite for any
    ``gamma >= 0``. Errors are those of ``binary_cross_entropy``, and ``ValueError`` for a negative gamma.
    """
    check_reduction(reduction)
    loss, valid = _focal_losses(logits, target, ignore_index, gamma, alpha)
    return reduced(loss, valid, reduction, _map_shape(logits))


def binary_focal_loss_sums(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    gamma: float = 2.0,
    alpha: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The two sums whose quotient is the mean of ``binary_focal_loss``, for processes that share a batch."""
    loss, valid = _focal_losses(logits, target, ignore_index, gamma, alpha)
    return loss.sum(), valid.sum().to(loss.dtype)


class BinaryCrossEntropy(nn.Module):
    """``binary_cross_entropy`` with its settings kept: ``logits (N, 1, H, W), target (N, H, W) -> loss``."""

    def __init__(
        self, *, ignore_index: int = 255, pos_weight: float | None = None, reduction: Reduction = "mean"
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.pos_weight = pos_weight
        self.reduction: Reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return binary_cross_entropy(
            logits, target, ignore_index=self.ignore_index, pos_weight=self.pos_weight, reduction=self.reduction
        )


class SigmoidFocalSettings(nn.Module):
    """What the modules of sigmoid focal losses have in common: the settings."""

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | None = None,
        *,
        ignore_index: int = 255,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        self.gamma = gamma
        self.alpha = alpha
        self.ignore_index = ignore_index
        self.reduction: Reduction = reduction

    def options(self) -> dict[str, Any]:
        """The settings as the functions take them."""
        return {name: getattr(self, name) for name in ("ignore_index", "gamma", "alpha", "reduction")}


class BinaryFocalLoss(SigmoidFocalSettings):
    """``binary_focal_loss`` with its settings kept: ``logits (N, 1, H, W), target (N, H, W) -> loss``."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return binary_focal_loss(logits, target, **self.options())


def sigmoid_focal_terms(place: Place, logits: Tensor, side: Tensor, gamma: float) -> None:
    """The focal loss of each logit, and its derivative by the logit.

    The sign of ``side`` says which class is true, its size what the pixel weighs: 0 is void. With ``q = 1 - p`` the
    derivative is ``-q^gamma (q - gamma p log p)`` toward the true class, finite for any gamma.
    """
    value, slope, one, other = place
    toward = torch.sign(side, out=one).mul_(logits)
    rest = torch.abs(toward, out=other).neg_().exp_().log1p_()
    log_p = torch.clamp(toward, max=0, out=value).sub_(rest)
    miss = toward.neg_().sigmoid_()
    if gamma == 0:  # cross entropy, and half of the work
        torch.mul(miss, side, out=slope).neg_()
        value.mul_(torch.abs(side, out=one)).neg_()
        return
    dampened = torch.pow(miss, gamma, out=other)
    torch.addcmul(log_p, miss, log_p, value=-1, out=slope).mul_(gamma).sub_(miss).mul_(dampened).mul_(side)
    value.mul_(dampened).mul_(torch.abs(side, out=one)).neg_()


def sigmoid_focal_value(logits: Tensor, side: Tensor, gamma: float) -> Tensor:
    """The first of ``sigmoid_focal_terms`` in steps that autograd can follow."""
    return focal_value(F.logsigmoid(logits * side.sign()), gamma) * side.abs()


def _focal_losses(
    logits: Tensor, target: Tensor, ignore_index: int, gamma: float, alpha: float | None
) -> tuple[Tensor, Tensor]:
    """Each pixel's loss, and which of them are valid, ``(N, P)`` each."""
    check_gamma(gamma)
    logits, positive, valid = binary_labels(logits, target, ignore_index)
    weights = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    return _hard(logits, positive, valid, gamma, *weights), valid


def _cross_entropies(
    logits: Tensor, target: Tensor, ignore_index: int, pos_weight: float | None
) -> tuple[Tensor, Tensor]:
    """Each pixel's loss, and which of them are valid, ``(N, P)`` each."""
    weight = 1.0 if pos_weight is None else pos_weight
    if not target.is_floating_point():
        logits, positive, valid = binary_labels(logits, target, ignore_index)
        return _hard(logits, positive, valid, 0.0, weight, 1.0), valid
    check_logits(logits)
    logits, share = binary_maps(logits, target)
    valid = share != ignore_index
    logits = logits.to(arithmetic_dtype(logits)).masked_fill(~valid, 0)
    share = share.detach().to(logits.dtype)
    loss = -weight * share * F.logsigmoid(logits) - (1 - share) * F.logsigmoid(-logits)
    return torch.where(valid, loss, 0), valid


def _hard(logits: Tensor, positive: Tensor, valid: Tensor, gamma: float, ones: float, zeros: float) -> Tensor:
    """The focal loss under labels that weigh ``ones`` at class 1 and ``zeros`` at class 0; gamma 0 is cross entropy."""
    signs = 2 * positive.view(torch.int8) - valid.view(torch.int8)  # 1, -1 and, at void, 0
    side = signs.to(arithmetic_dtype(logits))
    if ones != 1 or zeros != 1:
        side = side * (side * ((ones - zeros) / 2) + (ones + zeros) / 2)
    return elementwise(
        partial(sigmoid_focal_terms, gamma=gamma), partial(sigmoid_focal_value, gamma=gamma), logits, side
    )


def _map_shape(logits: Tensor) -> torch.Size:
    """``(N, H, W)`` of logits that may have a channel."""
    return logits.shape[:1] + logits.shape[-2:]
