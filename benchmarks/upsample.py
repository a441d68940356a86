"""Bilinear upsampling: two matrix products against F.interpolate and a grouped or dense transposed convolution."""

import argparse
from pathlib import Path

import common
import torch
import torch.nn.functional as F

from segedu.layers.grid import Grid
from segedu.layers.upsample import BilinearUpsample, bilinear_kernel

CASES = [  # batch, classes, height, width, factor
    (8, 12, 3, 4, 32),
    (8, 12, 12, 16, 8),
    (1, 21, 16, 16, 32),
    (1, 21, 63, 63, 8),
    (1, 19, 64, 128, 8),
]


def ways(classes: int, factor: int, size: tuple[int, int]) -> dict:
    """Four ways to the same picture (the transposed convolutions differ from the others within half a cell of the border)."""
    kernel = bilinear_kernel(factor)
    grouped = kernel.expand(classes, 1, *kernel.shape).contiguous()
    dense = torch.zeros(classes, classes, *kernel.shape)
    dense[range(classes), range(classes)] = kernel
    ours = BilinearUpsample(Grid(factor, (factor - 1) / 2), Grid())
    pad = factor // 2
    return {
        "segedu": lambda x: ours(x, size),
        "F.interpolate": lambda x: F.interpolate(x, scale_factor=factor, mode="bilinear"),
        "grouped transposed": lambda x: F.conv_transpose2d(x, grouped, stride=factor, padding=pad, groups=classes),
        "dense transposed": lambda x: F.conv_transpose2d(x, dense, stride=factor, padding=pad),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the table here")
    arguments = parser.parse_args()
    rows = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for batch, classes, height, width, factor in CASES:
            x = torch.randn(batch, classes, height, width, requires_grad=True)
            size = (height * factor, width * factor)
            gradient = torch.randn(batch, classes, *size)

            def step(way, x=x, gradient=gradient):
                return lambda: torch.autograd.grad(way(x), x, gradient)

            times = common.interleaved({name: step(way) for name, way in ways(classes, factor, size).items()}, repeats=15)
            for name, milliseconds in times.items():
                shape = f"{batch}x{classes}x{height}x{width} x{factor}"
                rows.append({
                    "case": shape, "threads": threads, "way": name,
                    "forward_backward_ms": round(milliseconds, 2), "ratio_to_segedu": round(milliseconds / times["segedu"], 2),
                })
                print("{case:24} threads {threads}  {way:20} {forward_backward_ms:8.2f} ms  x{ratio_to_segedu}".format(**rows[-1]))
    if arguments.json:
        common.write(arguments.json, rows)


if __name__ == "__main__":
    main()
