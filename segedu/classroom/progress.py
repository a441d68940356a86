"""Which exercises a learner has tried and solved, kept in one file that belongs to the learner.

A try is a line at the end of the file, added in one write. So lessons that run side by side lose nothing of each other,
a crash can at most cut its own line short, and no line is ever changed. A line that cannot be read is passed over.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

FILE = "SEGEDU_PROGRESS"  # the environment variable that names another file


@dataclass(frozen=True)
class Try:
    """One answer that was checked: to which exercise, whether it was right, and when."""

    exercise: str
    right: bool
    when: datetime

    @property
    def day(self) -> str:
        """The day by the learner's own clock: ``22 November 2026``."""
        local = self.when.astimezone()
        return f"{local.day} {local:%B %Y}"


@dataclass(frozen=True)
class History:
    """All tries in the order they were made, and how many lines of the file could not be read."""

    tries: tuple[Try, ...]
    unreadable: int

    def of(self, exercise: str) -> tuple[Try, ...]:
        """The tries at one exercise."""
        return tuple(one for one in self.tries if one.exercise == exercise)


def path() -> Path:
    """The learner's file: what ``SEGEDU_PROGRESS`` names, else one in the user's folder for data.

    Nothing is created. Raises ``FileNotFoundError`` where none is named and this user has no home.
    """
    if chosen := os.environ.get(FILE):
        return Path(chosen).expanduser()
    try:
        return _data_folder() / "segedu" / "progress.jsonl"
    except RuntimeError as error:
        raise FileNotFoundError(
            f"there is no home folder to keep progress in: set {FILE} to a file of your own"
        ) from error


def _data_folder() -> Path:
    """Where this system's programs keep what is a user's own."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def note(exercise: str, *, right: bool) -> None:
    """Add a try. A lesson goes on without a word where nothing can be written."""
    line = json.dumps({"exercise": exercise, "right": right, "when": datetime.now(UTC).isoformat(timespec="seconds")})
    with suppress(OSError):
        file = path()
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab", buffering=0) as end:
            end.write(f"\n{line}".encode())  # a line that a crash cut short before this one ends here


def history() -> History:
    """What the file holds, nothing where there is none. Raises ``OSError`` where it cannot be read."""
    file = path()
    try:
        text = file.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return History((), 0)
    lines = [line for line in text.splitlines() if line.strip()]
    tries = tuple(_read(lines))
    return History(tries, len(lines) - len(tries))


def _read(lines: list[str]) -> Iterator[Try]:
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):
            entry = json.loads(line)
            exercise, right, when = entry["exercise"], entry["right"], datetime.fromisoformat(entry["when"])
            if isinstance(exercise, str) and isinstance(right, bool):
                yield Try(exercise, right, when)


def keeps() -> bool:
    """Whether a try could be written now."""
    with suppress(OSError):
        file = path()
        here = next(one for one in (file, *file.parents) if one.exists())
        return os.access(here, os.W_OK) and (here.is_file() or here != file)
    return False


def forget() -> Path | None:
    """Begin anew: the file is kept under another name, which is returned; ``None`` where there was none."""
    file = path()
    old = file.with_name(f"{file.stem}-until-{datetime.now(UTC):%Y-%m-%d-%H%M%S}{file.suffix}")
    try:
        file.replace(old)
    except FileNotFoundError:
        return None
    return old
