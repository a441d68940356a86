"""Tversky's index of two regions, of which Dice and Jaccard are cases, as a loss on the masses of a batch."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from segedu.losses.binary_labels import signed_labels
from segedu.losses.foreground import foreground_masses
from segedu.losses.inputs import arithmetic_dtype, check_class_weights, check_shapes, safe_labels
from segedu.losses.masses import Masses, class_masses, soft_masses
from segedu.losses.reduction import quotient
from segedu.losses.soft import check_shares

Over = Literal["batch", "image"]
Classes = Literal["present", "all"]


class Tversky(NamedTuple):
    """``1 - (shared + smooth) / (shared + alpha * excess + beta * missed + smooth)``, and over what it is averaged.

    ``excess`` is the mass that is predicted off the region, ``missed`` the part of the region that is not predicted
    (Tversky, Features of similarity, 1977; as a loss: Salehi et al. 2017).
    """

    alpha: float
    beta: float
    smooth: float
    over: Over
    classes: Classes

    def of_softmax(self, logits: Tensor, target: Tensor, ignore_index: int, weight: Tensor | None) -> Tensor:
        """The loss of logits ``(N, K, ...)`` under labels ``(N, ...)`` or soft labels ``(N, K, ...)``."""
        if target.is_floating_point():
            check_shares(logits, target)
            masses = soft_masses(logits.flatten(2), target.flatten(2))
        else:
            check_shapes(logits, target)
            index, valid = safe_labels(target, logits.shape[1], ignore_index)
            masses = class_masses(logits.flatten(2), index.flatten(1), valid.flatten(1))
        check_class_weights(weight, logits.shape[1])
        return self.of_masses(masses, weight).to(arithmetic_dtype(logits))

    def of_sigmoid(self, logits: Tensor, target: Tensor, ignore_index: int) -> Tensor:
        """The loss of the foreground of logits ``(N, 1, H, W)`` or ``(N, H, W)``."""
        logits, against, _ = signed_labels(logits, target, ignore_index)
        return self.of_masses(foreground_masses(logits, against), None).to(arithmetic_dtype(logits))

    def of_masses(self, masses: Masses, weight: Tensor | None) -> Tensor:
        check_regions(self.over, self.classes)
        self._check_constants()
        if self.over == "batch":
            masses = Masses(*(mass.sum(0, keepdim=True) for mass in masses))
        predicted, shared, true, pixels = masses
        both = shared + self.smooth
        whole = both + self.alpha * (predicted - shared) + self.beta * (true - shared)
        loss = 1 - both / whole.clamp(min=torch.finfo(whole.dtype).tiny)
        return mean_over_classes(loss, true, pixels, self.classes, weight)

    def _check_constants(self) -> None:
        for name, value in (("alpha", self.alpha), ("beta", self.beta), ("smooth", self.smooth)):
            if not value >= 0:
                raise ValueError(f"{name} is {value}; it must be 0 or more")


def check_regions(over: str, classes: str) -> None:
    """Raises ``ValueError`` for a way to average that there is not."""
    if over not in ("batch", "image"):
        raise ValueError(f'over is {over!r}; regions are compared over the whole "batch" or over each "image"')
    if classes not in ("present", "all"):
        raise ValueError(f'classes is {classes!r}; it must be "present" (those that the target holds) or "all"')


def mean_over_classes(loss: Tensor, true: Tensor, pixels: Tensor, classes: Classes, weight: Tensor | None) -> Tensor:
    """The weighted mean of ``loss (N, K)`` over the classes that count, then the mean over images where any does.

    ``true (N, K)`` is the size of the classes, ``pixels (N, 1)`` that of all together: where nothing is valid no class
    counts.
    """
    counted = true > 0 if classes == "present" else (pixels > 0).expand_as(true)
    share = counted.to(loss.dtype) if weight is None else counted * weight.detach().to(loss)
    total = share.sum(1)
    return quotient(quotient((loss * share).sum(1), total).sum(), (total > 0).sum())
