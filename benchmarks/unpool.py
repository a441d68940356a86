"""Max pooling and unpooling, forward and backward, at SegNet's five levels for a 360 x 480 image: uint8 offsets against
PyTorch's int64 indices, by time and by the bytes that stay between the two.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import common
import torch
from torch import Tensor

from segedu.layers.way_back import WAYS_BACK

LEVELS = [(64, 360, 480), (128, 180, 240), (256, 90, 120), (512, 45, 60), (512, 23, 30)]
FORMATS = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}
WAYS = ("indices", "offsets", "packed offsets")


def step(name: str) -> Callable[[Tensor, Tensor], None]:
    """Pool, unpool and take the gradient."""
    pool, unpool = WAYS_BACK[name].pool(), WAYS_BACK[name].unpool()

    def run(x: Tensor, gradient: Tensor) -> None:
        pooled, kept = pool(x)
        torch.autograd.grad(unpool(pooled, kept, tuple(x.shape[-2:])), x, gradient)

    return run


def kept_bytes(name: str, x: Tensor) -> int:
    """What the pooling leaves for the unpooling."""
    return int(WAYS_BACK[name].pool()(x)[1].nbytes)


def measure(threads: int, repeats: int) -> list[dict[str, Any]]:
    torch.set_num_threads(threads)
    rows = []
    for layout, memory_format in FORMATS.items():
        totals = dict.fromkeys(WAYS, 0.0)
        bytes_kept = dict.fromkeys(WAYS, 0)
        for channels, height, width in LEVELS:
            x = torch.randn(1, channels, height, width).contiguous(memory_format=memory_format).requires_grad_()
            gradient = torch.randn_like(x)
            steps = {name: partial(step(name), x, gradient) for name in WAYS}
            times = {name: timing.wall for name, timing in common.interleaved(steps, repeats).items()}
            kept = {name: kept_bytes(name, x) for name in WAYS}
            rows += compared(f"{channels}x{height}x{width}", layout, threads, times, kept)
            totals = {name: totals[name] + times[name] for name in WAYS}
            bytes_kept = {name: bytes_kept[name] + kept[name] for name in WAYS}
        rows += compared("all five", layout, threads, totals, bytes_kept)
    return rows


def compared(
    level: str, layout: str, threads: int, times: dict[str, float], kept: dict[str, int]
) -> list[dict[str, Any]]:
    return [
        {
            "map": level,
            "format": layout,
            "threads": threads,
            "way": name,
            "ms": round(1e3 * time, 3),
            "time / indices": round(time / times["indices"], 2),
            "kept MiB": round(kept[name] / 2**20, 3),
        }
        for name, time in times.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--json", type=Path, help="write the rows and the machine's description here")
    arguments = parser.parse_args()
    rows = [one for threads in (1, 2) for one in measure(threads, arguments.repeats)]
    print(common.table(rows))
    if arguments.json:
        common.write(arguments.json, rows)


if __name__ == "__main__":
    main()
