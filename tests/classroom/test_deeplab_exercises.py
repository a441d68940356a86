"""The exercises of lesson 05 as learners answer them: a hint follows what the code does, however it is written."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segedu import models
from segedu.classroom.exercises import deeplab
from segedu.crf import Gaussian, mean_field, pairwise_filters
from segedu.layers.aspp import AtrousConv

# The pyramid


def block(in_channels, channels, size, rate=1):
    padding = rate if size == 3 else 0
    conv = nn.Conv2d(in_channels, channels, size, padding=padding, dilation=rate, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


class Repaired(nn.Module):
    """As a learner repairs the notebook's cell."""

    def __init__(self, in_channels, channels, output_stride):
        super().__init__()
        if output_stride == 8:
            rates = (12, 24, 36)
        elif output_stride == 16:
            rates = (6, 12, 18)
        else:
            raise ValueError(f"no rates for output stride {output_stride}")
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), block(in_channels, channels, 1))
        atrous = [block(in_channels, channels, 3, rate) for rate in rates]
        self.views = nn.ModuleList([block(in_channels, channels, 1), *atrous])
        self.last = block(5 * channels, channels, 1)

    def joined(self, x):
        pooled = F.interpolate(self.pooled(x), x.shape[-2:], mode="bilinear", align_corners=True)
        return torch.cat([*(view(x) for view in self.views), pooled], 1)

    def forward(self, x):
        return self.last(self.joined(x))


class ByMean(Repaired):
    def joined(self, x):
        pooled = self.pooled[1](x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        return torch.concatenate(tensors=[*(view(x) for view in self.views), pooled], dim=1)


def as_a_function(in_channels, channels, output_stride):
    return Repaired(in_channels, channels, output_stride)


@pytest.mark.parametrize("answer", [Repaired, ByMean, as_a_function])
def test_right_pyramids_pass_however_written(answer):
    assert deeplab.pyramid.check(answer).status == "right"


class WithoutProjection(Repaired):
    def forward(self, x):
        return self.joined(x)


class ImageFirst(Repaired):
    def joined(self, x):
        pooled = F.interpolate(self.pooled(x), x.shape[-2:], mode="bilinear")
        return torch.cat([pooled, *(view(x) for view in self.views)], 1)


class InALoop(Repaired):
    def joined(self, x):
        out = self.views[0](x)
        for view in self.views[1:]:
            out = torch.cat([out, view(x)], 1)
        return torch.cat([out, F.interpolate(self.pooled(x), x.shape[-2:])], 1)


class Reversed(Repaired):
    def joined(self, x):
        *views, pooled = super().joined(x).chunk(5, 1)
        return torch.cat([pooled, *reversed(views)], 1)


class RaisesText(Repaired):
    def __init__(self, in_channels, channels, output_stride):
        if output_stride not in (8, 16):
            raise "no rates"  # noqa: B016
        super().__init__(in_channels, channels, output_stride)


class NeverRefuses(Repaired):
    def __init__(self, in_channels, channels, output_stride):
        super().__init__(in_channels, channels, min(output_stride, 16))


class NeverRefusesOtherRates(Repaired):
    def __init__(self, in_channels, channels, output_stride):
        super().__init__(in_channels, channels, 16 if output_stride == 16 else 8)


class TwoFaults(ImageFirst):
    def forward(self, x):
        return self.joined(x)


class ForgetsReturn(Repaired):
    def forward(self, x):
        self.last(self.joined(x))


class Added(Repaired):
    def joined(self, x):
        return sum(view(x) for view in self.views).repeat(1, 5, 1, 1)


class SmallImage(Repaired):
    def joined(self, x):
        return torch.cat([*(view(x) for view in self.views), self.pooled(x)], 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (WithoutProjection, "the docstring promises a final 1x1 convolution"),
        (ImageFirst, "image pooling is joined first"),
        (InALoop, "torch.cat stands in the loop"),
        (RaisesText, "a string is raised"),
        (NeverRefuses, "is taken like 16"),
        (NeverRefusesOtherRates, "this should be refused with ValueError; your code returns a result"),
        (TwoFaults, "channels, rows and columns that it makes of a map of (83, 7) cells is [10, 83, 7]"),
        (Reversed, "how far each joined branch reads, in cells, in their order, is [41, 18, 12, 6, 0]"),
        (ForgetsReturn, "forward returns an object of type NoneType"),
        (Added, "nothing is concatenated"),
        (SmallImage, "your code stopped"),
        (lambda in_channels, channels, output_stride: 3, "hand over the class, an nn.Module"),
    ],
)
def test_wrong_pyramids_get_their_hint(answer, words):
    assert words in deeplab.pyramid.check(answer).hint


