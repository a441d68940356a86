"""Losses that compare regions as wholes, not pixel by pixel: Dice, Jaccard and Tversky over a softmax.

Each takes ``logits (N, K, H, W)`` and ``target (N, H, W)`` of integer labels, or soft labels ``(N, K, H, W)`` whose
void pixels are those with no share at all, and gives a scalar in float32 (float64 for float64 logits). A class's masses
are summed ``over`` the batch, which is how mean IoU is computed, or over each image. The mean is over the ``classes``
that are present: a class that the target lacks has nothing to overlap with, and with ``classes="all"`` costs its full 1
without a gradient unless ``smooth`` is positive. ``weight`` makes the mean over the classes a weighted one. Errors are
those of ``cross_entropy``, and ``ValueError`` for other options.
"""

from typing import Any

from torch import Tensor, nn

from segedu.losses.tversky import Classes, Over, Tversky


def dice_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    weight: Tensor | None = None,
    over: Over = "batch",
    classes: Classes = "present",
    smooth: float = 0.0,
) -> Tensor:
    """How far the regions are from covering each other: ``1 - (2 shared + smooth) / (predicted + true + smooth)``.

    Milletari et al. (V-Net, 2016, section 3) with plain sums in the denominator in place of squares: the soft form of
    Dice's coefficient, equal to ``tversky_loss`` at ``alpha = beta = 1/2`` and half the ``smooth``. Shapes, options and
    errors: ``segedu.losses.regions``.
    """
    return Tversky(0.5, 0.5, smooth / 2, over, classes).of_softmax(logits, target, ignore_index, weight)


def jaccard_loss(
    logits: Tensor,
    target: Tensor,
    *,
    ignore_index: int = 255,
    weight: Tensor | None = None,
    over: Over = "batch",
    classes: Classes = "present",
    smooth: float = 0.0,
) -> Tensor:
    """One minus a soft intersection over union: ``1 - (shared + smooth) / (predicted + true - shared + smooth)``.

    Rahman and Wang (2016); equal to ``tversky_loss`` at ``alpha = beta = 1``. Shapes, options and errors:
    ``segedu.losses.regions``.
    """
    return Tversky(1.0, 1.0, smooth, over, classes).of_softmax(logits, target, ignore_index, weight)


def tversky_loss(
    logits: Tensor,
    target: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    ignore_index: int = 255,
    weight: Tensor | None = None,
    over: Over = "batch",
    classes: Classes = "present",
    smooth: float = 0.0,
) -> Tensor:
    """Overlap that weighs two mistakes apart: ``1 - shared / (shared + alpha * excess + beta * missed)``.

    ``excess`` is mass predicted off the class, ``missed`` what is lacking on it; ``beta`` above ``alpha`` finds more
    and is wrong more often. The defaults are those that did best in Salehi et al. (2017). Shapes, options
    and errors: ``segedu.losses.regions``.
    """
    return Tversky(alpha, beta, smooth, over, classes).of_softmax(logits, target, ignore_index, weight)


class RegionLoss(nn.Module):
    """What the modules of region losses have in common: the settings.

    ``weight`` moves with the module and is no part of its state.
    """

    weight: Tensor | None

    def __init__(
        self,
        *,
        ignore_index: int = 255,
        weight: Tensor | None = None,
        over: Over = "batch",
        classes: Classes = "present",
        smooth: float = 0.0,
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)
        self.ignore_index = ignore_index
        self.over: Over = over
        self.classes: Classes = classes
        self.smooth = smooth

    def options(self) -> dict[str, Any]:
        """The settings as the functions take them."""
        names = ("ignore_index", "weight", "over", "classes", "smooth")
        return {name: getattr(self, name) for name in names}


class DiceLoss(RegionLoss):
    """``dice_loss`` with its settings kept: ``logits (N, K, H, W), target (N, H, W) -> loss``."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return dice_loss(logits, target, **self.options())


class JaccardLoss(RegionLoss):
    """``jaccard_loss`` with its settings kept: ``logits (N, K, H, W), target (N, H, W) -> loss``."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return jaccard_loss(logits, target, **self.options())


class TverskyLoss(RegionLoss):
    """``tversky_loss`` with its settings kept: ``logits (N, K, H, W), target (N, H, W) -> loss``."""

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, **options: Any) -> None:
        super().__init__(**options)
        self.alpha, self.beta = alpha, beta

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        return tversky_loss(logits, target, alpha=self.alpha, beta=self.beta, **self.options())
