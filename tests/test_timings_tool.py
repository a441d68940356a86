"""The timing of lessons: one row a notebook, and its longest cell under the right heading."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

TOOL = Path(__file__).resolve().parent.parent / "tools" / "timings.py"


@pytest.mark.processes
def test_a_row_for_each_lesson_with_its_longest_cell(tmp_path):
    cells = [
        new_markdown_cell("# A lesson"),
        new_code_cell("1 + 1"),
        new_markdown_cell("## Slow\n\nWords."),
        new_code_cell("import time"),
        new_code_cell("time.sleep(1.2)"),
        new_markdown_cell("## Quick"),
        new_code_cell("2 + 2"),
    ]
    lesson = tmp_path / "42_a lesson.ipynb"
    nbformat.write(new_notebook(cells=cells), lesson)
    before = lesson.read_bytes()
    done = subprocess.run([sys.executable, TOOL, lesson], capture_output=True, text=True, check=True)
    _, _, row = done.stdout.splitlines()
    name, whole, longest = (cell.strip() for cell in row.strip("|").split("|"))
    assert (name, longest) == ("42_a lesson", "1 s, Slow")
    assert int(whole) >= 1
    assert lesson.read_bytes() == before


@pytest.mark.processes
def test_a_failing_cell_is_an_error(tmp_path):
    lesson = tmp_path / "a.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1 / 0")]), lesson)
    done = subprocess.run([sys.executable, TOOL, lesson], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
