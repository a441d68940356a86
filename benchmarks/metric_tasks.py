"""What the benchmarks of metrics share: a scene of 19 classes, and how the ways of a task are timed and listed."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import common
import torch
import torch.nn.functional as F
from torch import Tensor

CLASSES, VOID = 19, 255

Way = Callable[[], Any]


def label_maps() -> tuple[Tensor, Tensor, Tensor]:
    """Scores ``(2, 19, 512, 512)``, the labels that they call, and a target with a void strip: soft-edged regions as
    in a real scene."""
    generator = torch.Generator().manual_seed(0)
    truth = F.interpolate(torch.randn(2, CLASSES, 32, 32, generator=generator), size=(512, 512), mode="bilinear")
    scores = truth + 0.5 * F.interpolate(torch.randn(2, CLASSES, 64, 64, generator=generator), size=(512, 512))
    target = truth.argmax(1)
    target[:, :20] = VOID
    return scores, scores.argmax(1), target


def require_equal(what: str, ours: float, theirs: float, tolerance: float = 1e-6) -> None:
    """Stop before timing ways that do not compute the same."""
    if not abs(ours - theirs) <= tolerance:
        raise SystemExit(f"{what}: segedu has {ours}, the other {theirs}")


def run(description: str | None, tasks: Callable[[], Mapping[str, Mapping[str, Way]]], repeats: int = 11) -> None:
    """Time the ways of each task, ours named ``segedu``, on one thread and on two; print and write the rows."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="write the table here")
    arguments = parser.parse_args()
    rows = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for task, ways in tasks().items():
            times = common.interleaved(ways, repeats, in_a_row=4)
            for name, time in times.items():
                rows.append(
                    {
                        "task": task,
                        "threads": threads,
                        "way": name,
                        "wall_ms": round(1e3 * time.wall, 2),
                        "cpu_ms": round(1e3 * time.cpu, 2),
                        "cpu_ratio_to_segedu": round(time.cpu / times["segedu"].cpu, 2),
                    }
                )
    print(common.table(rows))
    if arguments.json:
        common.write(arguments.json, rows)
