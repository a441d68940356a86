"""Path counts against a convolution and against enumeration; plans against every shorter and every other tuple."""

import math
from itertools import combinations_with_replacement, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from segedu.receptive_field.coverage import gridding, plan

TRIPLES = list(product(range(1, 13), repeat=3))
some_rates = st.lists(st.integers(1, 12), min_size=1, max_size=4)
kernels = st.integers(2, 5)


def offsets(rates, kernel=3):
    """Where paths end along one axis, by trying every combination of taps."""
    reached = {0}
    for rate in rates:
        reached = {offset + tap * rate for offset in reached for tap in range(kernel)}
    return reached


def covers(rates, kernel=3):
    return len(offsets(rates, kernel)) == 1 + (kernel - 1) * sum(rates)


def hdc_of_the_paper(rates):
    """``M_2`` in the words of the paper: the three terms as printed, from the last layer down to the second."""
    bound = {len(rates): rates[-1]}
    for i in range(len(rates) - 1, 1, -1):
        above, rate = bound[i + 1], rates[i - 1]
        bound[i] = max(above - 2 * rate, above - 2 * (above - rate), rate)
    return bound[min(2, len(rates))]


@settings(deadline=None, max_examples=25)
@given(rates=some_rates, kernel=kernels)
def test_paths_are_the_gradient_of_a_stack_of_ones(rates, kernel):
    found = gridding(rates, kernel)
    image = torch.ones(1, 1, found.size, found.size, dtype=torch.float64, requires_grad=True)
    out = image
    for rate in rates:
        out = F.conv2d(out, torch.ones(1, 1, kernel, kernel, dtype=torch.float64), dilation=rate)
    assert out.shape == (1, 1, 1, 1)
    (paths,) = torch.autograd.grad(out.sum(), image)
    assert found.paths.dtype == np.int64
    assert np.array_equal(found.paths, paths[0, 0].long().numpy())
    assert found.coverage == pytest.approx(float((paths > 0).double().mean()))


@settings(deadline=None, max_examples=25)
@given(rates=some_rates, kernel=kernels)
def test_axis_paths_count_every_choice_of_taps(rates, kernel):
    counts = [0] * (1 + (kernel - 1) * sum(rates))
    for taps in product(range(kernel), repeat=len(rates)):
        counts[sum(tap * rate for tap, rate in zip(taps, rates, strict=True))] += 1
    found = gridding(rates, kernel)
    assert list(found.axis_paths) == counts
    assert found.size == len(counts)
    assert found.reached == len(offsets(rates, kernel))
    assert (found.rates, found.kernel) == (tuple(rates), kernel)


@pytest.mark.parametrize(
    ("rates", "coverage"),
    [
        ((2, 2, 2), 0.29),
        ((1, 2, 5), 1.0),
        ((1, 2, 3), 1.0),
        ((1, 2, 9), 0.71),
        ((2, 4, 8), 0.27),
        ((6, 12, 18), 0.03),
    ],
)
def test_measured_coverage(rates, coverage):
    assert gridding(rates).coverage == pytest.approx(coverage, abs=0.005)


@settings(deadline=None, max_examples=50)
@given(rates=some_rates, kernel=kernels)
def test_full_is_when_each_rate_is_within_the_field_of_the_smaller_ones(rates, kernel):
    ascending = sorted(rates)
    within = all(rate <= 1 + (kernel - 1) * sum(ascending[:index]) for index, rate in enumerate(ascending))
    assert (gridding(rates, kernel).coverage == 1) == within == covers(rates, kernel)


@settings(deadline=None, max_examples=25)
@given(rates=some_rates, kernel=kernels, order=st.randoms())
def test_paths_end_at_multiples_of_the_divisor_and_ignore_the_order(rates, kernel, order):
    found = gridding(rates, kernel)
    assert all(offset % found.gcd == 0 for offset in offsets(rates, kernel))
    assert found.gcd == math.gcd(*rates)
    shuffled = order.sample(rates, len(rates))
    assert gridding(shuffled, kernel).axis_paths == found.axis_paths


def test_counts_beyond_int64_are_exact_or_refused():
    within, beyond = gridding([1] * 20), gridding([1] * 24)
    assert within.paths.max() == max(within.axis_paths) ** 2
    assert sum(beyond.axis_paths) == 3**24
    assert beyond.coverage == 1
    with pytest.raises(ValueError, match=r"24 layers reach one pixel along \d+ paths, more than int64 holds"):
        _ = beyond.paths
    assert sum(gridding([1] * 60).axis_paths) == 3**60


@settings(deadline=None, max_examples=50)
@given(rates=st.lists(st.integers(1, 12), min_size=1, max_size=6), kernel=kernels)
def test_the_hdc_rule_is_the_one_printed(rates, kernel):
    found = gridding(rates, kernel)
    assert found.hdc_distance == hdc_of_the_paper(rates)
    assert found.hdc_passes == (hdc_of_the_paper(rates) <= kernel)


