"""Each checker passes every right answer and meets each wrong one with its own hint.

The mistakes of an exercise are tried as they stand, and again as a learner would write them: a hint has to follow what
the code does, however it is written.
"""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from segedu.classroom.exercises import fcn
from segedu.classroom.exercises.exercise import Exercise, Hint, Mistake, one_tensor

EXERCISES = {name: getattr(fcn, name) for name in fcn.__all__}
MUTANTS = [(name, number) for name, exercise in EXERCISES.items() for number in range(len(exercise.mistakes))]
each = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES.keys())


@each
def test_solution_passes(exercise):
    result = exercise.check(exercise.solution)
    assert (result.status, result.hint) == ("right", "")
    assert exercise.learnt in result.text


@pytest.mark.parametrize(("name", "number"), MUTANTS)
def test_checker_refuses(name, number):
    mistake = EXERCISES[name].mistakes[number]
    result = EXERCISES[name].check(mistake.answer)
    assert (result.status, result.hint) == ("not right yet", mistake.hint)


@each
def test_hints_are_different_and_plain(exercise):
    hints = [mistake.hint for mistake in exercise.mistakes]
    assert len(set(hints)) >= 7
    assert not any("!" in text or "simply" in text or "just" in text for text in [*hints, exercise.learnt])
    assert all(text.endswith((".", ")")) for text in [*hints, exercise.learnt])


def stub(linear, kernel_size):
    """What the notebook holds."""
    ...  # noqa: PIE790


def bare_stub(factor): ...


@pytest.mark.parametrize("answer", [stub, bare_stub, lambda factor: None], ids=["stub", "bare", "lambda"])
@each
def test_untouched_stub_is_not_done_yet(exercise, answer):
    result = exercise.check(answer)
    assert result.status == "not done yet"
    assert not result.hint
    assert repr(result).startswith("not done yet: write the body of ")


def stops(factor):
    whole = int(factor)

    return whole + "1"


def forgets_to_return(factor):
    torch.ones(factor)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (torch.ones(4, 4), "hand over the function itself, without calling it; this is of type Tensor."),
        (stops, "your code stopped in line 4 with TypeError: unsupported operand type(s) for +: 'int' and 'str'"),
        (forgets_to_return, "the function returns nothing; end it with return and the result."),
        (lambda factor: [[factor]], "the function returns an object of type list; return a tensor."),
        (lambda factor: torch.ones(factor, 2), "the result has shape (2, 2); it should be (4, 4)."),
        (
            lambda factor: torch.rand(2 * factor, 2 * factor) + 9,
            "the result has the right shape (4, 4), but other numbers ",
        ),
        (lambda: torch.ones(1), "your code stopped with TypeError: "),
        (nn.Linear(2, 2), "your code stopped with TypeError: "),
    ],
)
def test_unforeseen_answers_get_a_plain_hint(answer, hint):
    assert fcn.bilinear_kernel.check(answer).hint.startswith(hint)


def test_interrupt_passes_through():
    def impatient(factor):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fcn.bilinear_kernel.check(impatient)


def test_a_trial_does_not_see_what_another_did_to_its_inputs():
    def destructive(conv7, pool4, score_conv7, score_pool4, size):
        answer = fcn.fcn16s.solution(conv7, pool4, score_conv7, score_pool4, size)
        conv7.zero_()
        for parameter in score_pool4.parameters():
            parameter.data.zero_()
        return answer

    assert fcn.fcn16s.check(destructive).status == "right"


def test_checking_keeps_the_learner_s_random_numbers_apart():
    first = [fcn.linear_to_conv.check(fcn.linear_to_conv.solution).status for _ in range(2)]
    torch.manual_seed(7)
    assert [*first, fcn.linear_to_conv.check(fcn.linear_to_conv.solution).status] == ["right"] * 3


def test_mistakes_are_not_matched_on_errors_alone():
    def both_fail(value):
        raise RuntimeError("mine")

    exercise = Exercise(
        lambda value: value, (Mistake(both_fail, "no."),), lambda: [(torch.ones(1),)], one_tensor, "yes."
    )

    def another(value):
        raise RuntimeError("another")

    assert exercise.check(another).hint == "your code stopped in line 2 with RuntimeError: another"


def test_a_broken_exercise_says_so():
    def fails(value):
        raise Hint("no")

    exercise = Exercise(fails, (), lambda: [(torch.ones(1),)], one_tensor, "yes.")
    with pytest.raises(TypeError, match="the solution of this exercise failed"):
        exercise.check(lambda value: value)


# The same answers and mistakes as learners write them


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


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (fcn.linear_to_conv, by_reshape),
        (fcn.linear_to_conv, by_hand),
        (fcn.bilinear_kernel, kernel_by_numpy_habit),
        (fcn.bilinear_kernel, lambda factor: kernel_by_numpy_habit(factor).double()),
        (fcn.fcn16s, fcn16s_by_commuting),
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


def by_factors(coarse, fine, size):
    return up(up(coarse, [2 * side for side in coarse.shape[2:]]) + fine, [16 * side for side in fine.shape[2:]])


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
    "factors": (fcn.fcn16s, wrong_fcn16s(by_factors), "sides that are no multiples of 32"),
}


@pytest.mark.parametrize(("exercise", "answer", "words"), WRITTEN.values(), ids=WRITTEN.keys())
def test_wrong_answers_get_their_hint_however_written(exercise, answer, words):
    assert words in exercise.check(answer).hint


@given(scale=st.floats(0.3, 3).filter(lambda scale: abs(scale - 1) > 0.01), shift=st.integers(-2, 2))
def test_no_other_kernel_passes(scale, shift):
    result = fcn.bilinear_kernel.check(lambda factor: kernel_by_numpy_habit(factor).roll(shift, 0) * scale)
    assert result.hint
