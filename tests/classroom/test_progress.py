"""Tries are kept, by exercise and lesson; nothing that befalls the file reaches a lesson."""

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segedu import cli
from segedu.classroom import progress
from segedu.classroom.exercises import LESSONS, dilation, fcn
from segedu.classroom.exercises.catalogue import name_of, of_lesson
from segedu.classroom.exercises.exercise import Exercise, one_number

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch) -> Path:
    """A file that is not there yet, nor its folder."""
    path = tmp_path / "own" / "progress.jsonl"
    monkeypatch.setenv("SEGEDU_PROGRESS", str(path))
    return path


def said(capsys, *words):
    assert cli.main(["progress", *words]) == 0
    return capsys.readouterr().out


def tried():
    return [(one.exercise, one.right) for one in progress.history().tries]


def test_every_lesson_with_exercises_is_in_the_catalogue():
    """The name of a notebook gives its number and module; each exercise that it checks has a name of its lesson."""
    for path in NOTEBOOKS.glob("*.ipynb"):
        number, lesson = path.stem.split("_", 1)
        checked = set(re.findall(r"\b(\w+)\.check\(", path.read_text(encoding="utf-8")))
        assert {f"{lesson}.{name}" for name in checked} == set(of_lesson(int(number))), path.stem
    assert [*LESSONS] == sorted(LESSONS)


def test_every_exercise_knows_its_name():
    for number in LESSONS:
        assert [name_of(exercise) for exercise in of_lesson(number).values()] == [*of_lesson(number)]
    assert name_of(Exercise(int, (), lambda: [(1,)], one_number, "yes.")) is None


def test_answers_are_noted_and_stubs_are_not(file):
    def bilinear_kernel(factor): ...

    fcn.bilinear_kernel.check(bilinear_kernel)
    dilation.same_size.check(dilation.same_size.given)
    Exercise(int, (), lambda: [(1,)], one_number, "yes.").check(int)  # of no lesson
    assert not file.parent.exists()
    fcn.bilinear_kernel.check(lambda factor: 3)
    fcn.bilinear_kernel.check(fcn.bilinear_kernel.solution)
    assert tried() == [("fcn.bilinear_kernel", False), ("fcn.bilinear_kernel", True)]


def test_lessons_side_by_side_lose_nothing():
    names = [f"lesson.{number}" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: progress.note(name, right=True), names))
    assert sorted(tried()) == sorted((name, True) for name in names)


def test_a_damaged_file_keeps_what_can_be_read(file, capsys):
    progress.note("fcn.fcn16s", right=True)
    with file.open("ab") as end:
        end.write(b'\n\xff\xfe[]\n7\n{"exercise": 3, "right": true, "when": "2026-01-01"}\n{"exercise": "fcn.fcn1')
    progress.note("fcn.linear_to_conv", right=False)
    before = file.read_bytes()
    assert tried() == [("fcn.fcn16s", True), ("fcn.linear_to_conv", False)]
    out = said(capsys)
    assert "01 fcn, 1 of 3 done" in out
    assert out.endswith("lines of it that cannot be read and are passed over: 4; they stay where they are\n")
    assert file.read_bytes() == before


def test_the_command_lists_every_exercise(capsys, monkeypatch):
    for right in (False, False, True, False):
        progress.note("unet.expand", right=right)
    progress.note("unet.centre_crop", right=False)
    out = said(capsys)
    assert sum(len(of_lesson(number)) for number in LESSONS) == out.count("not begun") + 2
    assert (
        "02 unet, 1 of 3 done\n   not begun  border_weight\n   tried      centre_crop           1 try, the last on"
        in out
    )
    assert re.search(r"done       expand                at try 3, on \d+ \w+ \d{4}\n", out)
    assert "\n1 done; kept in " in out


def test_reset_asks_and_keeps_the_old_file(file, capsys):
    assert said(capsys, "--reset", "--yes") == "nothing was kept yet\n"
    progress.note("unet.expand", right=True)
    assert cli.main(["progress", "--reset"]) == 2
    assert re.search(r"--reset sets aside the 1 try kept in .*; add --yes to do so", capsys.readouterr().err)
    assert len(tried()) == 1
    out = said(capsys, "--reset", "--yes")
    (old,) = file.parent.iterdir()
    assert out == f"begun anew; what was kept until now is in {old}\n"
    assert b"unet.expand" in old.read_bytes()
    assert tried() == []


def test_a_lesson_goes_on_where_nothing_can_be_written(tmp_path, monkeypatch, capsys):
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    monkeypatch.setenv("SEGEDU_PROGRESS", str(in_the_way / "progress.jsonl"))
    assert fcn.bilinear_kernel.check(fcn.bilinear_kernel.solution).status == "right"
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("SEGEDU_PROGRESS", str(tmp_path))
    assert fcn.bilinear_kernel.check(fcn.bilinear_kernel.solution).status == "right"
    assert not progress.keeps()
    assert cli.main(["progress"]) == 2
    assert capsys.readouterr().err.startswith("segedu: [Errno")


def test_a_file_that_cannot_be_written_is_told(capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "new tries are not kept, as this file cannot be written; set SEGEDU_PROGRESS to" in said(capsys)


@pytest.mark.parametrize(
    ("platform", "variable", "folder"),
    [
        ("linux", "XDG_DATA_HOME", ".local/share"),
        ("win32", "APPDATA", "AppData/Roaming"),
        ("darwin", None, "Library/Application Support"),
    ],
)
def test_where_systems_keep_data(monkeypatch, tmp_path, platform, variable, folder):
    monkeypatch.delenv("SEGEDU_PROGRESS")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in ("XDG_DATA_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    assert progress.path() == tmp_path / folder / "segedu" / "progress.jsonl"
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "mine"))
        assert progress.path() == tmp_path / "mine" / "segedu" / "progress.jsonl"


def test_a_user_without_a_home(monkeypatch):
    def homeless():
        raise RuntimeError

    monkeypatch.delenv("SEGEDU_PROGRESS")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Path, "home", homeless)
    assert fcn.bilinear_kernel.check(fcn.bilinear_kernel.solution).status == "right"
    assert not progress.keeps()
    with pytest.raises(FileNotFoundError, match="no home folder to keep progress in: set SEGEDU_PROGRESS"):
        progress.history()
