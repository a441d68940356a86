"""Focal loss with a sigmoid for each class: every class against all others."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from segedu.losses.binary import SigmoidFocal, SigmoidFocalSettings
from segedu.losses.chunks import chunks
from segedu.losses.derivatives import gradient_to_follow
from segedu.losses.elementwise import place_like
from segedu.losses.focal import check_gamma
from segedu.losses.inputs import arithmetic_dtype, check_shapes, safe_labels
from segedu.losses.pages import gradient_like
from segedu.losses.reduction import Reduction, check_reduction, reduced


def one_vs_rest_focal_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    gamma: float = 2.0,
    alpha: float | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """The mean over the classes of ``binary_focal_loss``, each class's pixels against all others (Lin et al. 2017).

    ``logits (N, K, H, W)`` and ``target (N, H, W)`` -> a scalar, or ``(N, H, W)`` with ``reduction="none"``. Classes do
    not compete: probabilities are sigmoids and need not add up to 1, which is another loss than ``focal_loss``, and
    what some libraries mean by a multi-class focal loss. The paper adds the classes up; the mean keeps the scale where
    there are many. ``"mean"`` divides by the number of valid pixels. Errors are those of ``focal_loss``,
    and ``ValueError`` for an ``alpha`` outside 0..1.
    """
    check_reduction(reduction)
    check_gamma(gamma)
    check_shapes(logits, target)
    index, valid = (labels.flatten(1) for labels in safe_labels(target, logits.shape[1], ignore_index))
    if torch.compiler.is_compiling():
        loss = _in_one_expression(logits.flatten(2), index, valid, gamma, alpha)
    else:
        loss = _OneVsRest.apply(logits.flatten(2), index, valid, gamma, alpha)
    return reduced(loss, valid, reduction, target.shape)


class OneVsRestFocalLoss(SigmoidFocalSettings):
    """``one_vs_rest_focal_loss`` with its settings kept: ``logits (N, K, H, W), target (N, H, W) -> loss``."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return one_vs_rest_focal_loss(logits, target, **self.options())


class _OneVsRest(torch.autograd.Function):
    """The loss at each pixel, in chunks that fit the cache; the backward pass works the chunks out anew."""

    @staticmethod
    def forward(logits: Tensor, index: Tensor, valid: Tensor, gamma: float, alpha: float | None) -> Tensor:
        loss = torch.empty_like(index, dtype=arithmetic_dtype(logits))
        for images, pixels in chunks(logits):
            values = logits[images, :, pixels].to(loss.dtype)
            loss[images, pixels] = _terms(values, index[images, None, pixels], gamma, alpha)[0].mean(1)
        return loss.masked_fill_(~valid, 0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        *tensors, ctx.gamma, ctx.alpha = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        logits, index, valid = ctx.saved_tensors
        if torch.is_grad_enabled():
            again = partial(_in_one_expression, index=index, valid=valid, gamma=ctx.gamma, alpha=ctx.alpha)
            return gradient_to_follow(again, logits, gradient), None, None, None, None
        out = gradient_like(logits)
        steps = gradient / logits.shape[1]
        for images, pixels in chunks(logits):
            values = logits[images, :, pixels].to(gradient.dtype)
            slopes = _terms(values, index[images, None, pixels], ctx.gamma, ctx.alpha)[1]
            slopes.mul_(steps[images, None, pixels])
            out[images, :, pixels] = slopes.masked_fill_(~valid[images, None, pixels], 0)
        return out, None, None, None, None


def _terms(values: Tensor, index: Tensor, gamma: float, alpha: float | None) -> tuple[Tensor, Tensor]:
    """The binary losses ``(N, K, P)`` and their derivatives: first as if all were class 0, then the true one's."""
    true_values = values.gather(1, index)
    everywhere, true_class = place_like(values), place_like(true_values)
    for place, part, against in ((everywhere, values, 1), (true_class, true_values, -1)):
        SigmoidFocal.of(gamma, alpha).terms(place, part, part.new_full((), against))
    value, slope = (whole.scatter_(1, index, part) for whole, part in zip(everywhere[:2], true_class[:2], strict=True))
    return value, slope


def _in_one_expression(logits: Tensor, index: Tensor, valid: Tensor, gamma: float, alpha: float | None) -> Tensor:
    values = logits.to(arithmetic_dtype(logits)).masked_fill(~valid[:, None], 0)
    classes = torch.arange(logits.shape[1], device=logits.device)[:, None]
    against = torch.where(classes == index[:, None], -1, 1)
    return torch.where(valid, SigmoidFocal.of(gamma, alpha).value(values, against).mean(1), 0)
