"""Region losses of one foreground: Dice, Jaccard and Tversky over a sigmoid.

Each takes ``logits (N, 1, H, W)`` or ``(N, H, W)`` and ``target`` of either shape with labels 0, 1 and void, and gives
a scalar in float32 (float64 for float64 logits). Only the foreground is compared. What has none is left out: at
``over="batch"`` a batch without foreground costs 0, at ``over="image"`` the mean is over the images with some. With
``classes="all"`` these cost up to 1, and false foreground is punished where ``smooth`` is positive; without it the
index is 0 whatever is predicted. Errors are those of ``cross_entropy``, and ``ValueError`` for other options.
"""

from typing import Any

from torch import Tensor, nn

from segedu.losses.tversky import Classes, Over, Tversky


def binary_dice_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    over: Over = "batch",
    classes: Classes = "present",
    smooth: float = 0.0,
) -> Tensor:
    """``1 - (2 shared + smooth) / (predicted + true + smooth)`` of the foreground, as in ``dice_loss``.

    Shapes, options and errors: ``segedu.losses.binary_regions``.
    """
    return Tversky(0.5, 0.5, smooth / 2, over, classes).of_sigmoid(logits, target, ignore_index)


def binary_jaccard_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    over: Over = "batch",
    classes: Classes = "present",
    smooth: float = 0.0,
) -> Tensor:
    """``1 - (shared + smooth) / (predicted + true - shared + smooth)`` of the foreground, as in ``jaccard_loss``.

    Shapes, options and errors: ``segedu.losses.binary_regions``.
    """
    return Tversky(1.0, 1.0, smooth, over, classes).of_sigmoid(logits, target, ignore_index)


def binary_tversky_loss(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    ignore_index: int = 255,
    over: Over = "batch",
    classes: Classes = "present",
    smooth: float = 0.0,
) -> Tensor:
    """``1 - shared / (shared + alpha * excess + beta * missed)`` of the foreground, as in ``tversky_loss``.

    Shapes, options and errors: ``segedu.losses.binary_regions``.
    """
    return Tversky(alpha, beta, smooth, over, classes).of_sigmoid(logits, target, ignore_index)


class BinaryRegionLoss(nn.Module):
    """What the modules of binary region losses have in common: the settings."""

    def __init__(
        self, *, ignore_index: int = 255, over: Over = "batch", classes: Classes = "present", smooth: float = 0.0
    ) -> None:
        super().__init__()
        self.options: dict[str, Any] = {
            "ignore_index": ignore_index,
            "over": over,
            "classes": classes,
            "smooth": smooth,
        }


class BinaryDiceLoss(BinaryRegionLoss):
    """``binary_dice_loss`` with its settings kept: ``logits (N, 1, H, W), target (N, H, W) -> loss``."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return binary_dice_loss(logits, target, **self.options)


class BinaryJaccardLoss(BinaryRegionLoss):
    """``binary_jaccard_loss`` with its settings kept: ``logits (N, 1, H, W), target (N, H, W) -> loss``."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return binary_jaccard_loss(logits, target, **self.options)


class BinaryTverskyLoss(BinaryRegionLoss):
    """``binary_tversky_loss`` with its settings kept: ``logits (N, 1, H, W), target (N, H, W) -> loss``."""

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, **options: Any) -> None:
        super().__init__(**options)
        self.options |= {"alpha": alpha, "beta": beta}

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return binary_tversky_loss(logits, target, **self.options)
