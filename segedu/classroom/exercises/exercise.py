"""What an exercise is: a right answer, the usual wrong ones with a hint for each, and inputs on which they differ.

A checker runs the learner's function beside the solution. Where they differ it looks for the usual mistake that gives
the learner's very numbers and explains that one; so a hint follows what the code does, however it is written.
"""

import dis
import reprlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from textwrap import fill
from traceback import extract_tb
from typing import Any

import torch
from torch import Tensor

from segedu.classroom import progress
from segedu.classroom.exercises import catalogue

Answer = Callable[..., Any]
Observed = dict[str, Tensor]
Trial = Observed | Exception
Trials = list[Trial]

IDLE = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}  # all that a function with an empty body does
CONSTANT = {"LOAD_CONST", "RETURN_CONST"}
PLAIN = (int, str, list, tuple)  # arguments that read well in a hint


class Hint(Exception):  # noqa: N818 - it is one, more than an error
    """What ``observe`` raises for a returned object that cannot be looked at; its text is the hint."""


@dataclass(frozen=True)
class Mistake:
    """A plausible wrong ``answer`` and the ``hint`` that explains it."""

    answer: Answer
    hint: str


@dataclass(frozen=True)
class Result:
    """What a check found: ``status`` is "not done yet", "not right yet" or "right", and ``text`` explains it."""

    status: str
    text: str

    @property
    def hint(self) -> str:
        """What is wrong, empty when nothing is."""
        return self.text if self.status == "not right yet" else ""

    def __repr__(self) -> str:
        return fill(f"{self.status}: {self.text}", 100, break_on_hyphens=False)


@dataclass(frozen=True)
class Exercise:
    """A function for the learner to write.

    ``probes`` makes the arguments of every trial, the same each time but fresh, so that no trial sees what another did
    to them. ``observe`` turns a returned object into named tensors to compare, or raises :class:`Hint`; where many
    answers are right, it keeps of each only what has to be so. ``learnt`` is the sentence that a right answer earns.
    ``given`` is the faulty code that the notebook holds, where the learner is to repair some.
    """

    solution: Answer
    mistakes: tuple[Mistake, ...]
    probes: Callable[[], Iterable[tuple[Any, ...]]]
    observe: Callable[[Any], Observed]
    learnt: str
    given: Answer | None = None

    def check(self, candidate: Answer) -> Result:
        """Try ``candidate`` and say what was found; an exception in the learner's code becomes a hint.

        An answer, right or wrong, is noted in the learner's own file (:mod:`segedu.classroom.progress`).
        """
        result = self._found(candidate)
        if result.status != "not done yet" and (name := catalogue.name_of(self)):
            progress.note(name, right=result.status == "right")
        return result

    def _found(self, candidate: Answer) -> Result:
        if not callable(candidate):
            return _wrong(
                f"hand over the function itself, without calling it; this is of type {type(candidate).__name__}."
            )
        if _untouched(candidate):
            return Result("not done yet", f"write the body of {candidate.__name__}, then run this cell again.")
        found, wanted = self._trials(candidate), self._trials(self.solution)
        if _agree(found, wanted):
            return Result("right", self.learnt)
        if self.given and _agree(found, self._trials(self.given)):
            return Result(
                "not done yet", "it still does what the given code does; repair it, then run this cell again."
            )
        if any(isinstance(trial, dict) for trial in found):
            for mistake in self.mistakes:
                if _agree(found, self._trials(mistake.answer)):
                    return _wrong(mistake.hint)
        return _wrong(self._first_difference(candidate, found, wanted))

    def _trials(self, answer: Answer) -> Trials:
        """What ``answer`` gives for each probe: tensors, or the exception that it ended in."""
        trials: Trials = []
        for arguments in self.probes():
            try:
                returned = answer(*arguments)
                if returned is None:
                    raise Hint("the function returns nothing; end it with return and the result.")
                trials.append(self.observe(returned))
            except Exception as error:
                trials.append(error)
        return trials

    def _first_difference(self, candidate: Answer, found: Trials, wanted: Trials) -> str:
        """A hint for a mistake that nobody foresaw: where the answer first leaves the solution."""
        trials = zip(found, wanted, self.probes(), strict=True)
        mine, right, arguments = next(trial for trial in trials if not _same(trial[0], trial[1]))
        return _with_call(_difference(candidate, mine, right), candidate, arguments)


