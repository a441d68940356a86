"""Imports go down only, and importing the package brings along no notebook and no network."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import segedu

PACKAGE = Path(segedu.__file__).parent
SCIENCE, WORKSHOP, CLASSROOM = range(3)
FLOORS = {
    **dict.fromkeys(
        (
            "models",
            "layers",
            "losses",
            "metrics",
            "crf",
            "instances",
            "receptive_field",
            "labels",
            "mode",
            "ood",
            "operators",
        ),
        SCIENCE,
    ),
    **dict.fromkeys(("data", "train", "predict", "tiles", "inference", "trained", "profile", "check"), WORKSHOP),
    **dict.fromkeys(("classroom", "cli", "__main__"), CLASSROOM),
}
FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    """``models`` for ``segedu/models/fcn.py``, ``mode`` for ``segedu/mode.py``, "" for the package itself."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def parts_imported(source: str) -> set[str]:
    """The parts of segedu that a module imports, wherever in it the import stands."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import; write the module's whole name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    second = {name.split(".")[1] for name in names if name.startswith("segedu.")}
    return {name for name in second if not hasattr(segedu, name) or name in FLOORS}


def climbs(part: str, source: str) -> set[str]:
    """What ``part`` imports from a floor above its own; the package itself stands below all floors."""
    own = FLOORS[part] if part else SCIENCE - 1
    return {name for name in parts_imported(source) if FLOORS[name] > own}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path):
    assert climbs(part_of(path), path.read_text("utf-8")) == set()


@pytest.mark.parametrize(
    ("part", "source", "found"),
    [
        ("models", "from segedu.data import Streets", {"data"}),
        ("losses", "def later():\n    import segedu.train.loop as loop", {"train"}),
        ("data", "from segedu import classroom, device", {"classroom"}),
        ("", "from segedu.losses import cross_entropy", {"losses"}),
        ("classroom", "from segedu import trained\nfrom segedu.models import create", set()),
        ("metrics", "import torch\nfrom segedu import device", set()),
    ],
)
def test_a_climbing_import_is_found(part, source, found):
    assert climbs(part, source) == found


QUIET = """
import importlib, sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append((event, arguments)) if event.startswith("socket.") else None)
def imported(*loud):
    return {*loud} & {name.split(".")[0] for name in sys.modules}
for name in (*sys.argv[1:], "segedu.classroom"):
    importlib.import_module(name)
loud = imported("matplotlib", "ipywidgets", "IPython", "anywidget", "jupyterlab")
assert not loud, f"imported: {loud}"
importlib.import_module("segedu.classroom.explorers")
assert not imported("matplotlib"), "the explorers import matplotlib"
assert not opened, f"network: {opened}"
"""


@pytest.mark.processes
def test_import_brings_no_notebook_and_no_network():
    triton = importlib.util.find_spec("triton") is not None  # there is none for some systems, and nothing then needs it
    below = [path for path in FILES if part_of(path) != "classroom" and (triton or "triton" not in path.name)]
    modules = [".".join(("segedu", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in below]
    names = [name.removesuffix(".__init__") for name in modules]
    done = subprocess.run([sys.executable, "-c", QUIET, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
