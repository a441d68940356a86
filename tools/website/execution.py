"""Lessons as they are when they have just run, each explorer with its frames; run again only after a change."""

import hashlib
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

import segedu
from notebooks import client, normalise, write

HOOK = "from segedu.classroom.explorers import frames\nframes.keep()"
LIBRARIES = ("torch", "torchvision", "numpy", "matplotlib", "ipywidgets")


class LessonError(Exception):
    """A cell of a lesson failed: which, and why, in one sentence."""


def executed(path: Path, cache: Path) -> NotebookNode:
    """The lesson with its outputs and frames, from ``cache`` if neither it nor the package has changed since.

    Raises `LessonError` for a cell that fails.
    """
    notebook = nbformat.read(path, as_version=4)
    kept = cache / f"{path.stem}.{_digest(notebook)}.ipynb"
    if kept.is_file():
        print(f"{path.name}: as it ran before", flush=True)
        return nbformat.read(kept, as_version=4)
    print(f"{path.name}: running ...", flush=True)
    _run(notebook, path)
    cache.mkdir(parents=True, exist_ok=True)
    for stale in cache.glob(f"{path.stem}.*.ipynb"):
        stale.unlink()
    write(kept, normalise(notebook))
    return notebook


def _run(notebook: NotebookNode, path: Path) -> None:
    """Run the lesson after a cell of ours, which nobody sees."""
    notebook.cells.insert(0, new_code_cell(HOOK))
    try:
        client(notebook, path.parent).execute()
    except CellExecutionError as error:
        raise LessonError(f"{path}: {_failed_cell(notebook)} failed: {error.ename}: {error.evalue}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise LessonError(f"{path}: {error}") from error
    del notebook.cells[0]


def _failed_cell(notebook: NotebookNode) -> str:
    """The cell that raised although it is not marked to do so: its number among the code cells, and its first line."""
    for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
        raised = any(output.output_type == "error" for output in cell.outputs)
        if raised and "raises-exception" not in cell.metadata.get("tags", []):
            return f"code cell {number} ({cell.source.splitlines()[0]!r})"
    return "a cell"


def _digest(notebook: NotebookNode) -> str:
    """Of what a lesson's outputs follow from: its cells, the package with its weights, and the libraries."""
    digest = hashlib.sha256(platform.python_version().encode())
    for name in LIBRARIES:
        digest.update(f"{name} {metadata.version(name)}\n".encode())
    for cell in notebook.cells:
        digest.update(f"{cell.cell_type}\n{cell.source}\n".encode())
    for path in (Path(__file__), *_package()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _package() -> Iterator[Path]:
    """The files of the package and of its trained weights, in a fixed order."""
    package = Path(segedu.__file__).parent
    yield from sorted(path for path in package.rglob("*") if path.suffix in {".py", ".json"})
    yield from sorted((package.parent / "assets" / "weights").rglob("*.safetensors"))