def one_tensor(returned: Any) -> Observed:
    """Observe an answer that is a tensor."""
    if not isinstance(returned, Tensor):
        raise Hint(f"the function returns an object of type {type(returned).__name__}; return a tensor.")
    return {"the result": returned.detach()}


def one_number(returned: Any) -> Observed:
    """Observe an answer that is one number: a tensor with a single entry, or one of Python's or numpy's."""
    try:
        value = torch.as_tensor(returned).detach().double()
    except (TypeError, ValueError, RuntimeError):
        raise Hint(f"return one number; the function returns {reprlib.repr(returned)}.") from None
    if value.numel() != 1:
        raise Hint(f"return one number for the whole batch; the function returns {tuple(value.shape)} of them.")
    if value.isnan():
        raise Hint("the result is not a number (NaN): somewhere 0 is divided by 0, or a logarithm taken of less.")
    return {"the result": value.reshape(())}


def _wrong(text: str) -> Result:
    return Result("not right yet", text)


def _untouched(candidate: Answer) -> bool:
    """Whether the body is still the stub's ``...``: no instruction but to return None."""
    code = getattr(candidate, "__code__", None)
    return code is not None and all(
        step.opname in IDLE and (step.opname not in CONSTANT or step.argval is None)
        for step in dis.get_instructions(code)
    )


def _agree(found: Trials, wanted: Trials) -> bool:
    return all(map(_same, found, wanted))


def _same(found: Trial, wanted: Trial) -> bool:
    if isinstance(found, Hint) and isinstance(wanted, Hint):
        return str(found) == str(wanted)
    if isinstance(found, Exception) or isinstance(wanted, Exception):
        return type(found) is type(wanted)
    return found.keys() == wanted.keys() and all(_close(found[name], wanted[name]) for name in wanted)


def _close(found: Tensor, wanted: Tensor) -> bool:
    return found.shape == wanted.shape and torch.allclose(found.double(), wanted.double(), rtol=1e-4, atol=1e-5)


def _difference(candidate: Answer, mine: Trial, right: Trial) -> str:
    """In what one trial leaves the solution's."""
    if isinstance(mine, Hint):
        return str(mine)
    refused = type(right).__name__ if isinstance(right, Exception) and not isinstance(right, Hint) else ""
    if isinstance(mine, Exception):
        wanted = f"; here it should stop with {refused}" if refused else ""
        return f"your code stopped{_line(candidate, mine)} with {type(mine).__name__}: {mine}{wanted}"
    if refused:
        return f"this should be refused with {refused}; your code returns a result."
    if isinstance(right, Exception):
        raise TypeError(f"the solution of this exercise failed on a probe: {right}") from right
    for name, values in right.items():
        if name not in mine:
            return f"{name} is missing."
        if not _close(mine[name], values):
            return _unequal(name, mine[name], values)
    return f"there should be no {', '.join(mine.keys() - right.keys())} here."


def _unequal(name: str, mine: Tensor, right: Tensor) -> str:
    """Whole numbers in full, as long as they are a list; of other tensors the shape."""
    if right.dim() < 2 and not right.is_floating_point():
        return f"{name} is {mine.tolist()}; it should be {right.tolist()}."
    if mine.shape != right.shape:
        return f"{name} has shape {tuple(mine.shape)}; it should be {tuple(right.shape)}."
    if not right.dim():
        return f"{name} is {float(mine):.4g}; it should be {float(right):.4g}."
    return f"{name} has the right shape {tuple(right.shape)}, but other numbers than it should."


def _with_call(text: str, candidate: Answer, arguments: tuple[Any, ...]) -> str:
    """``text``, and the call that it is about where its arguments are short enough to read."""
    if not all(isinstance(argument, PLAIN) for argument in arguments):
        return text
    name = getattr(candidate, "__name__", type(candidate).__name__)
    stop = "" if text.endswith((".", ".)")) else "."
    return f"{text}{stop} Tried: {name}({', '.join(map(reprlib.repr, arguments))})."


def _line(candidate: Answer, error: Exception) -> str:
    """`` in line 3`` of the learner's function, where the exception passed through it."""
    code = getattr(candidate, "__code__", None)
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if code and frame.name == code.co_name]
    return f" in line {lines[-1] - code.co_firstlineno + 1}" if code and lines and lines[-1] else ""
