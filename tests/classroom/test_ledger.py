"""The ledger is what the stored lessons hold: every claim measured, where it should be, and README's table agrees."""

import json
import re
import subprocess
import sys
from pathlib import Path

import gather
import pytest

from segedu import cli
from segedu.classroom import ledger
from segedu.classroom.notes import CLAIMS
from segedu.classroom.verdict import OUTCOMES, outcome_of

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_file_is_what_the_notebooks_hold():
    assert ledger.FILE.read_text(encoding="utf-8") == gather.text(), "run `python tools/gather.py`"


@pytest.mark.parametrize("id", CLAIMS)
def test_every_claim_has_an_experiment_in_each_of_its_lessons(id):
    (entry,) = ledger.entries([id])
    assert tuple(judgement.lesson.split("_", 1)[1] for judgement in entry.judgements) == entry.claim.lessons
    assert all(judgement.experiments and judgement.evidence for judgement in entry.judgements)


def test_outcomes_follow_from_the_evidence():
    for entry in ledger.entries():
        for judgement in entry.judgements:
            assert judgement.outcome == outcome_of(mark for mark, _ in judgement.evidence)
        assert entry.outcome in OUTCOMES or not entry.judgements
        assert entry.outcome == max((one.outcome for one in entry.judgements), key=OUTCOMES.index, default="")


def test_readme_has_every_claim_with_its_verdict():
    rows = re.findall(
        r"^\| ([A-Z]\d) [^|]+ \| ([^|]+) \| [^|]+ \|$", (REPOSITORY / "README.md").read_text(), re.MULTILINE
    )
    assert dict(rows) == {entry.claim.id: entry.outcome for entry in ledger.entries()}
    assert len(rows) == len(CLAIMS)


@pytest.mark.parametrize("name", ["5", "05", "deeplab", "05_deeplab"])
def test_a_lesson_goes_by_any_of_its_names(name):
    assert [entry.claim.id for entry in ledger.entries(lesson=name)] == ["D5", "D6", "D7"]


def test_what_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"called D9, X1; the notes have S1, S2, F1"):
        ledger.entries(["D9", "D7", "X1"])
    with pytest.raises(ValueError, match=r"lesson is '55'; the lessons that judge claims are .*05_deeplab"):
        ledger.entries(lesson="55")


@pytest.fixture
def stored(monkeypatch):
    """A ledger of two lessons that judge L7 differently, and of no other claim."""
    where = (ledger.Experiment("A net that says nothing", (3, 4)),)
    first = ledger.Judgement("00_pixels", "Pixels", "holds", (("yes", "a > b"),), where)
    second = ledger.Judgement("07_losses", "Losses", "holds with limits", (("yes", "c"), ("limit", "d " * 60)), where)
    monkeypatch.setattr(ledger, "_stored", lambda: {"L7": [first, second]})


def said(capsys, *words):
    assert cli.main(["claims", *words]) == 0
    return capsys.readouterr().out


def test_the_command_s_table(capsys, stored):
    out = said(capsys)
    assert all(re.search(rf"^  {id} ", out, re.MULTILINE) for id in CLAIMS)
    assert re.search(r"L7 .* holds {14}00_pixels\n.* holds with limits  07_losses\n", out)
    assert out.endswith(f"1 holds with limits, {len(CLAIMS) - 1} not measured yet\n")
    assert max(map(len, out.splitlines())) <= 100


def test_the_command_tells_all_of_one_claim(capsys, stored):
    out = said(capsys, "L7")
    words = re.sub(r"\s+", " ", out)
    assert "source note 2, losses and BiSeNet verdict holds with limits lesson 00_pixels, Pixels: holds" in words
    assert words.count("experiment A net that says nothing (cells 3, 4)") == 2
    assert "limit " + "d " * 60 in words
    assert max(map(len, out.splitlines())) <= 100
    assert "verdict     not measured yet" in said(capsys, "S1")


def test_the_command_as_data_and_as_markdown(capsys, stored):
    (data,) = json.loads(said(capsys, "L7", "--json"))
    assert [lesson["verdict"] for lesson in data["lessons"]] == ["holds", "holds with limits"]
    assert data["lessons"][0]["evidence"] == [{"mark": "yes", "text": "a > b"}]
    assert data["verdict"] == "holds with limits"
    rows = said(capsys, "--markdown", "--lesson", "losses").splitlines()
    assert rows[-1] == f"| L7 {CLAIMS['L7'].statement} | holds with limits | [07](notebooks/07_losses.ipynb) |"


@pytest.mark.processes
def test_a_reader_that_stops_reading_is_no_error():
    """As ``python -m segedu claims | head`` does, here before the first line."""
    command = [sys.executable, "-m", "segedu", "claims"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 0
