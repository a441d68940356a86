"""How long each lesson takes on this machine, alone, from the start of its kernel to its last cell.

    python tools/timings.py                         every notebook of notebooks/, one after the other
    python tools/timings.py notebooks/01_fcn.ipynb

Prints a Markdown table, with the longest cell of each lesson under the heading that it stands under. Nothing is stored.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
import torch
from nbclient import NotebookClient
from nbformat import NotebookNode

from notebooks import NOTEBOOKS, client


class Timing(NamedTuple):
    """A lesson's seconds, and those of its longest cell."""

    whole: float
    longest: float
    heading: str


def timing(path: Path) -> Timing:
    """Run the lesson at ``path``; raises ``CellExecutionError`` where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    runner = client(notebook, path.parent)
    begun = time.perf_counter()
    with runner.setup_kernel():
        longest, heading = max(_cells(notebook, runner))
    return Timing(time.perf_counter() - begun, longest, heading)


def _cells(notebook: NotebookNode, runner: NotebookClient) -> Iterator[tuple[float, str]]:
    """The seconds of each code cell, and the last heading above it."""
    heading = ""
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            headings = [line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("#")]
            heading = headings[-1] if headings else heading
            continue
        begun = time.perf_counter()
        runner.execute_cell(cell, place)
        yield time.perf_counter() - begun, heading


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, default=sorted(NOTEBOOKS.glob("*.ipynb")), metavar="notebook")
    place = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} processor cores"
    print(f"| lesson | seconds on {place} | longest cell |\n|--|--|--|")
    for path in parser.parse_args().paths:
        whole, longest, heading = timing(path)
        print(f"| {path.stem} | {whole:.0f} | {longest:.0f} s, {heading} |", flush=True)


if __name__ == "__main__":
    main()
