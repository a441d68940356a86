"""Exercise: ``linear_to_conv(linear, kernel_size)``, the convolution that equals a linear layer on a flattened map."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from segedu.classroom.exercises.exercise import Exercise, Hint, Mistake, Observed
from segedu.layers.dense import linear_to_conv as right_conv

Size = tuple[int, int]


def _convolution(returned: Any) -> Observed:
    if not isinstance(returned, nn.Conv2d):
        raise Hint(f"return an nn.Conv2d; the function returns an object of type {type(returned).__name__}.")
    setting = [*returned.stride, *map(int, returned.padding), *returned.dilation, returned.groups]
    bias = {} if returned.bias is None else {"bias": returned.bias.detach()}
    return {
        "weight": returned.weight.detach(),
        **bias,
        "the setting (stride, padding, dilation, groups)": torch.tensor(setting),
    }


def _linear_layers() -> Iterator[tuple[nn.Linear, Size]]:
    source = torch.Generator().manual_seed(0)
    for channels, height, width, outputs in ((3, 2, 4, 5), (2, 3, 3, 4)):
        linear = nn.Linear(channels * height * width, outputs)
        for parameter in linear.parameters():
            parameter.data = torch.randn(parameter.shape, generator=source)
        yield linear, (height, width)


def _conv_of(weight: Tensor, bias: Tensor | None, **setting: Any) -> nn.Conv2d:
    outputs, channels, height, width = weight.shape
    conv = nn.Conv2d(channels, outputs, (height, width), bias=bias is not None, **setting)
    conv.weight = nn.Parameter(weight)
    conv.bias = None if bias is None else nn.Parameter(bias)
    return conv


def _channels_last(linear: nn.Linear, size: Size) -> nn.Conv2d:
    channels = linear.in_features // (size[0] * size[1])
    return _conv_of(linear.weight.view(-1, *size, channels).permute(0, 3, 1, 2), linear.bias)


def _width_first(linear: nn.Linear, size: Size) -> nn.Conv2d:
    return _conv_of(right_conv(linear, (size[1], size[0])).weight.mT, linear.bias)


def _no_bias(linear: nn.Linear, size: Size) -> nn.Conv2d:
    return _conv_of(right_conv(linear, size).weight, None)


def _zero_bias(linear: nn.Linear, size: Size) -> nn.Conv2d:
    return _conv_of(right_conv(linear, size).weight, torch.zeros_like(linear.bias))


def _one_by_one(linear: nn.Linear, size: Size) -> nn.Conv2d:
    return _conv_of(linear.weight[:, :, None, None], linear.bias)


def _flipped(linear: nn.Linear, size: Size) -> nn.Conv2d:
    return _conv_of(right_conv(linear, size).weight.flip(2, 3), linear.bias)


def _padded(linear: nn.Linear, size: Size) -> nn.Conv2d:
    return _conv_of(right_conv(linear, size).weight, linear.bias, padding=(size[0] // 2, size[1] // 2))


def _strided(linear: nn.Linear, size: Size) -> nn.Conv2d:
    return _conv_of(right_conv(linear, size).weight, linear.bias, stride=size)


linear_to_conv = Exercise(
    solution=right_conv,
    mistakes=(
        Mistake(
            _channels_last,
            "the numbers are all there, in the wrong places: flatten walks through (C, h, w) with the channels "
            "outermost, so the view is (out, C, h, w), not (out, h, w, C) with the axes moved afterwards.",
        ),
        Mistake(
            _width_first,
            "rows and columns have changed places: a map is flattened row by row, so the view is (out, C, height, "
            "width).",
        ),
        Mistake(_no_bias, "the weights are right; the linear layer's bias has been left out."),
        Mistake(_zero_bias, "the weights are right, but the bias is zero: copy the linear layer's bias as well."),
        Mistake(
            _one_by_one,
            "a 1x1 kernel sees one cell, and the linear layer reads the whole h x w map: the kernel has to be h x w, "
            "and the layer has C input channels, not C * h * w.",
        ),
        Mistake(
            _flipped,
            "the kernel is flipped: what torch calls a convolution does not turn its kernel round, so the weights "
            "keep their order.",
        ),
        Mistake(
            _padded,
            "the weights are right; without padding the kernel fits an h x w map exactly once, and that one number is "
            "the linear layer's. Padding adds places that the linear layer never saw.",
        ),
        Mistake(
            _strided,
            "the weights are right; with a stride of the kernel's size a larger map is cut into tiles that do not "
            "overlap. A stride of 1 gives the classifier's answer for every window.",
        ),
    ),
    probes=_linear_layers,
    observe=_convolution,
    learnt="the same numbers, arranged as a kernel: on a map larger than the kernel it answers for every window.",
)
