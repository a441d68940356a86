"""Verdicts follow from evidence alone, and their table is the same text everywhere."""

import re
from itertools import product

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from segedu.classroom import claims, verdict_table
from segedu.classroom.claims import Evidence
from segedu.classroom.notes import CLAIMS

IDS = "S1 S2 F1 F2 F3 F4 U1 U2 U3 N1 N2 N3 N4 D1 D2 D3 D4 D5 D6 D7 L1 L2 L3 L4 L5 L6 L7 B1 B2 B3 B4 B5 B6"
seeds = st.lists(st.floats(-1, 1), min_size=3, max_size=5)


@pytest.fixture(autouse=True)
def fresh_ledger(monkeypatch):
    monkeypatch.setattr(claims, "_judged", {})


def test_every_claim_of_the_notes_is_here_in_order():
    assert " ".join(CLAIMS) == IDS
    assert all(claim.id == id and claim.statement.endswith(".") and claim.lessons for id, claim in CLAIMS.items())
    assert {id for id, claim in CLAIMS.items() if claim.note == 2} == {id for id in CLAIMS if id[0] in "LB"}


@pytest.mark.parametrize(("core", "scope", "cited"), list(product([True, False], [True, False, None], [True, False])))
def test_outcome_is_computed(core, scope, cited):
    evidence = [Evidence("core", core)]
    evidence += [Evidence("scope", scope, "scope")] if scope is not None else []
    evidence += [Evidence("paper", role="cited")] if cited else []
    wanted = "refuted" if not core else "holds with limits" if cited or scope is False else "holds"
    assert claims.judge("F1", *evidence).outcome == wanted


def test_one_false_core_refutes_among_many():
    assert claims.judge("F1", Evidence("a", True), Evidence("b", False), Evidence("c", True)).outcome == "refuted"


@pytest.mark.parametrize("evidence", [[], [Evidence("paper", role="cited")], [Evidence("reach", True, "scope")]])
def test_no_verdict_without_a_core_measurement(evidence):
    with pytest.raises(ValueError, match="claim F1 has no core evidence"):
        claims.judge("F1", *evidence)


def test_unknown_claim_names_the_known():
    with pytest.raises(ValueError, match=r"'F9'.*F1, F2"):
        claims.judge("F9", Evidence("a", True))
    with pytest.raises(ValueError, match="'F9'"):
        claims.verdicts("F9")


def test_evidence_refuses_what_is_no_measurement():
    with pytest.raises(TypeError, match="expected True or False"):
        Evidence("a", 0.7)
    with pytest.raises(TypeError, match=r"use bool\(a > b\)"):
        Evidence("a", torch.tensor(True))
    with pytest.raises(ValueError, match="measured evidence needs"):
        Evidence("a")
    with pytest.raises(ValueError, match="cited evidence takes neither"):
        Evidence("a", True, "cited")
    with pytest.raises(ValueError, match="'core', 'scope', 'cited'"):
        Evidence("a", True, "main")


def test_table_waits_for_its_verdicts():
    claims.judge("F1", Evidence("a", True))
    with pytest.raises(ValueError, match="no verdict yet on F2, F4;"):
        claims.verdicts("F1", "F2", "F4")


def test_a_second_run_replaces_the_first(capsys):
    for holds in (True, False):
        claims.judge("F1", Evidence("a", holds))
    claims.verdicts("F1")
    assert "refuted" in capsys.readouterr().out


def test_table_holds_every_word_within_100_columns(capsys):
    for id, claim in CLAIMS.items():
        cited = Evidence(f"paper: {claim.statement}", role="cited")
        claims.judge(id, Evidence("one " * 40, True), Evidence("two", id != "F2"), cited)
    claims.verdicts(*CLAIMS)
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert max(map(len, lines)) <= 100
    assert not any(line.endswith(" ") for line in lines)
    columns = [
        " ".join(cell.strip() for cell in column) for column in zip(*(map_cells(line) for line in lines), strict=True)
    ]
    for claim in CLAIMS.values():
        assert claim.statement in re.sub(" +", " ", columns[0])
        assert f"cited paper: {claim.statement}" in re.sub(" +", " ", columns[1])
    assert re.sub(" +", " ", columns[2]).count("refuted") == 1


def map_cells(line: str) -> list[str]:
    cells = line.replace("-+-", " | ").replace("-", " ").split("|") if set(line) <= set("-+ ") else line.split("|")
    return cells + [""] * (3 - len(cells))


