"""A study's record is written whole, says where it comes from, and is missed by name."""

import json
from datetime import date
from importlib import import_module
from pathlib import Path

import pytest

from segedu.classroom import studies
from segedu.classroom.studies import load, record, save

FOLDER = Path(studies.__file__).parent
STUDIES = sorted(path.stem for path in FOLDER.glob("*.json"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "_FOLDER", tmp_path)
    return tmp_path


def test_what_is_saved_is_loaded(folder):
    path = save("trial", {"counts": [1, 2]}, {"20": {"arm": [[1.5, 2.5]]}})
    kept = load("trial")
    assert path.parent == folder
    assert kept.settings == {"counts": [1, 2]}
    assert kept.figures == {"20": {"arm": [[1.5, 2.5]]}}
    assert kept.taken["date"] == date.today().isoformat()
    assert set(kept.taken) == {"date", "torch", "device"}


def test_a_failed_write_leaves_the_last_record(folder):
    save("trial", {}, {"a": 1})
    with pytest.raises(TypeError):
        save("trial", {}, {"a": object()})
    assert load("trial").figures == {"a": 1}
    assert json.loads((folder / "trial.json").read_text())["figures"] == {"a": 1}


def test_a_study_never_run_is_named(folder):
    with pytest.raises(FileNotFoundError, match=r"trial has no record; run it: python -m segedu\.classroom\.studies"):
        load("trial")


@pytest.mark.parametrize("name", STUDIES)
def test_a_record_was_taken_by_the_settings_that_stand_in_its_module(name):
    settings = import_module(f"{studies.__name__}.{name}").SETTINGS
    assert load(name).settings == json.loads(json.dumps(settings))


def test_every_module_that_records_has_a_record():
    recording = {path.stem for path in FOLDER.glob("*.py") if "record.save" in path.read_text()}
    assert {*STUDIES} == recording
