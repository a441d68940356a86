"""The notebook runner, and strict validation of what it stores: both in a real kernel."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

REPOSITORY = Path(__file__).resolve().parent.parent

_spec = importlib.util.spec_from_file_location("notebooks_tool", REPOSITORY / "tools" / "notebooks.py")
tool = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tool)

CELLS = """
from segedu.classroom import claims, figures, source
from segedu.classroom.exercises import fcn
from segedu.layers.upsample import bilinear_kernel as ours
import ipywidgets
---
figures.bars({"long": [2.0], "short": [1.0]}, alt="a long bar above a short one", xlabel="length")
---
source.show(ours)
---
claims.judge("F1", claims.Evidence("the two agree on every window", True))
claims.verdicts("F1")
---
def bilinear_kernel(factor):
    ...

fcn.bilinear_kernel.check(bilinear_kernel)
---
ipywidgets.IntSlider(3)
---
print("one"), print("two")
"""


def write(path, *sources):
    cells = [new_code_cell(source) for source in sources]
    nbformat.write(new_notebook(cells=[new_markdown_cell("# A lesson"), *cells]), path)


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("lessons") / "lesson.ipynb"
    write(path, *(cell.strip() for cell in CELLS.split("---")))
    assert tool.main([str(path)]) == 0
    return path


@pytest.mark.processes
def test_stored_lesson_is_in_its_normal_form(stored):
    assert tool.main(["--check", str(stored)]) == 0
    text = stored.read_text()
    assert "widget-view" not in text
    assert "IntSlider(value=3)" in text
    assert [path.name for path in stored.parent.iterdir()] == ["lesson.ipynb"]  # no temporary file left behind


def test_cell_id_follows_the_text():
    cells = [new_code_cell("a"), new_code_cell("b"), new_code_cell("a")]
    notebook = new_notebook(cells=cells)
    tool.normalise(notebook)
    before = [cell.id for cell in notebook.cells]
    notebook.cells.insert(0, new_markdown_cell("new"))
    tool.normalise(notebook)
    assert [cell.id for cell in notebook.cells][1:] == before
    assert len(set(before)) == 3


def test_normal_form_drops_what_varies():
    cell = new_code_cell("1", execution_count=9, metadata={"tags": ["raises-exception"], "execution": {"start": "now"}})
    notebook = new_notebook(cells=[cell], metadata={"widgets": {}, "language_info": {"name": "python", "version": "3"}})
    text = tool.normalise(notebook)
    assert notebook.metadata == tool.METADATA
    assert cell.metadata == {"tags": ["raises-exception"]}
    assert cell.execution_count == 1
    assert tool.normalise(nbformat.reads(text, as_version=4)) == text


def test_check_names_the_notebook(tmp_path, capsys):
    path = tmp_path / "lesson.ipynb"
    write(path, "1 + 1")
    assert tool.main(["--check", str(path)]) == 1
    assert "lesson.ipynb: not in its normal form" in capsys.readouterr().err


def test_failing_cell_leaves_the_notebook_alone(tmp_path, capsys):
    path = tmp_path / "lesson.ipynb"
    write(path, "1 / 0")
    before = path.read_bytes()
    assert tool.main([str(path)]) == 1
    assert path.read_bytes() == before
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_missing_notebook_is_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit):
        tool.main([str(tmp_path / "none.ipynb")])
    assert "no such notebook" in capsys.readouterr().err


@pytest.mark.processes
def test_strict_validation(stored, tmp_path):
    """What the classroom shows comes out again, whatever the pixels; a changed word, figure or verdict does not."""
    notebook = nbformat.read(stored, as_version=4)
    by_kind = {cell.source.split("(")[0]: cell.outputs[0].data for cell in notebook.cells[2:7] if cell.outputs}
    figure = by_kind["figures.bars"]
    figure["text/html"] = figure["text/html"].replace("base64,", "base64,AAAA")
    by_kind["source.show"]["text/markdown"] += "\n"
    by_kind["claims.judge"]["text/plain"] = by_kind["claims.judge"]["text/plain"].replace("holds", "refuted")
    path, report = tmp_path / "tampered.ipynb", tmp_path / "report.xml"
    nbformat.write(notebook, path)
    flags = ["--nbval", "--nbval-current-env", "--nbval-sanitize-with", REPOSITORY / "tests" / "nbval_sanitize.cfg"]
    place = ["-p", "no:cacheprovider", "--rootdir", tmp_path, "--junitxml", report]
    subprocess.run(
        [sys.executable, "-m", "pytest", *flags, *place, path], cwd=tmp_path, check=False, capture_output=True
    )
    cases = ElementTree.parse(report).iter("testcase")
    assert [bool(list(case)) for case in cases] == [False, False, True, True, False, False, False]
