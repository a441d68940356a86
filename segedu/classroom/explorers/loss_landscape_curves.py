"""The curves of the loss landscape: seven losses and their gradients as the probability of an object's pixels grows."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segedu.losses.cross_entropy import cross_entropy
from segedu.losses.focal import focal_loss
from segedu.losses.lovasz_sorted import softmax_sorted
from segedu.losses.masses import Masses, class_masses
from segedu.losses.regions import dice_loss
from segedu.losses.tversky import Tversky
from segedu.losses.weights import inverse_frequency_weights

PIXELS = 100  # of the scene, so that one of them is a per cent
GRID = np.arange(1, 50) / 50  # the probabilities at which everything is computed
CERTAIN = 1e-9  # a probability of 0 has no logit
OBJECT = 1  # the class; 0 is the background
ONLY_OBJECT = torch.tensor([0.0, 1.0])  # the weights of a mean over classes that leaves the background out

Values = npt.NDArray[np.float64]


class Curve(NamedTuple):
    """A loss over `GRID`, ``(49,)``, and how hard it pulls the logit of one object pixel up: minus its gradient."""

    value: Values
    pull: Values


@dataclass(frozen=True)
class Setting:
    """A scene of 100 pixels of which ``objects`` are object, and what the losses have for settings.

    The model gives ``p`` to the object at each of its pixels, and ``false_alarm`` at each of the background's.
    """

    p: float
    objects: int
    false_alarm: float
    gamma: float
    alpha: float
    tversky_alpha: float

    @property
    def place(self) -> int:
        """Where ``p`` stands in `GRID`."""
        return place_of(self.p)


@dataclass(frozen=True, eq=False)
class Landscape:
    """The curves of both plots by the losses' names, and how hard Dice would pull at an object ``twice`` as large.

    ``pulls`` says whether the plots show the pulls, or the values.
    """

    setting: Setting
    pulls: bool
    curves: dict[str, dict[str, Curve]]
    twice: float


def place_of(p: float) -> int:
    """Where a probability stands in `GRID`."""
    return round(p * (len(GRID) + 1)) - 1


def landscape(setting: Setting, pulls: bool) -> Landscape:
    """Every loss at every probability, by `segedu.losses` and autograd."""
    curves = {"pixel": pixel_curves(setting), "object": object_curves(setting)}
    return Landscape(setting, pulls, curves, _dice_pull(setting.p, 2 * setting.objects, setting.false_alarm))


def pixel_curves(setting: Setting) -> dict[str, Curve]:
    """The losses that look at one pixel at a time, here at an object's."""
    return {
        "cross entropy": _cross_entropy(None),
        "weighted CE": _cross_entropy(setting.objects),
        "focal": _focal(setting.gamma, setting.alpha),
    }


def object_curves(setting: Setting) -> dict[str, Curve]:
    """The losses that compare the object as a whole, without the background's term.

    Their pulls are times the number of pixels, by which a mean over pixels divides those of the others.
    """
    scene, alpha = (setting.objects, setting.false_alarm), setting.tversky_alpha
    return {
        "Dice": _tversky(*scene, 0.5, 0.5),
        "IoU": _tversky(*scene, 1.0, 1.0),
        "Tversky": _tversky(*scene, alpha, round(1 - alpha, 9)),
        "Lovász": _lovasz(*scene),
    }


@functools.cache
def _cross_entropy(objects: int | None) -> Curve:
    weight = None if objects is None else inverse_frequency_weights(torch.tensor([PIXELS - objects, objects]))
    return _of_one_pixel(lambda logits, target: cross_entropy(logits, target, weight=weight, reduction="none"))


@functools.lru_cache(maxsize=256)
def _focal(gamma: float, alpha: float) -> Curve:
    by_class = torch.tensor([1 - alpha, alpha])
    return _of_one_pixel(
        lambda logits, target: focal_loss(logits, target, gamma=gamma, alpha=by_class, reduction="none")
    )


@functools.lru_cache(maxsize=256)
def _tversky(objects: int, false_alarm: float, alpha: float, beta: float) -> Curve:
    logits, masses = _masses(objects, false_alarm)
    index = Tversky(alpha, beta, 0.0, "image", "present")

    def loss(*image: Tensor) -> Tensor:
        return index.of_masses(Masses(*(mass[None] for mass in image)), ONLY_OBJECT)

    with torch.enable_grad():  # the losses give a mean over images, and here each of them is a point of the curve
        return _of_scene(torch.func.vmap(loss)(*masses), logits, objects)


@functools.lru_cache(maxsize=256)
def _dice_pull(p: float, objects: int, false_alarm: float) -> float:
    """Dice's pull at a single probability."""
    logits, index = _scenes(np.array([p]), objects, false_alarm)
    with torch.enable_grad():
        loss = dice_loss(logits, index, weight=ONLY_OBJECT)
    return float(PIXELS * _pulls(loss, logits)[0, 0])


@functools.lru_cache(maxsize=256)
def _lovasz(objects: int, false_alarm: float) -> Curve:
    logits, index = _scenes(GRID, objects, false_alarm)
    with torch.enable_grad():
        losses, _ = softmax_sorted(logits, index, torch.ones_like(index, dtype=torch.bool), "image")
        return _of_scene(losses[:, OBJECT], logits, objects)


@functools.lru_cache(maxsize=8)
def _masses(objects: int, false_alarm: float) -> tuple[Tensor, Masses]:
    """The logits of the scenes and the masses that Tversky's index is made of, which Dice and IoU share."""
    logits, index = _scenes(GRID, objects, false_alarm)
    with torch.enable_grad():
        return logits, class_masses(logits, index, torch.ones_like(index, dtype=torch.bool))


def _scenes(grid: Values, objects: int, false_alarm: float) -> tuple[Tensor, Tensor]:
    """A scene for each probability: logits ``(G, 2, 100)`` and labels ``(G, 100)``, the object's pixels first."""
    given = torch.full((len(grid), PIXELS), max(false_alarm, CERTAIN), dtype=torch.float64)
    given[:, :objects] = torch.from_numpy(grid)[:, None]
    index = torch.zeros(len(grid), PIXELS, dtype=torch.int64)
    index[:, :objects] = OBJECT
    return _logits(given), index


def _logits(given: Tensor) -> Tensor:
    """Logits of two classes of which the object has the probability ``given``: ``(N, P) -> (N, 2, P)``."""
    return torch.stack([torch.zeros_like(given), given.logit()], 1).requires_grad_()


def _of_one_pixel(loss: Callable[[Tensor, Tensor], Tensor]) -> Curve:
    logits = _logits(torch.from_numpy(GRID)[:, None])
    with torch.enable_grad():
        values = loss(logits, torch.full((len(GRID), 1), OBJECT))
        return Curve(values.detach()[:, 0].numpy(), _pulls(values, logits)[:, 0].numpy())


def _of_scene(values: Tensor, logits: Tensor, objects: int) -> Curve:
    return Curve(values.detach().numpy(), PIXELS * _pulls(values, logits)[:, :objects].mean(1).numpy())


def _pulls(values: Tensor, logits: Tensor) -> Tensor:
    """Minus the gradient by the object's logit, ``(G, P)``."""
    (slopes,) = torch.autograd.grad(values.sum(), logits, retain_graph=True)
    return -slopes[:, OBJECT]
