"""The report on a machine that has everything, and on machines that lack something."""

import shutil
from importlib.metadata import PackageNotFoundError

import pytest

from segedu import check, cli


@pytest.fixture
def machine(monkeypatch):
    """Make this machine seem to have other libraries, programs or a broken training step."""

    def pretend(versions=None, browser=None, step=lambda: 2.4):
        def version(name):
            found = {"torch": "2.15.0+cpu", "torchvision": "0.29.2", **(versions or {})}.get(name)
            if found is None:
                raise PackageNotFoundError(name)
            return found

        monkeypatch.setattr(check, "version", version)
        monkeypatch.setattr(shutil, "which", lambda name: browser if name == "chromium" else None)
        monkeypatch.setattr(check, "training_step", step)

    return pretend


def findings():
    return {finding.name: finding for finding in check.report()}


def test_a_real_training_step():
    assert 0 < check.training_step() < 10  # cross entropy near log 11 before anything is learnt


def test_a_whole_machine(machine, capsys):
    machine(dict.fromkeys(check.CLASSROOM, "9.9"), "/usr/bin/chromium")
    assert cli.main(["check"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "MISSING" not in out
    assert "/usr/bin/chromium" in out
    assert "learnt in" in out


def test_a_machine_without_the_classroom_is_well_enough(machine, capsys):
    machine()
    assert cli.main(["check"]) == 0
    found = findings()
    assert not found["jupyterlab"].ok
    assert "pip install 'segedu[course]'" in found["jupyterlab"].text
    assert "they skip" in found["browser"].text
    assert "-       jupyterlab" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("versions", "name", "sentence"),
    [
        ({"torch": "2.9.1"}, "torch", "2.9.1 is too old, 2.11 is needed"),
        ({"torchvision": "0.25.0+cu130"}, "torchvision", "0.25.0+cu130 is too old, 0.26 is needed"),
        ({"torch": None}, "torch", "is not installed"),
    ],
)
def test_a_library_that_is_required(machine, capsys, versions, name, sentence):
    machine(versions)
    assert cli.main(["check"]) == 1
    out, err = capsys.readouterr()
    assert f"MISSING {name}" in out
    assert sentence in err


def test_a_training_step_that_fails_is_reported(machine, capsys):
    def broken():
        raise RuntimeError("no kernel image")

    machine(step=broken)
    assert cli.main(["check"]) == 1
    assert "a training step failed with RuntimeError: no kernel image" in capsys.readouterr().err


def test_python_that_is_too_old():
    assert check._python((3, 11, 4)).ok
    assert "3.10.2 is too old, 3.11 is needed" in check._python((3, 10, 2)).text
    assert not check._python((3, 10, 2)).ok


def test_where_camvid_lies(machine, tmp_path, monkeypatch):
    machine()
    monkeypatch.setenv("SEGEDU_DATA", str(tmp_path))
    assert "python -m segedu download camvid" in findings()["CamVid"].text
    for part in ("images", "labels"):
        (tmp_path / "camvid" / "val" / part).mkdir(parents=True)
    assert findings()["CamVid"].text == f"val in {tmp_path}"