def test_html_and_data_say_the_same(monkeypatch):
    shown = {}
    monkeypatch.setattr(claims.display, "show", lambda plain, **forms: shown.update(forms))
    claims.judge("F2", Evidence("VGG16 > AlexNet & <b>", True), Evidence("reach", False, "scope"))
    claims.verdicts("F2")
    assert "VGG16 &gt; AlexNet &amp; &lt;b&gt;" in shown["html"]
    assert "<b>limit</b> reach" in shown["html"]
    assert "holds with limits" in shown["html"]
    evidence = [["yes", "VGG16 > AlexNet & <b>"], ["limit", "reach"]]
    assert shown["data"] == {verdict_table.MIME: [{"id": "F2", "outcome": "holds with limits", "evidence": evidence}]}


def test_a_notebook_gets_every_form_and_a_terminal_the_words(monkeypatch, capsys):
    sent = []
    monkeypatch.setattr(claims.display, "display", lambda forms, raw: sent.append(forms))
    monkeypatch.setattr(claims.display.InteractiveShell, "initialized", lambda: True)
    claims.judge("F1", Evidence("a", True))
    claims.verdicts("F1")
    assert [*sent[0]] == ["text/plain", "text/html", verdict_table.MIME]
    monkeypatch.setattr(claims.display.InteractiveShell, "initialized", lambda: False)
    claims.verdicts("F1")
    assert capsys.readouterr().out == sent[0]["text/plain"] + "\n"


@given(higher=seeds, lower=seeds, margin=st.floats(0, 0.5))
@example(higher=[1.0, 1.0, 1e-84], lower=[0.0, 0.0, 0.0], margin=0.0)  # no number of float32
def test_ordered_is_every_pair(higher, lower, margin):
    count = min(len(higher), len(lower))
    higher, lower = higher[:count], lower[:count]
    assert claims.ordered(higher, lower, margin) == (min(a - b for a, b in zip(higher, lower, strict=True)) > margin)
    tensors = (torch.tensor(scores, dtype=torch.float64) for scores in (higher, lower))
    assert claims.ordered(*tensors, margin) == claims.ordered(higher, lower, margin)


@pytest.mark.parametrize(
    ("higher", "lower", "margin"),
    [([1, 2], [0, 0], 0), ([1, 2, 3], [0, 0], 0), ([1, 2, 3], [0, 0, 0], -0.1), ([1, 2, float("nan")], [0, 0, 0], 0)],
    ids=["two seeds", "unequal", "negative margin", "nan"],
)
def test_ordered_refuses(higher, lower, margin):
    with pytest.raises(ValueError, match=r"three seeds|finite"):
        claims.ordered(higher, lower, margin)


def test_descends_says_what_it_tested():
    values = {"FCN-8s": [0.5, 0.6, 0.7], "FCN-16s": [0.4, 0.5, 0.6], "FCN-32s": [0.3, 0.3, 0.3]}
    assert claims.descends("mIoU", values, margin=0.05) == Evidence(
        "mIoU: FCN-8s > FCN-16s > FCN-32s, each step by more than 0.05 with each of 3 seeds", True
    )
    assert not claims.descends("mIoU", values, margin=0.15).holds
    assert not claims.descends("mIoU", dict(reversed(values.items())), margin=0.0).holds
    assert claims.descends("mIoU", values, margin=0.15, role="scope").mark == "limit"
    with pytest.raises(ValueError, match="at least two"):
        claims.descends("mIoU", {"FCN-8s": [1, 2, 3]}, margin=0)


def test_descends_by_factor():
    macs = {"VGG16": 180.9, "AlexNet": 21.0, "GoogLeNet": 7.4}
    assert claims.descends_by_factor("MACs", macs, factor=2) == Evidence(
        "MACs: VGG16 > AlexNet > GoogLeNet, each step by a factor of more than 2", True
    )
    assert not claims.descends_by_factor("MACs", macs, factor=3).holds
    for wrong in ({"a": 1.0}, {"a": 1.0, "b": 0.0}):
        with pytest.raises(ValueError, match="two or more positive values"):
            claims.descends_by_factor("MACs", wrong, factor=2)


def test_spread_uses_the_sample_deviation():
    assert claims.spread([1.0, 2.0, 3.0]) == "2.000 ± 1.000 (3 seeds)"


def test_a_sentence_about_the_streets_has_to_hold_there_and_is_marked_elsewhere(capsys):
    facts = {"poles are thin": True, "cars are red": False}
    claims.seen({"poles are thin": True}, "streets")
    claims.seen(facts, "camvid")
    assert capsys.readouterr().out.splitlines() == [
        "poles are thin",
        "poles are thin",
        "not on camvid: cars are red",
    ]
    with pytest.raises(AssertionError, match="cars are red"):
        claims.seen(facts, "streets")
