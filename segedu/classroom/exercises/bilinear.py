"""Exercise: ``bilinear_kernel(factor)``, the filter with which a transposed convolution upsamples bilinearly."""

import torch
from torch import Tensor

from segedu.classroom.exercises.exercise import Exercise, Mistake, one_tensor
from segedu.layers.upsample import bilinear_kernel as right_kernel


def _square(tent: Tensor) -> Tensor:
    return tent[:, None] * tent


def _tent(factor: int, centre: float, slope: float | None = None) -> Tensor:
    distance = (torch.arange(2 * factor) - centre).abs()
    return (1 - distance / (slope or factor)).clamp(min=0)


def _cone(factor: int) -> Tensor:
    distance = (torch.arange(2 * factor) - (factor - 0.5)).abs()
    return (1 - (distance[:, None] + distance) / factor).clamp(min=0)


def _pyramid(factor: int) -> Tensor:
    tent = _tent(factor, factor - 0.5)
    return torch.minimum(tent[:, None], tent)


bilinear_kernel = Exercise(
    solution=right_kernel,
    mistakes=(
        Mistake(
            lambda factor: _square(_tent(factor, factor)),
            "the peak sits half a pixel too far on: of 2f taps, numbered from 0, the middle is f - 1/2, between two "
            "taps. This kernel shifts the map by half a pixel.",
        ),
        Mistake(
            lambda factor: _square(_tent(factor, factor - 1)),
            "the peak sits half a pixel too early: of 2f taps, numbered from 0, the middle is f - 1/2, between two "
            "taps. This kernel shifts the map by half a pixel.",
        ),
        Mistake(
            lambda factor: right_kernel(factor, 2 * factor - 1),
            "this kernel of 2f - 1 taps puts a cell's centre on a pixel, the grid of align_corners=True (FCN-AlexNet "
            "uses it). With 2f taps the centre lies between two pixels.",
        ),
        Mistake(
            lambda factor: right_kernel(factor) / factor**2,
            "the shape is right, but the taps sum to 1 and should sum to f * f: every cell has to fill f x f pixels "
            "at full strength, and this kernel dims the map by f * f.",
        ),
        Mistake(
            lambda factor: _square(_tent(factor, factor - 0.5, factor - 0.5)),
            "the tent falls too fast: it reaches zero one whole cell away, so the distance is divided by f, not by f "
            "- 1/2.",
        ),
        Mistake(
            lambda factor: _square(_tent(factor, factor - 0.5, 2 * factor)),
            "the tent falls too slowly: it reaches zero one cell away, and a cell is f pixels, so the distance is "
            "divided by f and not by the kernel's size.",
        ),
        Mistake(
            lambda factor: _tent(factor, factor - 0.5),
            "the tent of one axis is right; the kernel is the product of a tent down and a tent across, of shape (2f, "
            "2f).",
        ),
        Mistake(
            _cone,
            "the two distances are added, which gives a diamond; bilinear means linear along each axis, so multiply "
            "the tent down by the tent across.",
        ),
        Mistake(
            _pyramid,
            "the smaller of the two tents is taken, which gives a pyramid; multiply the tent down by the tent across.",
        ),
        Mistake(
            lambda factor: torch.ones(2 * factor, 2 * factor),
            "every tap is the same, so each pixel is the sum of four whole cells; the weight has to fall off with the "
            "distance from the centre.",
        ),
    ),
    probes=lambda: iter([(2,), (4,), (8,)]),
    observe=one_tensor,
    learnt="a tent down times a tent across; where kernels overlap their taps sum to 1, so a flat map stays flat.",
)
