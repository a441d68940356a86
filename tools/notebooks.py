"""Run the lessons and store them in one normal form, so that a change in the repository is a change of the lesson.

    python tools/notebooks.py                       run every notebook of notebooks/ and write it back
    python tools/notebooks.py notebooks/01_fcn.ipynb
    python tools/notebooks.py --check               run nothing; fail where a notebook is not in its normal form

Normal form: no widget state, model ids, times or versions; a cell's id follows from its text; execution counts from 1.
A notebook with a failing cell is left as it was. The verdicts in the course's own notebooks go to its ledger.
"""

import argparse
import hashlib
import os
import sys
from collections import Counter
from pathlib import Path

import gather
import ipykernel.kernelspec
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
VIEW = (
    "application/vnd.jupyter.widget-view+json"  # names a model of one kernel's life; the still picture beside it stays
)
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class ThisPython(KernelSpecManager):
    """Starts the interpreter that runs this script, whatever kernels the user has installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict())


def client(notebook: NotebookNode, folder: Path) -> NotebookClient:
    """What runs the cells of ``notebook`` in ``folder``, with this interpreter, and stores their outputs in it."""
    return NotebookClient(
        notebook,
        km=AsyncKernelManager(kernel_spec_manager=ThisPython()),
        resources={"metadata": {"path": str(folder)}},
        timeout=600,
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
    )


def normalise(notebook: NotebookNode) -> str:
    """The text of ``notebook`` in its normal form; ``notebook`` itself is changed to it."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: Counter[str] = Counter()
    count = 0
    for cell in notebook.cells:
        cell.source = cell.source.rstrip()
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.tags} if cell.metadata.get("tags") else {})
        cell.id = _cell_id(cell, seen)
        if cell.cell_type == "code":
            if cell.execution_count is not None:
                count += 1
                cell.execution_count = count
            for output in cell.outputs:
                _normalise_output(output, cell.execution_count)
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def _cell_id(cell: NotebookNode, seen: Counter[str]) -> str:
    """The same for the same text, so that a new cell changes no other cell's id; repeated texts are numbered."""
    digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
    seen[digest] += 1
    return digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _normalise_output(output: NotebookNode, count: int | None) -> None:
    if output.output_type == "execute_result":
        output.execution_count = count
    if "data" in output:
        output.data.pop(VIEW, None)
        output.metadata.pop(VIEW, None)


def write(path: Path, text: str) -> None:
    """Replace ``path`` in one step: an interrupted run leaves the old notebook."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, default=sorted(NOTEBOOKS.glob("*.ipynb")), metavar="notebook")
    parser.add_argument("--check", action="store_true", help="only say which notebooks are not in their normal form")
    options = parser.parse_args(arguments)
    if missing := [str(path) for path in options.paths if not path.is_file()]:
        parser.error(f"no such notebook: {', '.join(missing)}")
    failed = False
    for path in options.paths:
        before = path.read_text(encoding="utf-8")
        notebook = nbformat.reads(before, as_version=4)
        if options.check:
            if normalise(notebook) != before:
                failed = True
                print(f"{path}: not in its normal form; run `make notebooks`", file=sys.stderr)
            continue
        print(f"{path} ...", flush=True)
        try:
            client(notebook, path.parent).execute()
        except CellExecutionError as error:
            failed = True
            print(f"{path}: left as it was, because a cell failed\n{error}", file=sys.stderr)
        else:
            write(path, normalise(notebook))
    if not options.check and any(path.resolve().parent == NOTEBOOKS for path in options.paths):
        gather.main([])
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