# Rates on a grid


def read_off(output_stride, multi_grid):
    """From the package's own network."""
    trunk = models.RESNETS["resnet_mini"](output_stride=output_stride, multi_grid=multi_grid)
    net = models.DeepLabV3(2, trunk, width=2)
    units = [unit.conv1.rate for unit in trunk.layer4]
    return units + [module.rate for module in net.classifier.modules() if isinstance(module, AtrousConv)]


def as_array(output_stride, multi_grid):
    return np.array([*(32 // output_stride * np.array(multi_grid)), *(96 // output_stride * np.arange(1, 4))])


@pytest.mark.parametrize("answer", [read_off, as_array])
def test_right_rates_pass_however_written(answer):
    assert deeplab.rates_on_grid.check(answer).status == "right"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda stride, grid: [*grid, *(rate * 16 // stride for rate in (6, 12, 18))], "the unit rate, which the"),
        (lambda stride, grid: [32 // stride * rate for rate in (*grid, 6, 12, 18)], "multiplied by the unit rate"),
        (lambda stride, grid: [16 / stride] * 6, "return a list of six whole numbers"),
        (lambda stride, grid: 7, "return a list of six whole numbers"),
        (lambda stride, grid: [2, 4, 8, 6, 12, 18], "is [2, 4, 8, 6, 12, 18]; it should be [4, 8, 16, 12, 24, 36]"),
    ],
)
def test_wrong_rates_get_their_hint(answer, words):
    assert words in deeplab.rates_on_grid.check(answer).hint


# One step of mean field


def by_compatibility(logits, probabilities, kernel):
    potts = 1 - torch.eye(logits.shape[1])
    return F.softmax(logits - kernel @ probabilities @ potts, 1)


def pixel_by_pixel(logits, probabilities, kernel):
    rows = []
    for i in range(len(logits)):
        heard = sum(kernel[i, j] * probabilities[j] for j in range(len(logits)) if j != i)
        powers = (logits[i] + heard).exp()
        rows.append(powers / powers.sum())
    return torch.stack(rows)


@pytest.mark.parametrize("answer", [by_compatibility, pixel_by_pixel])
def test_right_steps_pass_however_written(answer):
    assert deeplab.mean_field_step.check(answer).status == "right"


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 999), iterations=st.integers(1, 3))
def test_the_solution_is_the_package_s_mean_field(seed, iterations):
    draw = torch.Generator().manual_seed(seed)
    images, logits = torch.rand(1, 3, 4, 5, generator=draw), torch.randn(1, 3, 4, 5, generator=draw)
    options = {"normalisation": "none", "exclude_self": True, "exact": True}
    filters = pairwise_filters(images, (Gaussian(position_std=2.0),), **options)
    kernel = filters[0].filter(torch.eye(20)[None])[0]
    flat = logits.flatten(2)[0].T
    mine = flat.softmax(1)
    for _ in range(iterations):
        mine = deeplab.mean_field_step.solution(flat, mine, kernel)
    theirs = mean_field(logits, filters, [1.0], iterations=iterations)
    torch.testing.assert_close(mine.T.reshape(1, 3, 4, 5), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, q, k: F.softmax(x - k @ q, 1), "the sign is turned"),
        (lambda x, q, k: F.softmax(x + k @ q, 0), "runs over the pixels"),
        (lambda x, q, k: F.softmax(x + k.T @ q, 1), "the kernel is transposed"),
        (lambda x, q, k: F.softmax(x + k @ x, 1), "the messages are made of the logits"),
        (lambda x, q, k: x + k @ q, "normalise last"),
        (lambda x, q, k: (x + k @ q).tolist(), "return a tensor"),
        (lambda x, q, k: F.softmax(x + 3 * k @ q, 1), "other numbers than it should"),
    ],
)
def test_wrong_steps_get_their_hint(answer, words):
    assert words in deeplab.mean_field_step.check(answer).hint
