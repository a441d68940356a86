"""Losses for one class against everything else: one logit a pixel, and a sigmoid."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segedu.losses.binary_labels import binary_maps, signed_labels
from segedu.losses.elementwise import Elementwise, Place
from segedu.losses.focal import check_gamma, focal_value
from segedu.losses.inputs import arithmetic_dtype, check_logits
from segedu.losses.logarithm import subtract_log_of_rest
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
    unknown reduction, a negative ``pos_weight`` and a label that is neither 0, 1 nor void.
    """
    check_reduction(reduction)
    loss, count = _cross_entropies(logits, target, ignore_index, pos_weight)
    return reduced(loss, count, reduction, _map_shape(logits))


def binary_cross_entropy_sums(
    logits: Tensor, target: Tensor, *, ignore_index: int = 255, pos_weight: float | None = None
) -> tuple[Tensor, Tensor]:
    """The two sums whose quotient is the mean of ``binary_cross_entropy``, for processes that share a batch."""
    loss, count = _cross_entropies(logits, target, ignore_index, pos_weight)
    total = loss.sum()
    return total, count.to(total.dtype)


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
    ``gamma >= 0``. Errors are those of ``binary_cross_entropy``, and ``ValueError`` for a negative gamma or an alpha
    outside 0..1.
    """
    check_reduction(reduction)
    loss, count = _focal_losses(logits, target, ignore_index, gamma, alpha)
    return reduced(loss, count, reduction, _map_shape(logits))


def binary_focal_loss_sums(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    gamma: float = 2.0,
    alpha: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The two sums whose quotient is the mean of ``binary_focal_loss``, for processes that share a batch."""
    loss, count = _focal_losses(logits, target, ignore_index, gamma, alpha)
    total = loss.sum()
    return total, count.to(total.dtype)


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


class SigmoidFocal(NamedTuple):
    """The focal loss of single logits: what class 1 and class 0 weigh, and the exponent; with 0 it is cross entropy.

    In both methods ``against`` is of the shape of the logits, or a single number for all: 1 where class 0 is the true
    one, -1 where class 1 is and 0 at void, so that ``against * logits`` grows with the mistake.
    """

    gamma: float
    ones: float = 1.0
    zeros: float = 1.0

    @classmethod
    def of(cls, gamma: float, alpha: float | None) -> "SigmoidFocal":
        """With the paper's ``alpha``, the weight of class 1 beside ``1 - alpha``; None weighs nothing.

        Raises ``ValueError`` for an ``alpha`` outside 0..1, which would weigh one class less than nothing.
        """
        if alpha is not None and not 0 <= alpha <= 1:
            raise ValueError(f"alpha is {alpha}; it is the share of class 1 in the weights and must lie in 0..1")
        return cls(gamma) if alpha is None else cls(gamma, alpha, 1 - alpha)

    def terms(self, place: Place, logits: Tensor, against: Tensor) -> None:
        """The loss of each logit, and its derivative by the logit.

        With ``q`` the probability of the wrong class and ``c`` the cross entropy, ``q^gamma c`` has the derivative
        ``q^gamma (gamma (1 - q) c + q)`` toward the wrong class, finite for any gamma.
        """
        value, slope, sign, toward, free = place
        miss = torch.mul(logits, sign.copy_(against), out=value)
        wrong = torch.sigmoid(miss, out=slope)
        # The lesser of q and 1 - q has all its digits, and what else there is of -log(1 - q) is the miss itself.
        lesser = torch.minimum(torch.sub(1, wrong, out=toward), wrong, out=toward)
        subtract_log_of_rest(value.clamp_(min=0), lesser, sign, free)
        weight = self._weigh(sign.copy_(against))
        if self.gamma == 0:
            toward.copy_(wrong)
            factor = wrong.copy_(weight)
        else:
            torch.addcmul(value, wrong, value, value=-1, out=toward)
            torch.add(wrong, toward, alpha=self.gamma, out=toward)
            factor = wrong.pow_(self.gamma).mul_(weight)
        value.mul_(factor).abs_()
        slope.mul_(toward)

    def _weigh(self, sign: Tensor) -> Tensor:
        """Each class's weight with its sign, in the memory of ``sign``."""
        largest = max(self.ones, self.zeros)
        if largest > 1:
            sign.mul_(largest)
        return sign if self.ones == self.zeros >= 1 else sign.clamp_(-self.ones, self.zeros)

    def value(self, logits: Tensor, against: Tensor) -> Tensor:
        """The first of ``terms`` in steps that autograd can follow."""
        against = against.to(logits.dtype)
        weight = against.abs() * ((self.zeros + self.ones) / 2 + against * ((self.zeros - self.ones) / 2))
        return focal_value(F.logsigmoid(-logits * against), self.gamma) * weight


def _focal_losses(
    logits: Tensor, target: Tensor, ignore_index: int, gamma: float, alpha: float | None
) -> tuple[Elementwise, Tensor]:
    """Each pixel's loss, ``(N, P)``, and how many pixels are valid."""
    check_gamma(gamma)
    logits, against, count = signed_labels(logits, target, ignore_index)
    return _under_labels(SigmoidFocal.of(gamma, alpha), logits, against), count


def _cross_entropies(
    logits: Tensor, target: Tensor, ignore_index: int, pos_weight: float | None
) -> tuple[Elementwise | Tensor, Tensor]:
    """Each pixel's loss, ``(N, P)``, and how many pixels are valid."""
    weight = 1.0 if pos_weight is None else pos_weight
    if not weight >= 0:
        raise ValueError(f"pos_weight is {pos_weight}; it must be 0 or more")
    if not target.is_floating_point():
        logits, against, count = signed_labels(logits, target, ignore_index)
        return _under_labels(SigmoidFocal(0, ones=weight), logits, against), count
    check_logits(logits)
    logits, share = binary_maps(logits, target)
    valid = share != ignore_index
    logits = logits.to(arithmetic_dtype(logits)).masked_fill(~valid, 0)
    share = share.detach().to(logits.dtype)
    loss = -weight * share * F.logsigmoid(logits) - (1 - share) * F.logsigmoid(-logits)
    return torch.where(valid, loss, 0), valid.count_nonzero()


def _under_labels(loss: SigmoidFocal, logits: Tensor, against: Tensor) -> Elementwise:
    """The loss at each logit, both ``(N, P)``."""
    return Elementwise(loss.terms, loss.value, logits, (against,))


def _map_shape(logits: Tensor) -> torch.Size:
    """``(N, H, W)`` of logits that may have a channel."""
    return logits.shape[:1] + logits.shape[-2:]
