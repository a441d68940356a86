"""``claims``: the ledger of what the study notes claim, and what the lessons measured."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from segedu.classroom import ledger
from segedu.classroom.ledger import Entry, Judgement
from segedu.classroom.notes import NOTES
from segedu.classroom.verdict import OUTCOMES
from segedu.classroom.verdict_table import wrap

WIDTH = 100
OPEN = "not measured yet"


def run(chosen: argparse.Namespace) -> int:
    """Print the table of all claims, everything on those that are named, or either as data or Markdown."""
    entries = ledger.entries(chosen.ids, chosen.lesson)
    if chosen.json:
        print(json.dumps([*map(_data, entries)], ensure_ascii=False, indent=1))
    elif chosen.markdown:
        print("\n".join(_markdown(entries)))
    elif chosen.ids:
        print("\n\n".join("\n".join(_whole(entry)) for entry in entries))
    else:
        print("\n".join(_table(entries)))
    return 0


def _table(entries: Sequence[Entry]) -> Iterator[str]:
    """One claim a row, under its note; a claim of two lessons has a row for each verdict."""
    for note, subject in NOTES.items():
        rows = [entry for entry in entries if entry.claim.note == note]
        if rows:
            yield f"Note {note}, {subject}"
        for entry in rows:
            yield from _rows(entry)
            yield ""
    counts = Counter(entry.outcome or OPEN for entry in entries)
    yield ", ".join(f"{counts[outcome]} {outcome}" for outcome in (*OUTCOMES, OPEN) if counts[outcome])


def _rows(entry: Entry) -> Iterator[str]:
    statement = wrap(entry.claim.statement, WIDTH - 41)
    verdicts = [f"{one.outcome:<19}{one.lesson}" for one in entry.judgements] or [OPEN]
    for number in range(max(len(statement), len(verdicts))):
        id = "" if number else entry.claim.id
        words = statement[number] if number < len(statement) else ""
        verdict = verdicts[number] if number < len(verdicts) else ""
        yield f"  {id:<4}{words:<{WIDTH - 41}}  {verdict}".rstrip()


def _whole(entry: Entry) -> Iterator[str]:
    """Source, statement, verdict, and of each lesson the evidence and the experiments."""
    yield from wrap(f"{entry.claim.id}  {entry.claim.statement}", WIDTH, indent=4)
    yield f"    source      {entry.source}"
    yield f"    verdict     {entry.outcome or OPEN}"
    for judgement in entry.judgements:
        yield f"    lesson      {judgement.lesson}, {judgement.title}: {judgement.outcome}"
        yield from _evidence(judgement)


def _evidence(judgement: Judgement) -> Iterator[str]:
    for experiment in judgement.experiments:
        cells = f"cell{'s' * (len(experiment.cells) > 1)} {', '.join(map(str, experiment.cells))}"
        yield from wrap(f"    experiment  {experiment.heading} ({cells})", WIDTH, indent=16)
    for mark, text in judgement.evidence:
        yield from wrap(f"    {mark:<12}{text}", WIDTH, indent=16)


def _markdown(entries: Sequence[Entry]) -> Iterator[str]:
    yield "| claim | verdict | lesson |"
    yield "|--|--|--|"
    for entry in entries:
        lessons = ", ".join(f"[{one.lesson[:2]}](notebooks/{one.lesson}.ipynb)" for one in entry.judgements)
        yield f"| {entry.claim.id} {entry.claim.statement} | {entry.outcome or OPEN} | {lessons} |"


def _data(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.claim.id,
        "source": entry.source,
        "statement": entry.claim.statement,
        "verdict": entry.outcome or None,
        "lessons": [
            {
                "lesson": one.lesson,
                "title": one.title,
                "verdict": one.outcome,
                "experiments": [
                    {"heading": experiment.heading, "cells": experiment.cells} for experiment in one.experiments
                ],
                "evidence": [{"mark": mark, "text": text} for mark, text in one.evidence],
            }
            for one in entry.judgements
        ],
    }
