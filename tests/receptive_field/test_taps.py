"""Valid taps against PyTorch: convolutions of ones count them, and the weights' gradients say where each is used."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from segedu.receptive_field import valid_taps

layers = {
    "size": st.tuples(*2 * (st.integers(1, 24),)),
    "rate": st.integers(1, 26),
    "kernel": st.sampled_from([1, 3, 5]),
}


def convolved(size, rate, kernel):
    """A map of ones, weights of ones, and what the layer makes of them."""
    weights = torch.ones(1, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
    image = torch.ones(1, 1, *size, dtype=torch.float64)
    return F.conv2d(image, weights, padding=rate * (kernel // 2), dilation=rate)[0, 0], weights


def used(outcome, weights):
    """How often each weight met a one, ``(kernel, kernel)``."""
    return torch.autograd.grad(outcome, weights)[0][0, 0].numpy()


@settings(deadline=None, max_examples=40)
@given(**layers)
def test_counts_and_usage_are_those_of_a_convolution_of_ones(size, rate, kernel):
    taps, (outcome, weights) = valid_taps(size, rate, kernel), convolved(size, rate, kernel)
    assert np.array_equal(taps.counts, outcome.detach().numpy())
    assert taps.mean == pytest.approx(float(outcome.detach().mean()))
    assert taps.usage == pytest.approx(used(outcome.sum(), weights) / math.prod(size))
    assert taps.is_pointwise == bool((outcome == 1).all())
    numbers, cells = np.unique(taps.counts, return_counts=True)
    assert [*taps.shares] == [*numbers[::-1]]
    assert [*taps.shares.values()] == [*(cells[::-1] / math.prod(size))]


@settings(deadline=None, max_examples=20)
@given(**layers, data=st.data())
def test_the_block_of_a_cell_holds_the_weights_that_it_uses(size, rate, kernel, data):
    row, col = (data.draw(st.integers(0, side - 1)) for side in size)
    outcome, weights = convolved(size, rate, kernel)
    block = np.zeros((kernel, kernel))
    block[valid_taps(size, rate, kernel).block(row, col)] = 1
    assert np.array_equal(block, used(outcome[row, col], weights))


@pytest.mark.parametrize(
    ("size", "rate", "mean"),
    [(65, 6, 7.9), (65, 12, 6.9), (65, 18, 6.0), (65, 36, 3.6), (33, 6, 6.95), (33, 12, 5.17), (33, 18, 3.64)],
)
def test_what_is_left_of_the_rates_of_deeplab(size, rate, mean):
    taps = valid_taps(size, rate)
    assert taps.mean == pytest.approx(mean, abs=0.05 if size == 65 else 0.005)
    assert taps.mean == pytest.approx((1 + 2 * (1 - rate / size)) ** 2)
    assert (9 in taps.shares) == (2 * rate < size)


@settings(deadline=None, max_examples=15)
@given(size=st.integers(2, 40), rate=st.integers(1, 45), times=st.integers(2, 4))
def test_only_the_rate_over_the_size_counts(size, rate, times):
    """So the rates double at output stride 8, where the map is twice as large."""
    one, other = valid_taps(size, rate), valid_taps(times * size, times * rate)
    assert np.allclose(one.usage, other.usage)
    assert one.shares == pytest.approx(other.shares)
    assert set(one.shares) <= ({9, 6, 4} if 2 * rate <= size else {4, 2, 1})


def test_half_the_map_leaves_four_taps_everywhere_and_all_of_it_the_centre():
    assert valid_taps(64, 32).shares == {4: 1.0}
    assert valid_taps(33, 33).shares == {1: 1.0}
    assert valid_taps(33, 33).is_pointwise
    tall = valid_taps((40, 20), 20)  # across it is past the map, down it is not: a 3x1
    assert not tall.is_pointwise
    assert tall.usage[:, 0].tolist() == [0, 0, 0]
    assert tall.usage[:, 1].tolist() == [0.5, 1, 0.5]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((0, 1), "size holds 0, expected a whole number"),
        (((4, 2.5), 1), "size holds 2.5"),
        ((4, 0), "rate holds 0"),
        ((4, True), "rate holds True"),
        ((4, 1, 2), "kernel is 2, expected an odd number"),
    ],
)
def test_what_is_no_layer_is_refused(given, says):
    with pytest.raises(ValueError, match=says):
        valid_taps(*given)
