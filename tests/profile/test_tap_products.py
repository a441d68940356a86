"""Matrix products for the taps against the convolution itself."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segedu.profile.tap_products import CHANNELS, RATE, TapProducts, multiply_taps

side = st.integers(1, 9)


@given(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), side, side, st.booleans())
@settings(deadline=None, max_examples=30)
def test_equal_the_convolution(images, inputs, outputs, rate, height, width, bias):
    conv = nn.Conv2d(inputs, outputs, 3, padding=rate, dilation=rate, bias=bias)
    x = torch.randn(images, inputs, height, width)
    with torch.no_grad():
        torch.testing.assert_close(TapProducts(conv)(x), conv(x), rtol=1e-5, atol=1e-5)


def test_half_precision_is_added_up_in_float32():
    conv = nn.Conv2d(512, 3, 3, padding=2, dilation=2, bias=False).bfloat16()
    x = torch.rand(1, 512, 5, 5).bfloat16()
    with torch.no_grad():
        nn.init.ones_(conv.weight)
        found, exact = TapProducts(conv)(x), conv.double()(x.double())
    assert found.dtype == torch.bfloat16
    # Each of nine products is rounded once, and their sum once.
    torch.testing.assert_close(found.double(), exact, rtol=2**-8, atol=0)


WIDE = {"padding": RATE, "dilation": RATE}


@pytest.mark.parametrize(
    ("conv", "count"),
    [
        (nn.Conv2d(CHANNELS, 1, 3, **WIDE), 1),
        (nn.Conv2d(CHANNELS - 1, 1, 3, **WIDE), 0),
        (nn.Conv2d(CHANNELS, 1, 3, padding=RATE - 1, dilation=RATE - 1), 0),
        (nn.Conv2d(CHANNELS, 1, 3, padding=1, dilation=RATE), 0),
        (nn.Conv2d(CHANNELS, 2, 3, groups=2, **WIDE), 0),
        (nn.Conv2d(CHANNELS, 1, 3, stride=2, **WIDE), 0),
        (nn.Conv2d(CHANNELS, 1, 5, padding=2 * RATE, dilation=RATE), 0),
        (nn.Conv2d(CHANNELS, 1, 3, padding_mode="circular", **WIDE), 0),
    ],
)
def test_only_wide_convolutions_are_replaced(conv, count):
    model = nn.Sequential(nn.Sequential(conv), nn.ReLU())
    x = torch.randn(1, CHANNELS if conv.in_channels == CHANNELS else CHANNELS - 1, 16, 16)
    with torch.no_grad():
        expected = model(x)
        assert multiply_taps(model) == count
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-4)
