"""The exercises of lesson 02 as learners answer them: a hint follows what the code does, however it is written."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional

from segedu.classroom.exercises import unet
from segedu.instances import border_weights
from segedu.models.unet import UNetOriginal

# The middle of a map


@settings(deadline=None, max_examples=25)
@given(inner=st.tuples(st.integers(1, 6), st.integers(1, 6)), rest=st.tuples(st.integers(0, 5), st.integers(0, 5)))
def test_crop_keeps_the_middle(inner, rest):
    height, width = (side + more for side, more in zip(inner, rest, strict=True))
    places = torch.arange(height * width).view(1, 1, height, width)
    kept = unet.centre_crop.solution(places, inner)
    rows, columns = (kept[0, 0] // width)[:, 0], (kept[0, 0] % width)[0]
    for axis, side in ((rows, height), (columns, width)):
        before, after = int(axis[0]), side - 1 - int(axis[-1])
        assert after - before in (0, 1)


def by_padding(maps, size):
    rows, columns = maps.shape[2] - size[0], maps.shape[3] - size[1]
    top, left = rows // 2, columns // 2
    return F.pad(maps, (-left, left - columns, -top, top - rows))


def by_narrow(maps, size):
    for dim, side in ((2, size[0]), (3, size[1])):
        maps = maps.narrow(dim, (maps.shape[dim] - side) // 2, side)
    return maps


@pytest.mark.parametrize("answer", [by_padding, by_narrow])
def test_right_crops_pass_however_written(answer):
    assert unet.centre_crop.check(answer).status == "right"


def from_the_corner(maps, size):
    return maps[:, :, : size[0], : size[1]]


def rounded_up(maps, size):
    top, left = -(-(maps.shape[2] - size[0]) // 2), -(-(maps.shape[3] - size[1]) // 2)
    return maps[:, :, top : top + size[0], left : left + size[1]]


def negative_slices(maps, size):
    top, left = (maps.shape[2] - size[0]) // 2, (maps.shape[3] - size[1]) // 2
    return maps[:, :, top : top - (maps.shape[2] - size[0]), left : left - (maps.shape[3] - size[1])]


def as_torchvision_crops(maps, size):
    """It rounds half to even, so an odd rest of 3 begins at 2."""
    return functional.center_crop(maps, list(size))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (from_the_corner, "starts in the upper left corner"),
        (rounded_up, "the start is rounded down"),
        (negative_slices, "the slice ends at -0"),
        (lambda maps, size: maps[..., maps.shape[2] - size[0] :, maps.shape[3] - size[1] :], "lower right corner"),
        (lambda maps, size: F.interpolate(maps, size, mode="nearest-exact"), "but other numbers than it should"),
        (lambda maps, size: F.adaptive_max_pool2d(maps, size), "but other numbers than it should"),
        (lambda maps, size: maps, "has shape (2, 3, 8, 8); it should be (2, 3, 4, 4)"),
        (lambda maps, size: size, "the function returns an object of type tuple; return a tensor."),
    ],
)
def test_wrong_crops_get_their_hint_however_written(answer, words):
    assert words in unet.centre_crop.check(answer).hint


def test_torchvisions_crop_is_another_one():
    assert unet.centre_crop.check(as_torchvision_crops).status == "not right yet"


# One step up


def test_solution_is_the_step_of_the_live_network():
    step = UNetOriginal(num_classes=2, width=2).expand[-1]
    coarse, skip = torch.randn(1, 4, 6, 7), torch.randn(1, 2, 15, 14)
    assert torch.equal(unet.expand.solution(coarse, skip, step.up, step.convs), step(coarse, skip))


def in_one_line(coarse, skip, up, convs):
    return convs(torch.hstack([by_padding(skip, up(coarse).shape[2:]), up(coarse)]))


def into_an_empty_map(coarse, skip, up, convs):
    x = up(coarse)
    joined = x.new_empty(len(x), 2 * x.shape[1], *x.shape[2:])
    joined[:, : x.shape[1]] = by_narrow(skip, x.shape[2:])
    joined[:, x.shape[1] :] = x
    return convs(joined)


@pytest.mark.parametrize("answer", [in_one_line, into_an_empty_map])
def test_right_steps_pass_however_written(answer):
    assert unet.expand.check(answer).status == "right"


def swapped(coarse, skip, up, convs):
    x = up(coarse)
    return convs(torch.cat([x, by_narrow(skip, x.shape[2:])], 1))


def added(coarse, skip, up, convs):
    x = up(coarse)
    x += by_narrow(skip, x.shape[2:])
    return convs(x)


def uncropped(coarse, skip, up, convs):
    return convs(torch.cat([skip, up(coarse)], 1))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (swapped, "the skip comes first in the concatenation"),
        (added, "the maps are added"),
        (uncropped, "your code stopped in line 2 with RuntimeError: Sizes of tensors must match"),
        (lambda coarse, skip, up, convs: convs(up(coarse)), "the skip is not in the result"),
        (lambda coarse, skip, up, convs: up(coarse), "the result has shape"),
        (lambda coarse, skip, up, convs: convs(torch.cat([coarse, coarse], 1)), "has shape (2, 2, 2, 3)"),
    ],
)
def test_wrong_steps_get_their_hint_however_written(answer, words):
    assert words in unet.expand.check(answer).hint


# The weight of a gap


def test_solution_is_the_weight_map_of_the_package():
    ids = torch.zeros(1, 5, 12, dtype=torch.long)
    ids[..., :3], ids[..., 8:] = 1, 2  # the gap is columns 3 to 7
    columns = torch.arange(3.0, 8.0)
    weights = unet.border_weight.solution(columns - 2, 8 - columns, torch.full((5,), 0.5), 10.0, 5.0)
    assert torch.allclose(border_weights(ids, (0.5, 1.0))[0, 2, 3:8], weights)


def by_the_normal_density(d1, d2, w_c, w0, sigma):
    bell = torch.distributions.Normal(0.0, sigma)
    return w_c + w0 * (bell.log_prob(d1 + d2) - bell.log_prob(torch.zeros(()))).exp()


def test_right_weights_pass_however_written():
    assert unet.border_weight.check(by_the_normal_density).status == "right"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda d1, d2, c, w, s: c + w * torch.exp(-(d1**2 + d2**2) / 2 / s**2), "the gap that is squared"),
        (lambda d1, d2, c, w, s: c + w * torch.exp(-0.5 * (d1 + d2) ** 2 / s), "sigma is not squared"),
        (lambda d1, d2, c, w, s: c + w * torch.exp(-(((d1 + d2) / s) ** 2)), "the 2 is missing"),
        (lambda d1, d2, c, w, s: w * torch.exp(-(((d1 + d2) / s) ** 2) / 2), "w_c is forgotten"),
        (lambda d1, d2, c, w, s: c + torch.exp(-(((d1 + d2) / s) ** 2) / 2), "w0 is forgotten"),
        (lambda d1, d2, c, w, s: c + w * torch.exp(-(torch.minimum(d1, d2) ** 2) / 2 / s**2), "d2 is left out"),
        (lambda d1, d2, c, w, s: c + w * torch.exp((d1 + d2) ** 2 / -2 * s**2), "put the divisor in brackets"),
        (lambda d1, d2, c, w, s: w, "the function returns an object of type float"),
    ],
)
def test_wrong_weights_get_their_hint_however_written(answer, words):
    assert words in unet.border_weight.check(answer).hint
