"""Bilinear upsampling, forward and backward: segedu's fixed and learnt layers against PyTorch's own ways.

The transposed convolutions fade to zero at the border where interpolation holds the last value; the work is the same.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.layers.grid import Grid
from segedu.layers.upsample import BilinearUpsample, LearnedUpsample, bilinear_kernel

CASES = [(8, 12, 3, 4, 32), (8, 12, 12, 16, 8), (1, 21, 16, 16, 32), (1, 21, 63, 63, 8), (1, 19, 64, 128, 8)]


def ways(classes: int, factor: int, size: tuple[int, int]) -> dict[str, Callable[[Tensor], Tensor]]:
    """Six ways to upsample ``classes`` score maps by ``factor``; learnt filters get a gradient too."""
    coarse, image = Grid(factor, (factor - 1) / 2), Grid()
    fixed, learnt = BilinearUpsample(coarse, image), LearnedUpsample(classes, coarse, image)
    kernel = bilinear_kernel(factor)
    grouped = kernel.repeat(classes, 1, 1, 1).requires_grad_()
    dense = torch.zeros(classes, classes, *kernel.shape)
    dense[range(classes), range(classes)] = kernel
    options: dict[str, Any] = {"stride": factor, "padding": factor // 2}
    return {
        "segedu fixed": lambda x: fixed(x, size),
        "F.interpolate": lambda x: F.interpolate(x, scale_factor=factor, mode="bilinear"),
        "dense transposed, fixed": lambda x: F.conv_transpose2d(x, dense, **options),
        "segedu learnt": lambda x: learnt(x, size),
        "the same frame transposed, learnt": lambda x: framed_transposed(learnt, x, size),
        "grouped transposed, learnt": lambda x: F.conv_transpose2d(x, grouped, groups=classes, **options),
    }


def framed_transposed(layer: LearnedUpsample, x: Tensor, size: tuple[int, int]) -> Tensor:
    """What ``layer`` computes, border repeated, by PyTorch's transposed convolution."""
    (top, bottom, row), (left, right, column) = (layer._extent(n, m) for n, m in zip(x.shape[-2:], size, strict=True))
    framed = F.pad(x, (left, right, top, bottom), mode="replicate")
    fine = F.conv_transpose2d(framed, layer.weight, stride=layer.factor, groups=len(layer.weight))
    row, column = row + layer.factor, column + layer.factor  # the layer leaves out the half that is cropped here
    return fine[..., row : row + size[0], column : column + size[1]]


def measure(threads: int, repeats: int) -> list[dict[str, Any]]:
    torch.set_num_threads(threads)
    rows = []
    for batch, classes, height, width, factor in CASES:
        x = torch.randn(batch, classes, height, width, requires_grad=True)
        size = (height * factor, width * factor)
        gradient = torch.randn(batch, classes, *size)
        steps = {
            name: lambda way=way, x=x, gradient=gradient: way(x).backward(gradient)
            for name, way in ways(classes, factor, size).items()
        }
        times = common.interleaved(steps, repeats)
        for name, timing in times.items():
            ours = times["segedu learnt" if "learnt" in name else "segedu fixed"]
            rows.append(
                {
                    "scores": f"{batch}x{classes}x{height}x{width}",
                    "factor": factor,
                    "threads": threads,
                    "way": name,
                    "ms": round(1e3 * timing.wall, 3),
                    "time / segedu": round(timing.wall / ours.wall, 2),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write the rows and the machine's description here")
    arguments = parser.parse_args()
    rows = [row for threads in (1, 2) for row in measure(threads, arguments.repeats)]
    print(common.table(rows))
    if arguments.json:
        common.write(arguments.json, rows)


if __name__ == "__main__":
    main()
