"""Trading stride for dilation: a backbone whose features lie closer together and whose every kernel reads the same."""

import copy
from fractions import Fraction

from torch import nn

from segedu.receptive_field import Row, receptive_field
from segedu.receptive_field.trace import pair

Window = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d
FUNCTIONS = ("conv2d", "max_pool2d", "avg_pool2d")


def dilate(backbone: nn.Module, output_stride: int, *, input_size: tuple[int, int] = (224, 224)) -> nn.Module:
    """A copy of ``backbone`` whose feature maps are never coarser than ``output_stride`` pixels a cell.

    A layer that lay beyond a stride that is taken away is dilated by that stride, so the same weights read the same
    pixels, and every ``n``-th feature equals one of the original (DeepLab v1, section 3.1; exact with zero padding and
    without global pooling). The rule looks at what lies *before* a layer and at nothing else, so it is right wherever a
    backbone strides. In torchvision's ResNet the 3x3 layer of a stage's first block strides: that layer keeps the rate
    of the stage before. In the ResNet of DeepLab v2 the 1x1 layer before it strides: the 3x3 layer has the new rate.

    The last, partial window of a pooling in ceil mode has no counterpart: without a stride it is not there. An image of
    ``input_size`` is traced to find the strides; any size that the backbone takes gives the same. Weights are copied.
    Raises ``ValueError`` for an ``output_stride`` that is no stride of the backbone or does not divide
    those beyond it, for a layer that cannot be dilated (average pooling), for a stride in a function or a module used
    twice, where there is nothing to change, and for an operator of which nothing is known.
    """
    dilated = copy.deepcopy(backbone)
    modules = dict(dilated.named_modules())
    rows = [row for row in receptive_field(dilated, input_size) if row.operation.split()[0] in FUNCTIONS]
    for row in rows:
        if row.unknown:
            raise ValueError(f"the stride of {row.name} is unknown: there is no rule for {', '.join(row.unknown)}")
    strides = {side.stride or 0 for row in rows for side in (row.vertical, row.horizontal)}
    if output_stride not in strides:
        known = ", ".join(map(str, sorted(strides - {0})))
        raise ValueError(f"output_stride is {output_stride}, but the maps of this backbone have strides {known}")
    for row in rows:
        if max(row.vertical.stride or 0, row.horizontal.stride or 0) > output_stride:
            _dilate_layer(row, modules.get(row.name), output_stride)
    return dilated


def stride_and_rate(before: Fraction, after: Fraction, limit: Fraction) -> tuple[int, int]:
    """What a layer strides, and by what it is dilated, when no map may be coarser than ``limit`` any more.

    ``before`` and ``after`` are the strides of its input and of its output as they were.
    """
    nearer = min(before, limit)
    return int(min(after, limit) / nearer), int(before / nearer)


def _dilate_layer(row: Row, layer: nn.Module | None, output_stride: int) -> None:
    """Take away what a layer strides beyond ``output_stride``, and dilate it by what was taken away before it."""
    if not isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        raise ValueError(f"{row.name} ({row.operation}) is no module of its own, so its stride cannot be changed")
    strides, rates = [], []
    for own, side in zip(pair(layer.stride), (row.vertical, row.horizontal), strict=True):
        after = Fraction(side.stride or 0)
        if after > output_stride and after % output_stride:
            raise ValueError(f"{row.name} has stride {after}, which output_stride {output_stride} does not divide")
        stride, rate = stride_and_rate(after / own, after, Fraction(output_stride))
        strides.append(stride)
        rates.append(rate)
    layer.stride = (strides[0], strides[1])
    if rates != [1, 1]:
        _spread(layer, rates, row.name)


def _spread(layer: Window, rates: list[int], name: str) -> None:
    """Move the taps of a layer apart, and pad by as much more."""
    if isinstance(layer, nn.AvgPool2d):
        raise ValueError(f"{name} is an average pooling, which cannot be dilated by {rates[0]}")
    down, right = (own * rate for own, rate in zip(pair(layer.dilation), rates, strict=True))
    layer.dilation = (down, right)
    if isinstance(layer.padding, str):
        return  # "same" and "valid" follow the dilation
    above, left = (own * rate for own, rate in zip(pair(layer.padding), rates, strict=True))
    layer.padding = (above, left)
    if isinstance(layer, nn.Conv2d):
        layer._reversed_padding_repeated_twice = [left, left, above, above]  # what other paddings than zeros read
