"""What explorers of a segmenter share: images with labels that belong together, as pictures to draw."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from segedu.classroom.explorers.scene import Bytes, Point


def _refuse_misfits(images: Tensor, labels: Tensor, classes: Sequence[str], palette: Tensor) -> None:
    """Raise ``ValueError`` unless images ``(N, 3, H, W)``, labels ``(N, H, W)``, K classes and K colours fit."""
    if images.dim() != 4 or images.shape[1] != 3 or not len(images):
        raise ValueError(f"images has shape {tuple(images.shape)}, expected (N, 3, H, W) with N of at least 1")
    if labels.shape != (len(images), *images.shape[2:]):
        raise ValueError(
            f"labels has shape {tuple(labels.shape)}, expected {(len(images), *images.shape[2:])}: one for each pixel"
        )
    if tuple(palette.shape) != (len(classes), 3):
        raise ValueError(f"palette has shape {tuple(palette.shape)}, expected {(len(classes), 3)}: RGB for each class")


def refuse_other_classes(scored: int, classes: Sequence[str]) -> None:
    """Raise ``ValueError`` unless a model scores as many classes as there are names."""
    if scored != len(classes):
        raise ValueError(f"the model scores {scored} classes, but classes names {len(classes)}: give one name each")


def rgb_pictures(images: Tensor, mean: Sequence[float], std: Sequence[float], step: int) -> Bytes:
    """Normalised images as they were taken, ``step x step`` pixels to one: ``(N, 3, H, W) -> (N, h, w, 3)`` uint8."""
    normalised = images.as_subclass(Tensor).cpu().float()
    spread, centre = (normalised.new_tensor(values).view(-1, 1, 1) for values in (std, mean))
    channels = (normalised * spread + centre).clamp(0, 1)
    rgb: Bytes = (255 * F.avg_pool2d(channels, step, ceil_mode=True)).round().byte().movedim(1, -1).numpy()
    return rgb


def label_colours(palette: Tensor) -> Bytes:
    """The colours of K classes, and black for void: ``(K, 3)`` uint8 -> RGBA ``(K + 1, 4)``."""
    colours = torch.cat([palette.cpu(), palette.new_zeros(1, 3, device="cpu")])
    return np.concatenate([colours.numpy(), np.full((len(colours), 1), 255, np.uint8)], axis=1)


@dataclass(frozen=True)
class Legend:
    """The names of K classes, and the label that stands for void."""

    classes: tuple[str, ...]
    ignore_index: int

    def name(self, label: int) -> str:
        """The class's name, or void."""
        return "void" if label == self.ignore_index else self.classes[label]

    def places(self, labels: Tensor) -> Tensor:
        """Where the colour of each label stands in `label_colours`: a class at its number, void behind them all."""
        return torch.where(labels == self.ignore_index, len(self.classes), labels)


class Fit(NamedTuple):
    """How a map is shown: its panel ``(width, height)`` in CSS pixels, how many of them for one of the map's pixels,
    and of every how many of these one is drawn, since a dense screen has no more than two for one of ours."""

    panel: tuple[int, int]
    scale: float
    step: int

    @classmethod
    def into(cls, size: Sequence[int], widest: float, tallest: float) -> "Fit":
        """As large as a map of ``size (H, W)`` can be in such a room."""
        height, width = size
        scale = min(widest / width, tallest / height)
        return cls((round(scale * width), round(scale * height)), scale, max(1, math.ceil(0.5 / scale)))


class Labelled:
    """Images ``(N, 3, H, W)``, normalised by ``mean`` and ``std``, with labels ``(N, H, W)`` and what these mean.

    ``labels`` are kept on the CPU, ``size`` is ``(H, W)``, and ``colours`` are those of `label_colours`. Raises
    ``ValueError`` where images, labels, classes and palette ``(K, 3)`` do not belong together.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        classes: Sequence[str],
        palette: Tensor,
        mean: Sequence[float],
        std: Sequence[float],
        ignore_index: int,
    ) -> None:
        _refuse_misfits(images, labels, classes, palette)
        self.images, self.normalisation = images, (mean, std)
        self.labels, self.legend = labels.as_subclass(Tensor).cpu(), Legend(tuple(classes), ignore_index)
        self.size = (labels.shape[1], labels.shape[2])
        self.colours = label_colours(palette)

    def rgb(self, step: int) -> Bytes:
        """The images as they were taken, ``step x step`` pixels to one: ``(N, h, w, 3)`` uint8."""
        return rgb_pictures(self.images, *self.normalisation, step)


def thinned(values: Tensor, step: int) -> Bytes:
    """A map as bytes, every ``step``-th of its rows and columns: no more than a screen shows."""
    shown: Bytes = values[::step, ::step].to(torch.uint8).numpy()
    return shown


def cell_at(place: Point, size: Sequence[int]) -> tuple[int, int]:
    """The cell of a grid of ``size`` at a place given as fractions down and right."""
    return int(place[0] * size[0]), int(place[1] * size[1])


def share(value: float) -> str:
    """``84.0 %``, and a dash where there was nothing to measure."""
    return "–" if math.isnan(value) else f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def signed_number(value: Tensor | float) -> str:
    """``+1.24`` or ``−0.30``, with the sign of arithmetic, and none for zero."""
    number = f"{float(value):+.2f}"
    return "0.00" if float(number) == 0 else number.replace("-", "−")
