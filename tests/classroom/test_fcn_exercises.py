"""The exercises of lesson 01 as learners answer them: a hint follows what the code does, however it is written."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from segedu.classroom.exercises import fcn


def conv(weight, bias=None, **setting):
    layer = nn.Conv2d(*weight.shape[1::-1], tuple(weight.shape[2:]), **setting)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(torch.zeros(len(weight)) if bias is None else bias)
    return layer


def by_reshape(linear, kernel_size):
    return conv(linear.weight.reshape(linear.out_features, -1, *kernel_size), linear.bias)


def by_hand(linear, kernel_size):
    height, width = kernel_size
    layer = nn.Conv2d(linear.in_features // (height * width), linear.out_features, kernel_size)
    with torch.no_grad():
        for place in range(linear.in_features):
            channel, cell = divmod(place, height * width)
            layer.weight[:, channel, cell // width, cell % width] = linear.weight[:, place]
        layer.bias[:] = linear.bias
    return layer


def kernel_by_numpy_habit(factor):
    rows, columns = torch.meshgrid(torch.arange(2 * factor), torch.arange(2 * factor), indexing="ij")
    centre = factor - 0.5
    return (1 - (rows - centre).abs() / factor) * (1 - (columns - centre).abs() / factor)


def fcn16s_by_commuting(conv7, pool4, score_conv7, score_pool4, size):
    """A 1x1 convolution commutes with bilinear interpolation, so scoring after resizing is right too, and slower."""
    coarse = score_conv7(F.interpolate(conv7, pool4.shape[2:], mode="bilinear"))
    return F.interpolate(coarse.add_(score_pool4(pool4)), size, mode="bilinear", align_corners=False)


def fcn16s_by_factors(conv7, pool4, score_conv7, score_pool4, size):
    twice, sixteen_times = (nn.Upsample(scale_factor=factor, mode="bilinear") for factor in (2, 16))
    return sixteen_times(twice(score_conv7(conv7)) + score_pool4(pool4))


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (fcn.linear_to_conv, by_reshape),
        (fcn.linear_to_conv, by_hand),
        (fcn.bilinear_kernel, kernel_by_numpy_habit),
        (fcn.bilinear_kernel, lambda factor: kernel_by_numpy_habit(factor).double()),
        (fcn.fcn16s, fcn16s_by_commuting),
        (fcn.fcn16s, fcn16s_by_factors),
    ],
)
def test_right_answers_pass_however_written(exercise, answer):
    assert exercise.check(answer).status == "right"


def upsampled_filter(factor):
    """The release's recipe with its two cases confused."""
    size = 2 * factor
    centre = size / 2 - 0.5 if size % 2 else size / 2 - 1
    rows = torch.arange(size)
    return (1 - (rows[:, None] - centre).abs() / factor).clamp(0) * (1 - (rows - centre).abs() / factor).clamp(0)


def odd_kernel(factor):
    place = torch.arange(-factor + 1, factor).abs()
    return torch.outer(1 - place / factor, 1 - place / factor)


def wrong_fcn16s(fuse):
    return lambda conv7, pool4, score_conv7, score_pool4, size: fuse(score_conv7(conv7), score_pool4(pool4), size)


def up(maps, size):
    return F.interpolate(maps, tuple(size), mode="bilinear")


def with_corners(coarse, fine, size):
    return nn.UpsamplingBilinear2d(size)(nn.UpsamplingBilinear2d(fine.shape[2:])(coarse) + fine)


def features_first(conv7, pool4, score_conv7, score_pool4, size):
    return up(score_conv7(up(conv7, pool4.shape[2:]) + pool4), size)


WRITTEN = {
    "1x1 kernel": (
        fcn.linear_to_conv,
        lambda layer, k: conv(layer.weight[..., None, None], layer.bias),
        "1x1 kernel sees",
    ),
    "no bias": (
        fcn.linear_to_conv,
        lambda layer, k: conv(layer.weight.view(len(layer.weight), -1, *k)),
        "bias is zero",
    ),
    "(h, w, C)": (
        fcn.linear_to_conv,
        lambda layer, k: conv(layer.weight.view(len(layer.weight), *k, -1).movedim(-1, 1), layer.bias),
        "channels outermost",
    ),
    "no conv": (
        fcn.linear_to_conv,
        lambda layer, k: layer,
        "return an nn.Conv2d; the function returns an object of type",
    ),
    "not copied": (
        fcn.linear_to_conv,
        lambda layer, k: nn.Conv2d(layer.in_features // (k[0] * k[1]), layer.out_features, k),
        "weight has the right shape (5, 3, 2, 4), but other numbers",
    ),
    "centre": (fcn.bilinear_kernel, upsampled_filter, "half a pixel too early"),
    "odd": (fcn.bilinear_kernel, odd_kernel, "align_corners=True"),
    "sums to 1": (fcn.bilinear_kernel, lambda f: (k := kernel_by_numpy_habit(f)) / k.sum(), "sum to 1"),
    "one axis": (fcn.bilinear_kernel, lambda f: kernel_by_numpy_habit(f).diagonal().sqrt(), "product of a tent down"),
    "features": (fcn.fcn16s, features_first, "features are added"),
    "at the image": (fcn.fcn16s, wrong_fcn16s(lambda a, b, size: up(a, size).add(up(b, size))), "adds at stride 16"),
    "concatenated": (
        fcn.fcn16s,
        wrong_fcn16s(lambda a, b, size: up(torch.hstack([up(a, b.shape[2:]), b]), size)),
        "concatenated",
    ),
    "averaged": (
        fcn.fcn16s,
        wrong_fcn16s(lambda a, b, size: up(torch.stack([up(a, b.shape[2:]), b]).mean(0), size)),
        "averaged",
    ),
    "stride 16": (fcn.fcn16s, wrong_fcn16s(lambda a, b, size: up(a, b.shape[2:]) + b), "still at stride 16"),
    "corners": (fcn.fcn16s, wrong_fcn16s(with_corners), "aligns the corners"),
}


@pytest.mark.parametrize(("exercise", "answer", "words"), WRITTEN.values(), ids=WRITTEN.keys())
def test_wrong_answers_get_their_hint_however_written(exercise, answer, words):
    assert words in exercise.check(answer).hint


@given(scale=st.floats(0.3, 3).filter(lambda scale: abs(scale - 1) > 0.01), shift=st.integers(-2, 2))
def test_no_other_kernel_passes(scale, shift):
    result = fcn.bilinear_kernel.check(lambda factor: kernel_by_numpy_habit(factor).roll(shift, 0) * scale)
    assert result.hint
