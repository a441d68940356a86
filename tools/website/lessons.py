"""What a notebook says of itself in its first cell and its headings, for the pages that lead to it."""

import re
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

TITLE = re.compile(r"# (?:(\d+) · )?(.+)")
QUESTION = re.compile(r"\*\*The question\.\*\* (.+)")


@dataclass(frozen=True)
class Lesson:
    """A notebook with its file, its number as written in its title, the rest of that, its question and its last line.

    ``effort`` is what the first cell ends with: the claims under test, and how long they take.
    """

    path: Path
    notebook: NotebookNode
    number: str
    title: str
    question: str
    effort: str

    @property
    def page(self) -> str:
        """The name of its page."""
        return f"{self.path.stem}.html"

    @property
    def subject(self) -> str:
        """The title up to its colon."""
        return self.title.split(":")[0]


def lesson(path: Path, notebook: NotebookNode) -> Lesson:
    """Read a lesson's first cell. Raises ``ValueError`` where that begins with no title."""
    first = notebook.cells[0].source if notebook.cells else ""
    title, question = TITLE.match(first), QUESTION.search(first)
    if title is None:
        raise ValueError(f"{path}: its first cell begins {first[:40]!r}, expected a title such as '# 1 · FCN: ...'")
    last = first.strip().splitlines()[-1]
    effort = last if " · " in last and not last.startswith("#") else ""
    return Lesson(path, notebook, title[1] or "", title[2].strip(), question[1].strip() if question else "", effort)
