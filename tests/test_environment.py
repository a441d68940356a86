"""The set-up script: quick when nothing changed, and one sentence for each thing that can be wrong."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
spec = importlib.util.spec_from_file_location("environment", ROOT / "tools" / "environment.py")
environment = importlib.util.module_from_spec(spec)
spec.loader.exec_module(environment)


def empty_course(folder):
    """A folder with a space in its name that wants nothing installed."""
    root = folder / "a course"
    root.mkdir()
    (root / "requirements.txt").write_text("# nothing\n")
    (root / "pyproject.toml").write_text("")
    return root


@pytest.fixture
def course(tmp_path):
    return empty_course(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A course whose environment is there; making one takes seconds."""
    root = empty_course(tmp_path_factory.mktemp("made"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "NEEDED_BYTES", 1)
        environment.prepare(root)
    return root


@pytest.mark.processes
def test_makes_the_environment_once_and_again_when_something_changed(made, monkeypatch):
    calls = []
    monkeypatch.setattr(environment, "NEEDED_BYTES", 1)
    monkeypatch.setattr(environment, "install", lambda *args: calls.append("install"))
    python = environment.python_of(made / ".venv")
    assert environment.runs(python)
    environment.prepare(made)
    assert calls == []
    (made / "requirements.txt").write_text("# something else\n")
    environment.prepare(made)
    assert calls == ["install"]
    python.unlink()  # as when the system's Python was replaced
    monkeypatch.setattr(environment, "create", lambda venv: (calls.append("create"), python.symlink_to(sys.executable)))
    environment.prepare(made)
    assert calls == ["install", "create", "install"]
    assert environment.runs(python)


def test_an_installation_that_failed_is_not_taken_for_done(course, monkeypatch):
    monkeypatch.setattr(environment, "create", lambda venv: venv.mkdir(exist_ok=True))
    monkeypatch.setattr(environment, "runs", lambda python: True)

    def fails(python, root):
        raise environment.SetupError("cut off")

    monkeypatch.setattr(environment, "install", fails)
    for _ in range(2):
        with pytest.raises(environment.SetupError, match="cut off"):
            environment.prepare(course)


def test_python_too_old_is_one_sentence():
    with pytest.raises(environment.SetupError, match=r"this is Python 3\.9, and the course needs 3\.11"):
        environment.check_python((3, 9))


def test_full_disk_is_one_sentence(course, monkeypatch):
    usage = type("usage", (), {"free": 10**9})
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(environment.SetupError, match=r"1\.0 GB free, and the environment needs about 7 GB"):
        environment.prepare(course)
    assert not (course / ".venv").exists()


@pytest.mark.processes
def test_no_network_is_one_sentence(made):
    """pip itself, asked for a package at a port where nobody listens."""
    (made / "requirements.txt").write_text("a-package-to-download\n")
    nobody = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
    }
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import environment; from pathlib import Path\n"
        "environment.NEEDED_BYTES = 1; environment.ROOT = Path(sys.argv[2]); sys.exit(environment.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "tools"), str(made)],
        env={name: value for name, value in os.environ.items() if not name.startswith("PIP_")} | nobody,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"segedu: the packages cannot be downloaded: no network.*\n", done.stderr)
    assert (made / ".venv" / ".segedu-ready").read_text() != environment.digest(made)  # so the next call tries again


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("x\nOSError: [Errno 28] No space left on device\n", "the disk ran full"),
        ("ERROR: No matching distribution found for torch>=2.11\n", "No matching distribution found for torch"),
        ("", "no output"),
    ],
)
def test_pips_failures_are_sentences(output, sentence):
    assert sentence in environment.reason(output)


def test_requirements_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert lines == [*project["dependencies"], *extras["course"], *extras["test"], "-e ."]