def test_what_the_hdc_rule_promises_for_triples():
    """Every number and every example that the docstring of `hdc_passes` gives."""
    full = {rates for rates in TRIPLES if covers(rates)}
    passes = {rates for rates in TRIPLES if gridding(rates).hdc_passes}
    coprime = {rates for rates in TRIPLES if gridding(rates).gcd == 1}
    assert full < coprime
    assert (len(TRIPLES), len(full), len(full & passes), len(passes & coprime - full)) == (1728, 85, 47, 151)
    assert (2, 2, 2) in passes - coprime
    assert {(2, 2, 3), (4, 1, 4)} < passes & coprime - full
    assert gridding((2, 2, 3)).axis_paths[-2] == 0
    assert (1, 3, 1) in full - passes
    ascending = {rates for rates in TRIPLES if list(rates) == sorted(rates) and rates[0] == 1}
    assert ascending & passes == ascending & full


def test_kernels_of_2_and_over_3_are_not_what_the_rule_is_exact_for():
    ascending = [rates for rates in TRIPLES if list(rates) == sorted(rates) and rates[0] == 1]
    for kernel, differs in ((2, "weak"), (4, "strict"), (5, "strict")):
        passes = {rates for rates in ascending if gridding(rates, kernel).hdc_passes}
        full = {rates for rates in ascending if covers(rates, kernel)}
        assert (full < passes) if differs == "weak" else (passes < full)


@settings(deadline=None, max_examples=50)
@given(rates=st.lists(st.integers(1, 40), max_size=5))
def test_ascending_from_1_the_rule_is_full_coverage(rates):
    found = gridding([1, *sorted(rates)])
    assert found.hdc_passes == (found.coverage == 1)


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
@pytest.mark.parametrize("largest_rate", [None, 1, 2, 3, 5])
def test_plan_is_the_best_of_all_tuples(kernel, largest_rate):
    """Fewest layers, then least overshoot, then the smallest largest rate, over every tuple that could compete."""
    for size in range(2, 16):
        found = plan(size, kernel, largest_rate=largest_rate)
        cap = largest_rate or size
        layers = next(n for n in range(1, size) if best(size, kernel, cap, n))
        assert len(found) == layers
        assert (1 + (kernel - 1) * sum(found), max(found)) == best(size, kernel, cap, layers)
        assert covers(found, kernel)


def best(size, kernel, cap, layers):
    """The smallest ``(field, largest rate)`` of so many layers that reach ``size`` without holes, or None."""
    competing = (rates for rates in combinations_with_replacement(range(1, cap + 1), layers) if covers(rates, kernel))
    fields = ((1 + (kernel - 1) * sum(rates), max(rates)) for rates in competing)
    return min((field for field in fields if field[0] >= size), default=None)


@settings(deadline=None, max_examples=50)
@given(size=st.integers(2, 3000), kernel=kernels, largest_rate=st.none() | st.integers(1, 60))
def test_a_plan_reaches_its_size_without_holes(size, kernel, largest_rate):
    rates = plan(size, kernel, largest_rate=largest_rate)
    found = gridding(rates, kernel)
    assert found.coverage == 1
    assert size <= found.size <= size + kernel - 2
    assert list(rates) == sorted(rates)
    assert largest_rate is None or max(rates) <= largest_rate
    if largest_rate is None:
        assert kernel ** (len(rates) - 1) < size <= kernel ** len(rates)
    assert kernel != 3 or found.hdc_passes


def test_powers_of_the_kernel_are_reached_exactly():
    assert plan(3**5) == (1, 3, 9, 27, 81)
    assert plan(5**3, 5) == (1, 5, 25)
    assert plan(2**4, 2) == (1, 2, 4, 8)
    assert plan(gridding((2, 2, 2)).size) == (1, 2, 3)
    assert plan(9, largest_rate=1) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: gridding(()), r"rates is \(\), expected a sequence of one whole number per layer"),
        (lambda: gridding(2), "rates is 2, expected a sequence"),
        (lambda: gridding("12"), r"rates\[0\] is '1', expected a whole number of at least 1"),
        (lambda: gridding((1, 0)), r"rates\[1\] is 0, expected a whole number of at least 1"),
        (lambda: gridding((1, 2.0)), r"rates\[1\] is 2.0, expected"),
        (lambda: gridding((True,)), r"rates\[0\] is True, expected"),
        (lambda: gridding((1, 2), 1), "kernel is 1, expected a whole number of at least 2"),
        (lambda: plan(1), "size is 1, expected a whole number of at least 2"),
        (lambda: plan(9.5), "size is 9.5, expected"),
        (lambda: plan(9, 1), "kernel is 1, expected"),
        (lambda: plan(9, largest_rate=0), "largest_rate is 0, expected a whole number of at least 1"),
    ],
)
def test_what_is_no_stack_is_refused(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_numpy_integers_are_whole_numbers():
    assert gridding(tuple(np.array([1, 2, 3]))).rates == (1, 2, 3)
    assert plan(np.int64(13)) == (1, 2, 3)
