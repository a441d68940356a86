"""The ledger: every claim of the notes, the experiments on it, and the verdicts that the lessons came to.

The verdicts are data of the package, gathered from the stored lessons by ``tools/gather.py`` and typed by nobody.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from segedu.classroom.notes import CLAIMS, NOTES, Claim
from segedu.classroom.verdict import outcome_of

FILE = Path(__file__).with_name("ledger.json")


@dataclass(frozen=True)
class Experiment:
    """Where something was measured: the ``heading`` in the lesson, and the numbers of the code cells below it."""

    heading: str
    cells: tuple[int, ...]


@dataclass(frozen=True)
class Judgement:
    """What one ``lesson`` found on a claim: each sentence of evidence after its mark, and where it was measured."""

    lesson: str
    title: str
    outcome: str
    evidence: tuple[tuple[str, str], ...]
    experiments: tuple[Experiment, ...]


@dataclass(frozen=True)
class Entry:
    """A claim and the judgements on it, none where no lesson has measured it."""

    claim: Claim
    judgements: tuple[Judgement, ...]

    @property
    def source(self) -> str:
        """The note that makes the claim."""
        return f"note {self.claim.note}, {NOTES[self.claim.note]}"

    @property
    def outcome(self) -> str:
        """What follows from the evidence of all lessons together; empty where there is none."""
        marks = [mark for judgement in self.judgements for mark, _ in judgement.evidence]
        return outcome_of(marks) if marks else ""


def entries(ids: Sequence[str] = (), lesson: str | None = None) -> list[Entry]:
    """The ledger in the order of the notes: of the claims ``ids`` or of all, and of one ``lesson`` if it is named.

    A lesson goes by its number, its name, or both: "5", "05", "deeplab", "05_deeplab". Raises ``ValueError`` for an id
    that the notes do not have, and for a lesson that judges nothing.
    """
    if unknown := [id for id in ids if id not in CLAIMS]:
        raise ValueError(f"no claim is called {', '.join(unknown)}; the notes have {', '.join(CLAIMS)}")
    judgements = _stored()
    if lesson is not None:
        judgements = _of_lesson(judgements, lesson)
    chosen = [id for id in CLAIMS if (not ids or id in ids) and (lesson is None or id in judgements)]
    return [Entry(CLAIMS[id], tuple(judgements.get(id, ()))) for id in chosen]


def _of_lesson(judgements: dict[str, list[Judgement]], lesson: str) -> dict[str, list[Judgement]]:
    """The judgements of one lesson, by the claims' ids."""
    lessons = sorted({one.lesson for several in judgements.values() for one in several})
    for name in lessons:
        number, word = name.split("_", 1)
        if lesson in (name, number, number.lstrip("0") or "0", word):
            found = {id: [one for one in several if one.lesson == name] for id, several in judgements.items()}
            return {id: several for id, several in found.items() if several}
    raise ValueError(f"lesson is {lesson!r}; the lessons that judge claims are {', '.join(lessons)}")


@cache
def _stored() -> dict[str, list[Judgement]]:
    found: dict[str, list[Judgement]] = {}
    for lesson, entry in json.loads(FILE.read_text(encoding="utf-8")).items():
        for verdict in entry["verdicts"]:
            evidence = tuple((mark, text) for mark, text in verdict["evidence"])
            experiments = tuple(Experiment(one["heading"], tuple(one["cells"])) for one in verdict["experiments"])
            judgement = Judgement(lesson, entry["title"], verdict["outcome"], evidence, experiments)
            found.setdefault(verdict["id"], []).append(judgement)
    return found
