"""``progress``: which exercises of which lesson are done, tried, or not begun."""

import argparse
from collections.abc import Iterator

from segedu.classroom import progress
from segedu.classroom.exercises import LESSONS
from segedu.classroom.exercises.catalogue import of_lesson
from segedu.classroom.progress import History


def run(chosen: argparse.Namespace) -> int:
    """Print every exercise of every lesson, or begin anew where ``--reset --yes`` asks for it."""
    if chosen.reset:
        print(_reset(confirmed=chosen.yes))
    else:
        print("\n".join(_report(progress.history())))
    return 0


def _reset(*, confirmed: bool) -> str:
    if not confirmed:
        tries = _counted(len(progress.history().tries))
        raise ValueError(f"--reset sets aside the {tries} kept in {progress.path()}; add --yes to do so")
    old = progress.forget()
    return "nothing was kept yet" if old is None else f"begun anew; what was kept until now is in {old}"


def _report(history: History) -> Iterator[str]:
    done = 0
    for number, lesson in LESSONS.items():
        names = [*of_lesson(number)]
        solved = sum(any(one.right for one in history.of(name)) for name in names)
        done += solved
        yield f"{number:02} {lesson}, {solved} of {len(names)} done"
        yield from (f"   {_state(name, history)}" for name in names)
    yield f"{done} done; kept in {progress.path()}"
    if not progress.keeps():
        yield f"new tries are not kept, as this file cannot be written; set {progress.FILE} to a file of your own"
    if history.unreadable:
        yield f"lines of it that cannot be read and are passed over: {history.unreadable}; they stay where they are"


def _state(name: str, history: History) -> str:
    """``done   bilinear_kernel   at try 3, on 22 November 2026``."""
    tries = history.of(name)
    right = next((number for number, one in enumerate(tries, 1) if one.right), None)
    word = name.split(".")[1]
    if not tries:
        return f"not begun  {word}"
    if right is None:
        return f"tried      {word:<22}{_counted(len(tries))}, the last on {tries[-1].day}"
    return f"done       {word:<22}at try {right}, on {tries[right - 1].day}"


def _counted(tries: int) -> str:
    return "1 try" if tries == 1 else f"{tries} tries"
