"""Gather the verdicts that the stored lessons hold, each with the cells that it rests on, into the course's ledger.

    python tools/gather.py              write segedu/classroom/ledger.json from notebooks/
    python tools/gather.py --check      write nothing; fail where the file is not what the notebooks hold

Nothing is run: the verdicts are those that a lesson printed, which strict validation compares. What a verdict rests on
is read from its code: the cells that made what its evidence looks at.
"""

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from symtable import SymbolTable, symtable
from typing import Any

import nbformat
from nbformat import NotebookNode

from segedu.classroom.ledger import FILE
from segedu.classroom.verdict_table import MIME

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
TITLE = re.compile(r"# \d+ · (.+)")


@dataclass(frozen=True)
class Statement:
    """One statement of a lesson: where it stands, the global names that it makes and reads, the claims it judges."""

    cell: int
    section: str
    heading: str
    makes: frozenset[str]
    reads: frozenset[str]
    judges: frozenset[str]


def gather(paths: list[Path]) -> dict[str, Any]:
    """What every lesson with verdicts adds to the ledger, by its name."""
    lessons = {path.stem: nbformat.read(path, as_version=4) for path in sorted(paths)}
    entries = {name: {"title": _title(lesson), "verdicts": [*_verdicts(lesson)]} for name, lesson in lessons.items()}
    return {name: entry for name, entry in entries.items() if entry["verdicts"]}


def _title(lesson: NotebookNode) -> str:
    found = TITLE.match(lesson.cells[0].source)
    if not found:
        raise ValueError(f"the first cell starts with {lesson.cells[0].source[:40]!r}, not with a title '# 1 · FCN'")
    return found[1]


def _verdicts(lesson: NotebookNode) -> Iterator[dict[str, Any]]:
    statements = [*_statements(lesson)]
    for cell in lesson.cells:
        for output in cell.get("outputs", []):
            for verdict in output.get("data", {}).get(MIME, []):
                yield {**verdict, "experiments": _experiments(verdict["id"], statements)}


def _statements(lesson: NotebookNode) -> Iterator[Statement]:
    section, part, number = "", "", 0
    for cell in lesson.cells:
        if cell.cell_type == "markdown":
            for level, words in re.findall(r"^(##|###) (.+)$", cell.source, re.MULTILINE):
                section, part = (words, "") if level == "##" else (section, words)
        elif cell.cell_type == "code":
            number += 1
            for node in ast.parse(cell.source).body:
                yield Statement(number, section, part or section, *_names(node), _judges(node))


def _names(node: ast.stmt) -> tuple[frozenset[str], frozenset[str]]:
    """The global names that a statement makes, imports left out, and those that it reads, also in a function's body."""
    table = symtable(ast.unparse(node), "cell", "exec")
    made = {one.get_name() for one in table.get_symbols() if one.is_assigned() and not one.is_imported()}
    return frozenset(made), frozenset(_read(table))


def _read(table: SymbolTable) -> Iterator[str]:
    at_top = table.get_type() == "module"
    yield from (one.get_name() for one in table.get_symbols() if one.is_referenced() and (at_top or one.is_global()))
    for inner in table.get_children():
        yield from _read(inner)


def _experiments(id: str, statements: list[Statement]) -> list[dict[str, Any]]:
    """Heading and cells of what the evidence on ``id`` looks at; what stands beside the verdict is seen through."""
    judged = [at for at, one in enumerate(statements) if id in one.judges]
    if not judged:
        raise ValueError(f"a table holds a verdict on {id}, but no cell calls claims.judge({id!r}, ...)")
    beside = {at for at, one in enumerate(statements) if one.section.lower().startswith("verdicts")}
    made = {judged[-1]} - beside
    readers = judged[-1:]
    while readers:
        makers = set(_makers(readers.pop(), statements))
        made |= makers - beside
        readers += makers & beside
    headings: dict[str, list[int]] = {}
    for at in sorted(made):
        cells = headings.setdefault(statements[at].heading, [])
        cells += [statements[at].cell] * (statements[at].cell not in cells)
    return [{"heading": heading, "cells": cells} for heading, cells in headings.items()]


def _makers(reader: int, statements: list[Statement]) -> Iterator[int]:
    """Of each name that a statement reads, the last statement before it that makes the name."""
    for name in statements[reader].reads:
        yield from [at for at in range(reader) if name in statements[at].makes][-1:]


def _judges(node: ast.stmt) -> frozenset[str]:
    """The ids of the claims that a statement judges."""
    calls = (one for one in ast.walk(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute))
    judging = (call for call in calls if call.func.attr == "judge" and call.args)
    return frozenset(call.args[0].value for call in judging if isinstance(call.args[0], ast.Constant))


def text() -> str:
    """The ledger file as it should be."""
    return json.dumps(gather([*NOTEBOOKS.glob("*.ipynb")]), ensure_ascii=False, indent=1) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the file is what the notebooks hold")
    options = parser.parse_args(arguments)
    wanted = text()
    if not options.check:
        FILE.write_text(wanted, encoding="utf-8")
    elif FILE.read_text(encoding="utf-8") != wanted:
        print(f"{FILE.name}: not what the notebooks hold; run `python tools/gather.py`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
