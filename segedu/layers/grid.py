"""Where the cells of a feature map lie on the image: the arithmetic behind every crop and every alignment.

A convolution or pooling layer reads windows whose centres form a regular grid on its input, so along each axis the
centre of cell ``i`` of any feature map lies at ``start + stride * i`` in image pixels (pixel 0 has its centre at 0).
Two maps can be added only where their centres meet; this is what FCN's crops of 19, 5, 9, 27 and 31 pixels are for.
"""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Grid:
    """Cell centres ``start + stride * i``, in pixels of the image, along both axes (layers here are square)."""

    stride: int = 1
    start: float = 0.0

    def through(self, *layers: nn.Module) -> "Grid":
        """The grid after ``layers``; a module that is no convolution or pooling leaves the grid as it is.

        Raises ``ValueError`` for a layer whose kernel, stride, padding or dilation differs between the two axes, and
        for a transposed convolution, whose cells lie between those of its input.
        """
        grid = self
        for layer in layers:
            if isinstance(layer, nn.ConvTranspose2d):
                raise ValueError("ConvTranspose2d makes a finer map; a Grid is followed through layers that coarsen it")
            if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
                kernel, stride, padding = (_one(layer, name) for name in ("kernel_size", "stride", "padding"))
                dilation = 1 if isinstance(layer, nn.AvgPool2d) else _one(layer, "dilation")
                centre = dilation * (kernel - 1) / 2 - padding
                grid = Grid(grid.stride * stride, grid.start + grid.stride * centre)
        return grid

    def offset_on(self, finer: "Grid") -> float:
        """Index on ``finer`` at which this grid's first centre lies; whole or half, as strides divide each other."""
        return (self.start - finer.start) / finer.stride

    def factor_to(self, finer: "Grid") -> int:
        """How many cells of ``finer`` one cell of this grid spans. Raises ``ValueError`` when that is not whole."""
        if self.stride % finer.stride:
            raise ValueError(f"a stride of {self.stride} is no multiple of {finer.stride}: no whole upsampling factor")
        return self.stride // finer.stride


def _one(layer: nn.Module, name: str) -> int:
    value = getattr(layer, name)
    sides = set(value) if isinstance(value, tuple) else {value}
    if len(sides) != 1 or isinstance(value, str):
        raise ValueError(f"{type(layer).__name__} has {name}={value}; a Grid needs one whole number for both axes")
    return int(sides.pop())
