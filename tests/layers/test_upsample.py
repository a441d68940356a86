"""The identities of bilinear upsampling, and shift-and-stitch against dilation."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from segedu.layers.grid import Grid
from segedu.layers.upsample import BilinearUpsample, LearnedUpsample, bilinear_kernel, shift_and_stitch

factors = st.sampled_from([2, 4, 8, 16, 32])
sides = st.integers(1, 9)


def half_pixel(factor: int) -> Grid:
    """A map whose cells sit in the middle of their ``factor`` pixels, as after VGG's 2x2 poolings."""
    return Grid(factor, (factor - 1) / 2)


IMAGE = Grid()


def both(channels: int, coarse: Grid, fine: Grid = IMAGE, border: str = "replicate") -> list[nn.Module]:
    return [BilinearUpsample(coarse, fine, border), LearnedUpsample(channels, coarse, fine, border)]


@given(factors, sides, sides, st.integers(0, 3), st.integers(0, 3))
def test_equals_interpolate_on_a_half_pixel_grid(factor, height, width, less_rows, less_columns):
    x = torch.randn(2, 3, height, width)
    size = (max(1, height * factor - less_rows), max(1, width * factor - less_columns))
    expected = F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    for upsample in both(3, half_pixel(factor)):
        torch.testing.assert_close(upsample(x, size), expected[..., : size[0], : size[1]], rtol=0, atol=2e-6)


@given(factors, st.integers(2, 8), st.integers(2, 8))
def test_equals_align_corners_when_centres_meet_pixels(factor, height, width):
    """FCN-AlexNet's filter, k = 2f - 1: cell i on pixel f * i."""
    x = torch.randn(1, 2, height, width)
    size = ((height - 1) * factor + 1, (width - 1) * factor + 1)
    expected = F.interpolate(x, size=size, mode="bilinear", align_corners=True)
    for upsample in both(2, Grid(factor, 0.0)):
        torch.testing.assert_close(upsample(x, size), expected, rtol=0, atol=5e-6)


