"""All exercises of the course, each under a name that stays: ``fcn.bilinear_kernel`` in lesson 1."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from segedu.classroom.exercises import LESSONS

if TYPE_CHECKING:  # an exercise looks itself up here
    from segedu.classroom.exercises.exercise import Exercise


def of_lesson(number: int) -> dict[str, Exercise]:
    """The exercises of lesson ``number`` by their names, as the lesson's module lists them."""
    module = import_module(_module(number))
    return {f"{LESSONS[number]}.{name}": getattr(module, name) for name in module.__all__}


def name_of(exercise: Exercise) -> str | None:
    """The name of ``exercise``, ``None`` for one that belongs to no lesson."""
    loaded_first = sorted(LESSONS, key=lambda number: _module(number) not in sys.modules)  # its own is among these
    every = (named for number in loaded_first for named in of_lesson(number).items())
    return next((name for name, one in every if one is exercise), None)


def _module(number: int) -> str:
    return f"{__package__}.{LESSONS[number]}"
