"""Each checker of each lesson passes its solution and meets each foreseen mistake with that mistake's hint.

Here the mistakes are tried as the exercises hold them; the test file of a lesson's exercises writes them as learners
would.
"""

import pytest
import torch
from torch import nn

from segedu.classroom.exercises import bisenet, deeplab, dilation, fcn, losses, pixels, segnet, shootout, unet, unknowns
from segedu.classroom.exercises.exercise import Exercise, Hint, Mistake, one_tensor

LESSONS = (pixels, fcn, unet, segnet, dilation, deeplab, bisenet, losses, shootout, unknowns)
EXERCISES = {name: getattr(lesson, name) for lesson in LESSONS for name in lesson.__all__}
REPAIRS = {name: exercise for name, exercise in EXERCISES.items() if exercise.given}
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


@pytest.mark.parametrize("exercise", REPAIRS.values(), ids=REPAIRS.keys())
def test_given_code_is_not_done_yet(exercise):
    result = exercise.check(exercise.given)
    assert (result.status, result.hint) == ("not done yet", "")
    assert repr(result).startswith("not done yet: it still does what the given code does; repair it")


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
        (lambda factor: 4, "the function returns an object of type int; return a tensor."),
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


def test_a_hint_names_the_call_that_it_is_about():
    assert fcn.bilinear_kernel.check(stops).hint.endswith("'int' and 'str'. Tried: stops(2).")
    assert "Tried" not in fcn.linear_to_conv.check(lambda linear, kernel_size: linear).hint


def test_hints_of_observe_are_told_apart():
    def observe(returned):
        if returned < 0:
            raise Hint(f"{returned} is below 0.")
        return {"the number": torch.tensor(returned)}

    foreseen = Mistake(lambda value: 1 if value else -1, "no.")
    exercise = Exercise(lambda value: 2, (foreseen,), lambda: [(0,), (1,)], observe, "yes.")
    assert exercise.check(foreseen.answer).hint == "no."
    assert exercise.check(lambda value: 1 if value else -7).hint == "-7 is below 0. Tried: <lambda>(0)."


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


def test_what_should_be_refused_is_named():
    def refuses(value):
        if value == 1:
            raise ValueError("no rate for 1")
        return torch.tensor(value)

    exercise = Exercise(refuses, (), lambda: [(0,), (1,)], one_tensor, "yes.")
    assert exercise.check(lambda value: refuses(value)).status == "right"
    assert exercise.check(torch.tensor).hint.startswith("this should be refused with ValueError; your code returns a")

    def looks_up(value):
        return torch.tensor({0: 0}[value])

    assert "with KeyError: 1; here it should stop with ValueError. Tried" in exercise.check(looks_up).hint


def test_a_broken_exercise_says_so():
    def fails(value):
        raise Hint("no")

    exercise = Exercise(fails, (), lambda: [(torch.ones(1),)], one_tensor, "yes.")
    with pytest.raises(TypeError, match="the solution of this exercise failed"):
        exercise.check(lambda value: value)
