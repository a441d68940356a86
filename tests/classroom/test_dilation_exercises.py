"""The exercises of lesson 04 as learners answer them: a hint follows what the code does, however it is written."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from segedu.classroom.exercises import dilation
from segedu.classroom.exercises.growth import VGG16
from segedu.receptive_field.coverage import plan

# How far layers see

layers = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))


@settings(deadline=None, max_examples=25)
@given(stack=st.lists(layers, max_size=3))
def test_formula_is_what_the_gradient_measures(stack):
    signal = torch.ones(1, 1, 300, dtype=torch.float64, requires_grad=True)
    values = signal
    for kernel, stride, rate in stack:
        weight = torch.ones(1, 1, kernel, dtype=torch.float64)
        values = nn.functional.conv1d(values, weight, stride=stride, dilation=rate)
    reads = [torch.autograd.grad(values[0, 0, place], signal, retain_graph=True)[0].nonzero() for place in (0, 1)]
    (first, last), (second, _) = ((int(read[0, -1]), int(read[-1, -1])) for read in reads)
    assert dilation.receptive_field.solution(stack) == (last - first + 1, second - first)


def test_vgg16_sees_what_the_papers_say():
    assert dilation.receptive_field.solution(VGG16) == (404, 32)


def backwards(layers):
    """The other formula, from the last layer to the first."""
    size, jump = 1, 1
    for kernel, stride, rate in reversed(layers):
        size = (size - 1) * stride + (kernel - 1) * rate + 1
        jump *= stride
    return size, jump


def by_the_spread_kernel(layers):
    steps = [kernel + (kernel - 1) * (rate - 1) - 1 for kernel, _, rate in layers]
    jumps = np.cumprod([1] + [stride for _, stride, _ in layers])
    return [1 + np.dot(steps, jumps[:-1]).astype(int), jumps[-1]]


def by_recursion(layers):
    if not layers:
        return torch.tensor([1, 1])
    kernel, stride, rate = layers.pop()
    size, jump = by_recursion(layers)
    return torch.stack([size + (kernel - 1) * rate * jump, jump * stride])


@pytest.mark.parametrize("answer", [backwards, by_the_spread_kernel, by_recursion])
def test_right_formulas_pass_however_written(answer):
    assert dilation.receptive_field.check(answer).status == "right"


def returns_inside_the_loop(layers):
    size, jump = 1, 1
    for kernel, stride, rate in layers:
        size += (kernel - 1) * rate * jump
        jump *= stride
        return size, jump
    return 1, 1


def jump_first(layers):
    size, jump = 1, 1
    for kernel, stride, rate in layers:
        jump *= stride
        size += (kernel - 1) * rate * jump
    return size, jump


def formula_of_the_notes(layers):
    """Claim D4 has no dilation in it."""
    size, jump = 1, 1
    for kernel, stride, _ in layers:
        size, jump = size + (kernel - 1) * jump, jump * stride
    return size, jump


def backwards_formula_forwards(layers):
    return backwards(layers[::-1])


def all_pairs(layers):
    return [dilation.receptive_field.solution(layers[: number + 1]) for number in range(len(layers))]


def not_for_an_empty_stack(layers):
    first, *others = layers
    return dilation.receptive_field.solution([first, *others])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (returns_inside_the_loop, "return must not stand inside the loop"),
        (jump_first, "before the size has used it"),
        (formula_of_the_notes, "dilation is left out"),
        (backwards_formula_forwards, "in reverse order"),
        (lambda layers: backwards(layers)[0], "(size, jump), and only those of the last layer; the function returns 3"),
        (all_pairs, "only those of the last layer; the function returns [(3, 1)]. Tried: all_pairs([(3, 1, 1)])."),
        (lambda layers: (3.0, 1.0), "return two whole numbers"),
        (lambda layers: (7, 4), "the size is 7; it should be 3. Tried: <lambda>([(3, 1, 1)])."),
        (not_for_an_empty_stack, "with ValueError: not enough values to unpack"),
    ],
)
def test_wrong_formulas_get_their_hint_however_written(answer, words):
    assert words in dilation.receptive_field.check(answer).hint


# Rates with full coverage


def cells_read(rates):
    """Which offsets a value reads along one axis, by walking every path."""
    return {
        sum(tap * rate for tap, rate in zip(taps, rates, strict=True))
        for taps in product((-1, 0, 1), repeat=len(rates))
    }


def test_rates_pass_exactly_where_they_cover_the_field_with_the_fewest_layers():
    for rates in product(range(1, 6), repeat=3):
        result = dilation.rates.check(lambda size, rates=rates: rates if size == 17 else plan(size))
        right = cells_read(rates) == set(range(-8, 9))
        assert (result.status == "right") == right, rates


@settings(deadline=None, max_examples=25)
@given(rates=st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_hint_names_the_first_hole(rates):
    read, reach = cells_read(rates), sum(rates)
    holes = [cell for cell in range(reach) if cell not in read]
    assume(holes)
    hint = dilation.rates.check(lambda size: rates).hint
    assert f"the first {holes[0]} cell" in hint
    assert f"{len(read)} of {2 * reach + 1} cells in a row" in hint


def greedy(size):
    rates, field = [], 1
    while field < size:
        rates.append(min(field, (size - field) // 2))
        field += 2 * rates[-1]
    return rates


def by_search(size):
    """Rates in falling order, as an array; the sizes that a search would take long for are left to the package."""
    if size > 41:
        return torch.tensor(plan(size))
    count = 1
    while True:
        for rates in product(range(size // 2, 0, -1), repeat=count):
            if 1 + 2 * sum(rates) == size and len(cells_read(rates)) == size:
                return np.array(rates)
        count += 1


@pytest.mark.parametrize("answer", [greedy, plan, by_search, lambda size: iter(greedy(size)[::-1])])
def test_right_rates_pass_however_found(answer):
    assert dilation.rates.check(answer).status == "right"


def at_17(*rates):
    return lambda size: rates if size == 17 else greedy(size)


def doubling(size):
    rates = []
    while 1 + 2 * sum(rates) < size:
        rates.append(min(2 ** len(rates), size // 2 - sum(rates)))
    return rates


def runaway(size):
    return [2**layer for layer in range(size)]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda size: [2, 2, 2], "29% of the square. All rates are multiples of 2, so steps of 2 are all"),
        (lambda size: [2, 2, 2], "The HDC rule lets these rates pass, with M2 = 2"),
        (at_17(2, 3, 3), "No rate is 1, so the cell next to the outermost is never read. (The HDC rule lets"),
        (at_17(1, 2, 9), "Rates below 9 read 7 cells side by side; rate 9 lays copies of them 9 cells apart"),
        (at_17(1, 1, 5), "the size of the field is 15; it should be 17. Tried: <lambda>(17)."),
        (at_17(1, 1, 1, 5), "the number of layers is 4; it should be 3. Tried: <lambda>(17)."),
        (lambda size: (1, 2, 5), "the size of the field is 17; it should be 3. Tried: <lambda>(3)."),
        (lambda size: [size // 2], "the field of [2] has holes, the first 1 cell from the centre: 3 of 5 cells in a"),
        (doubling, "when rates double"),
        (lambda size: [1] * (size // 2), "ordinary convolutions"),
        (lambda size: [*greedy(size), 0], "a rate is at least 1"),
        (lambda size: [size / 2], "return a list of whole numbers, one rate a layer; the function returns [1.5]."),
        (lambda size: size // 2, "the function returns 1."),
        (lambda size: [], "the size of the field is 1; it should be 3."),
        (lambda size: runaway(size) if size > 41 else greedy(size), "these 101 layers span"),
    ],
)
def test_wrong_rates_get_their_hint_however_written(answer, words):
    assert words in dilation.rates.check(answer).hint


def test_holes_that_hdc_sees_are_not_blamed_on_it():
    assert "HDC" not in dilation.rates.check(at_17(1, 2, 9)).hint


# A padding that keeps the size


def conv(channels, kernel, **setting):
    return nn.Conv2d(channels, channels, kernel, **setting)


def pad_first(channels, kernel, dilation):
    side = dilation * (kernel // 2)
    return nn.Sequential(nn.ZeroPad2d(side), conv(channels, kernel, dilation=dilation, bias=False), nn.ReLU())


def one_axis_after_the_other(channels, kernel, dilation):
    """A separable kernel: rows, then columns; one value reads the same cells."""
    return nn.Sequential(
        conv(channels, (kernel, 1), dilation=dilation, padding="same"),
        conv(channels, (1, kernel), dilation=dilation, padding="same"),
    )


@pytest.mark.parametrize(
    "answer",
    [
        lambda channels, kernel, dilation: conv(channels, kernel, dilation=dilation, padding="same"),
        lambda c, k, d: conv(c, k, dilation=(d, d), padding=((k - 1) * d // 2,) * 2),
        lambda c, k, d: conv(c, k, dilation=d, padding=k // 2 * d, padding_mode="reflect", dtype=torch.float32),
        lambda c, k, d: conv(c, k, dilation=d, padding=(k + (k - 1) * (d - 1)) // 2),
        pad_first,
        one_axis_after_the_other,
    ],
)
def test_right_paddings_pass_however_written(answer):
    assert dilation.same_size.check(answer).status == "right"


def same_size(channels: int, kernel: int, dilation: int) -> nn.Conv2d:
    """The code as the notebook gives it."""
    return nn.Conv2d(channels, channels, kernel, padding=1, dilation=dilation)


def test_given_code_is_recognised_by_what_it_does():
    assert dilation.same_size.check(same_size).status == "not done yet"
    assert dilation.same_size.check(lambda c, k, d: nn.Sequential(same_size(c, k, d))).status == "not done yet"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda c, k, d: conv(c, k, dilation=d, padding=d), "right for a 3x3 kernel alone"),
        (lambda c, k, d: conv(c, k, dilation=d, padding=(k // 2, k // 2)), "right for rate 1 alone"),
        (lambda c, k, d: conv(c, k, dilation=d), "there is no padding"),
        (lambda c, k, d: conv(c, k, padding="same"), "no longer dilated"),
        (lambda c, k, d: conv(c, k * d - d + 1, padding="same"), "reads the cells between the taps"),
        (lambda c, k, d: conv(c, k, dilation=d, padding=int(d * k / 2)), "counted too long"),
        (lambda c, k, d: conv(c, k, dilation=d, padding="same", groups=c), "reads one channel only"),
        (lambda c, k, d: nn.Sequential(nn.ZeroPad2d(d * (k - 1)), conv(c, k, dilation=d)), "of both sides together"),
        (lambda c, k, d: d * (k // 2), "return a layer, nn.Conv2d(...); the function returns an object of type int."),
        (lambda c, k, d: nn.Conv2d, "the function returns an object of type type."),
        (lambda c, k, d: nn.Conv2d(c, 1, k, dilation=d, padding="same"), "is [1, 41, 37]; it should be [2, 41, 37]."),
        (
            lambda c, k, d: conv(c, k, dilation=2, padding="same"),
            "is [-2, 0, 2]; it should be [-1, 0, 1]. Tried: <lambda>(2, 3, 1).",
        ),
        (lambda c, k, d: conv(c, k, dilation=(d, 1), padding="same"), "columns that one value reads, counted from its"),
        (lambda c, k, d: nn.Conv2d(k, c, k), "to have 3 channels, but got 2"),
    ],
)
def test_wrong_paddings_get_their_hint_however_written(answer, words):
    assert words in dilation.same_size.check(answer).hint
