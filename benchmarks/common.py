"""What every benchmark shares: the machine's description, fair timing, and one way to write results."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import torch


class Timing(NamedTuple):
    """Medians over the repeats, in seconds: by the clock, and of processor time over all threads."""

    wall: float
    cpu: float


def machine() -> dict[str, Any]:
    """Where a figure was taken: processor, cores, accelerator, versions and the day."""
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    """The processor's model where the system tells it, else its architecture."""
    description = Path("/proc/cpuinfo")
    if description.exists():
        for line in description.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def interleaved(
    functions: Mapping[str, Callable[[], Any]], repeats: int = 11, warm_up: int = 2, in_a_row: int = 1
) -> dict[str, Timing]:
    """Time several functions in turn, so that whatever else the machine does falls on all of them alike.

    With ``in_a_row`` above 1 a turn is that many calls, and the first of them is not counted: it finds the caches full
    of what another function left there, where the others find them as a loop over the one function does.
    """
    for _ in range(warm_up):
        for function in functions.values():
            function()
    taken: dict[str, list[Timing]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            calls = [_timed(function) for _ in range(in_a_row)]
            taken[name] += calls[1:] or calls
    return {name: Timing(*map(statistics.median, zip(*rows, strict=True))) for name, rows in taken.items()}


def _timed(function: Callable[[], Any]) -> Timing:
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    _synchronise()
    return Timing(time.perf_counter() - wall, time.process_time() - cpu)


def median_time(function: Callable[[], Any], repeats: int = 11, warm_up: int = 2) -> Timing:
    """Time one function."""
    return interleaved({"": function}, repeats, warm_up)[""]


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with equal keys as a Markdown table."""
    heads = list(rows[0])
    cells = [[f"{row[head]:.4g}" if isinstance(row[head], float) else str(row[head]) for head in heads] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]

    def line(texts: Sequence[str]) -> str:
        return "| " + " | ".join(text.rjust(width) for text, width in zip(texts, widths, strict=True)) + " |"

    return "\n".join([line(heads), line(["-" * width for width in widths]), *map(line, cells)])


def write(path: str | Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows and the machine's description as JSON, whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps({"machine": machine(), "rows": list(rows)}, indent=1) + "\n")
    draft.replace(path)