@given(factors, sides, sides)
def test_zero_border_is_the_transposed_convolution(factor, height, width):
    """Padding f / 2 and the bilinear filter, dense over channels as in Caffe: equal everywhere, border included."""
    x = torch.randn(1, 2, height, width)
    kernel = bilinear_kernel(factor)
    dense = torch.zeros(2, 2, 2 * factor, 2 * factor)
    dense[range(2), range(2)] = kernel
    expected = F.conv_transpose2d(x, dense, stride=factor, padding=factor // 2)
    for upsample in both(2, half_pixel(factor), border="zeros"):
        torch.testing.assert_close(upsample(x, expected.shape[-2:]), expected, rtol=0, atol=2e-6)


@given(
    st.sampled_from([1, 2, 4, 8]),
    st.integers(-20, 40),
    st.integers(1, 7),
    st.integers(1, 60),
    st.sampled_from(["replicate", "zeros"]),
)
def test_any_offset_both_ways_agree_with_the_definition(factor, half_offset, cells, pixels, border):
    """By the definition, one pixel at a time in float64, for any whole or half offset between the grids."""
    offset = half_offset / 2
    x = torch.randn(1, 2, cells, cells)
    expected = torch.zeros(2, pixels, dtype=torch.float64)
    row = x[0, :, 0].double()
    for pixel in range(pixels):
        position = (pixel - offset) / factor
        if border == "replicate":
            position = min(max(position, 0), cells - 1)
        for cell in range(cells):
            expected[:, pixel] += max(0.0, 1 - abs(position - cell)) * row[:, cell]
    along = BilinearUpsample(Grid(factor, offset), IMAGE, border)._weights(cells, pixels, x)
    torch.testing.assert_close((row.double() @ along.double().mT), expected, rtol=0, atol=1e-6)
    fixed, learnt = (upsample(x, (pixels, pixels)) for upsample in both(2, Grid(factor, offset), border=border))
    torch.testing.assert_close(fixed, along @ x @ along.mT, rtol=0, atol=2e-6)
    torch.testing.assert_close(learnt, fixed, rtol=0, atol=5e-6)


@given(st.sampled_from([2, 4, 8]), st.booleans(), sides, sides)
def test_learnt_filters_are_those_of_a_transposed_convolution(factor, on_pixel, height, width):
    """With any weights: PyTorch's own transposed convolution, its frame of half a cell cropped."""
    upsample = LearnedUpsample(3, Grid(factor, 0.0 if on_pixel else (factor - 1) / 2), IMAGE, border="zeros")
    nn.init.normal_(upsample.weight)
    x = torch.randn(2, 3, height, width)
    expected = F.conv_transpose2d(x, upsample.weight, stride=factor, groups=3)
    crop = factor - 1 if on_pixel else factor // 2
    size = (height * factor, width * factor)
    expected = F.pad(expected, (0, size[1], 0, size[0]))[..., crop : crop + size[0], crop : crop + size[1]]
    torch.testing.assert_close(upsample(x, size), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("factor", [2, 3, 8, 32])
@pytest.mark.parametrize("odd", [0, 1])
def test_taps_that_meet_sum_to_one(factor, odd):
    kernel = bilinear_kernel(factor, 2 * factor - odd)
    size = kernel.shape[0]
    padded = F.pad(kernel, (0, 2 * factor - size, 0, 2 * factor - size))
    phases = padded.reshape(2, factor, 2, factor).sum((0, 2))
    torch.testing.assert_close(phases, torch.ones(factor, factor))


def test_scoring_commutes_with_interpolation():
    """A 1x1 convolution with bias before upsampling gives the scores of one after it."""
    score, x = nn.Conv2d(7, 4, 1), torch.randn(2, 7, 5, 6)
    upsample = BilinearUpsample(half_pixel(8), Grid())
    torch.testing.assert_close(upsample(score(x), (40, 48)), score(upsample(x, (40, 48))), rtol=0, atol=2e-6)


def test_gradients():
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    for upsample in both(2, Grid(2, 0.5)):
        assert torch.autograd.gradcheck(upsample.double(), (x, (6, 7)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_keeps_dtype_and_layout_does_not_matter(dtype):
    x = torch.randn(2, 3, 4, 5).to(dtype)
    upsample = BilinearUpsample(half_pixel(4), Grid())
    plain = upsample(x, (16, 20))
    assert plain.dtype == dtype
    torch.testing.assert_close(upsample(x.to(memory_format=torch.channels_last), (16, 20)), plain)
    torch.testing.assert_close(upsample(x.transpose(2, 3).contiguous().transpose(2, 3), (16, 20)), plain)


def test_fixed_upsampling_has_no_parameter_and_learnt_starts_equal():
    fixed, learnt = both(3, Grid(8, 7.0), Grid(2, 1.0))
    assert not list(fixed.parameters())
    x = torch.randn(2, 3, 6, 5)
    torch.testing.assert_close(fixed(x, (24, 20)), learnt(x, (24, 20)), rtol=0, atol=2e-6)
    learnt(x, (24, 20)).square().sum().backward()
    assert learnt.weight.grad.abs().min() > 0


def strided_and_dilated() -> tuple[nn.Module, nn.Module]:
    """A stride-4 network, and the same weights with its strides replaced by dilation."""
    first, second, third = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 3)
    dense_second, dense_third = nn.Conv2d(4, 4, 3, dilation=2), nn.Conv2d(4, 2, 3, dilation=4)
    dense_second.load_state_dict(second.state_dict())
    dense_third.load_state_dict(third.state_dict())
    strided = nn.Sequential(first, nn.MaxPool2d(2), nn.ReLU(), second, nn.MaxPool2d(2), third)
    dilated = nn.Sequential(
        first, nn.MaxPool2d(2, 1), nn.ReLU(), dense_second, nn.MaxPool2d(2, 1, dilation=2), dense_third
    )
    return strided, dilated


def test_shift_and_stitch_equals_the_dilated_network():
    strided, dilated = strided_and_dilated()
    images = torch.randn(2, 3, 42, 50)
    with torch.no_grad():
        stitched, dense = shift_and_stitch(strided, images, 4), dilated(images)
    rows, columns = (min(a, b) for a, b in zip(stitched.shape[-2:], dense.shape[-2:], strict=True))
    assert rows >= 16
    assert columns >= 24
    torch.testing.assert_close(stitched[..., :rows, :columns], dense[..., :rows, :columns], rtol=0, atol=1e-6)
    torch.testing.assert_close(stitched[..., ::4, ::4], strided(images), rtol=0, atol=0)


def test_errors_name_what_came():
    with pytest.raises(ValueError, match="size is 5"):
        bilinear_kernel(4, 5)
    with pytest.raises(ValueError, match="'mirror'"):
        BilinearUpsample(Grid(2, 0.5), Grid(), border="mirror")
    with pytest.raises(ValueError, match="stride is 0"):
        shift_and_stitch(nn.Identity(), torch.zeros(1, 1, 4, 4), 0)
