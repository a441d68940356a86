"""What a verdict rests on is read from the code of its lesson."""

import json

import gather
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from segedu.classroom.verdict_table import MIME

LESSON = """
# 3 · SegNet: a title
---
import torch; from segedu import data; net = torch.nn
---
## Take it apart: the network
---
def count(net): return sum(one for one in net)
---
### What it keeps
---
kept = [count(net) for net in range(3)]; values = 7
---
## Train it: over three seeds
---
miou = count([1]); unused = 1
_ = claims.judge("N1", Evidence("measured here", count([1]) > 0))
---
## Verdicts: two of them
---
def best(margin): return max(miou, margin)
pair = [best(values) for values in kept]
---
_ = claims.judge("N2", Evidence("a", pair[0] > 1), *(Evidence(kept, True) for kept in [1]))
claims.verdicts("N1", "N2")
"""


def lesson(tmp_path, text=LESSON, ids=("N1", "N2")):
    sources = [cell.strip() for cell in text.split("---")]
    cells = [new_markdown_cell(one) if one.startswith("#") else new_code_cell(one) for one in sources]
    rows = [{"id": id, "outcome": "holds", "evidence": [["yes", "a"]]} for id in ids]
    cells[-1].outputs = [new_output("display_data", {MIME: rows, "text/plain": "table"})] if rows else []
    path = tmp_path / "03_segnet.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_experiments_are_the_cells_that_evidence_looks_at(tmp_path):
    gathered = gather.gather([lesson(tmp_path)])
    assert [*gathered] == ["03_segnet"]
    assert gathered["03_segnet"]["title"] == "SegNet: a title"
    first, second = gathered["03_segnet"]["verdicts"]
    assert first["experiments"] == [
        {"heading": "Take it apart: the network", "cells": [2]},
        {"heading": "Train it: over three seeds", "cells": [4]},
    ]
    # ``kept`` and ``miou`` through the helpers beside the verdict; neither a comprehension's own name nor an import
    assert second["experiments"] == [
        {"heading": "What it keeps", "cells": [3]},
        {"heading": "Train it: over three seeds", "cells": [4]},
    ]
    assert (second["outcome"], second["evidence"]) == ("holds", [["yes", "a"]])


def test_a_lesson_without_verdicts_adds_nothing(tmp_path):
    assert gather.gather([lesson(tmp_path, ids=())]) == {}


def test_a_verdict_that_no_cell_judges_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"holds a verdict on N3, but no cell calls claims.judge\('N3', ...\)"):
        gather.gather([lesson(tmp_path, ids=("N3",))])


def test_the_command_writes_and_checks(tmp_path, monkeypatch, capsys):
    lesson(tmp_path)
    monkeypatch.setattr(gather, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(gather, "FILE", tmp_path / "ledger.json")
    assert gather.main([]) == 0
    assert json.loads(gather.FILE.read_text())["03_segnet"]["verdicts"][1]["id"] == "N2"
    assert gather.main(["--check"]) == 0
    gather.FILE.write_text("{}")
    assert gather.main(["--check"]) == 1
    assert "ledger.json: not what the notebooks hold; run `python tools/gather.py`" in capsys.readouterr().err
