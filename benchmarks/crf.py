"""Ten iterations of a dense CRF on photographs, against pydensecrf and against the sums over all pairs.

The photographs are scikit-learn's; the scores are synthetic: distances to random colours of the image at stride 8, with
noise, interpolated, and so sure of themselves that the field changes 46 % of the labels at 321x481. ``agreement`` is
the share of pixels to which a way gives the label that segedu gives, ``difference`` the mean of what their
probabilities differ by. pydensecrf (the package pydensecrf2) runs on one thread whatever it is told; it is in the
[bench] extra and left out where it is not installed. Memory is that of a process of its own: how far its resident set
rises above what it held before (Linux only).
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import common
import torch
import torch.nn.functional as F
from sklearn.datasets import load_sample_image
from torch import Tensor

from segedu.crf import Bilateral, Gaussian, dense_crf

STATUS, MARK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Task(NamedTuple):
    photo: str
    size: tuple[int, int]
    classes: int
    ways: tuple[str, ...]
    repeats: int
    position_std: float = 80.0
    colour_std: float = 13.0


TASKS = {
    "china": Task("china.jpg", (321, 481), 21, ("segedu", "pydensecrf"), 7),
    "flower": Task("flower.jpg", (321, 481), 21, ("segedu", "pydensecrf"), 7),
    "street size": Task("china.jpg", (1024, 2048), 19, ("segedu", "pydensecrf"), 1),
    "explorer size": Task("china.jpg", (96, 128), 12, ("segedu", "pydensecrf"), 11),
    **{
        f"{photo}, exact, {position:.0f}/{colour:.0f}": Task(
            f"{photo}.jpg", (80, 80), 21, ("segedu", "exact", "pydensecrf"), 1, position, colour
        )
        for photo in ("china", "flower")
        for position, colour in ((80.0, 13.0), (30.0, 13.0), (20.0, 5.0))
    },
}


def scene(task: Task) -> tuple[Tensor, Tensor]:
    """Scores ``(1, K, H, W)`` and the photograph ``(1, 3, H, W)`` in bytes: the middle of it, or all of it enlarged."""
    photo = torch.from_numpy(load_sample_image(task.photo).copy()).permute(2, 0, 1)[None]
    height, width = task.size
    if height > photo.shape[2] or width > photo.shape[3]:
        photo = F.interpolate(photo.float(), task.size, mode="bicubic").clamp(0, 255).byte()
    top, left = (photo.shape[2] - height) // 2, (photo.shape[3] - width) // 2
    photo = photo[..., top : top + height, left : left + width].contiguous()
    generator = torch.Generator().manual_seed(0)
    coarse = F.avg_pool2d(photo.float(), 8, ceil_mode=True)
    colours = coarse.flatten(2)[0].T
    chosen = colours[torch.randint(len(colours), (task.classes,), generator=generator)]
    scores = -torch.cdist(colours, chosen).T.reshape(1, task.classes, *coarse.shape[2:]) / 8
    scores += torch.randn(scores.shape, generator=generator)
    return F.interpolate(scores, task.size, mode="bilinear"), photo


def pydensecrf(scores: Tensor, photo: Tensor, task: Task) -> Tensor:
    import numpy as np
    from pydensecrf.densecrf import DenseCRF2D

    height, width = task.size
    field = DenseCRF2D(width, height, task.classes)
    field.setUnaryEnergy(-scores.log_softmax(1).flatten(2)[0].numpy())
    field.addPairwiseGaussian(sxy=3, compat=3)
    pixels = photo[0].permute(1, 2, 0).contiguous().numpy()
    field.addPairwiseBilateral(sxy=task.position_std, srgb=task.colour_std, rgbim=pixels, compat=10)
    return torch.from_numpy(np.array(field.inference(10))).view(scores.shape)


def segedu(scores: Tensor, photo: Tensor, task: Task, exact: bool = False) -> Tensor:
    kernels = (Gaussian(3.0, 3.0), Bilateral(task.position_std, task.colour_std, 10.0))
    return dense_crf(scores, photo, kernels, iterations=10, exact=exact)


WAYS: dict[str, Callable[[Tensor, Tensor, Task], Tensor]] = {
    "segedu": segedu,
    "exact": partial(segedu, exact=True),
    "pydensecrf": pydensecrf,
}


def resident(name: str) -> float:
    """MiB of this process: ``VmRSS`` are held now, ``VmHWM`` were held at most since the mark was reset."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def print_peak(task: Task, way: str) -> None:
    """What a run of its own adds to the memory of a process that has the packages and the scene loaded."""
    scores, photo = scene(task)
    corner = task._replace(size=(8, 8))
    WAYS[way](scores[..., :8, :8].contiguous(), photo[..., :8, :8].contiguous(), corner)
    before = resident("VmRSS")
    MARK.write_text("5")
    WAYS[way](scores, photo, task)
    print(resident("VmHWM") - before)


def peak(name: str, way: str, threads: int) -> float | None:
    if not MARK.exists():
        return None
    command = [sys.executable, __file__, "--peak", name, way, "--threads", str(threads)]
    return round(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]), 1)


def measure(name: str, threads: int) -> list[dict[str, Any]]:
    """A row for each way of a task."""
    task = TASKS[name]
    scores, photo = scene(task)
    ways = [way for way in task.ways if way != "pydensecrf" or find_spec("pydensecrf")]
    found = {way: WAYS[way](scores, photo, task) for way in ways}
    times = common.interleaved(
        {way: partial(WAYS[way], scores, photo, task) for way in ways}, repeats=task.repeats, warm_up=0
    )
    ours = found["segedu"]
    return [
        {
            "task": name,
            "size": f"{task.size[0]}x{task.size[1]}x{task.classes}",
            "threads": threads,
            "way": way,
            "wall_ms": round(1e3 * times[way].wall, 1),
            "cpu_ms": round(1e3 * times[way].cpu, 1),
            "wall_ratio_to_segedu": round(times[way].wall / times["segedu"].wall, 2),
            "agreement": round(float((found[way].argmax(1) == ours.argmax(1)).double().mean()), 5),
            "difference": float(f"{float((found[way] - ours).abs().mean()):.2g}"),
            "changed": round(float((found[way].argmax(1) != scores.argmax(1)).double().mean()), 3),
            "peak_mib": peak(name, way, threads),
        }
        for way in ways
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS), help="the tasks to measure")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="how many to measure with, in turn")
    parser.add_argument("--json", type=Path, help="write the table here")
    parser.add_argument("--peak", nargs=2, metavar=("TASK", "WAY"), help="print the memory of one run and stop")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads[0])
    if arguments.peak:
        name, way = arguments.peak
        return print_peak(TASKS[name], way)
    rows = []
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for name in arguments.only:
            rows += measure(name, threads)
    print(common.table(rows))
    if arguments.json:
        common.write(arguments.json, rows)
    return None


if __name__ == "__main__":
    main()
