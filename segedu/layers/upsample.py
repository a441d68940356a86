"""Ways back from coarse to fine: bilinear interpolation, a learnt transposed convolution, and shift-and-stitch.

All of them answer the same question: what is the value at a fine position between coarse cell centres? The positions
come from a ``Grid``, so a map is put back where its receptive fields are, whatever the padding of the layers before
it.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segedu.layers.grid import Grid

BORDERS = ("replicate", "zeros")


def bilinear_kernel(factor: int, size: int | None = None) -> Tensor:
    """The filter with which a transposed convolution of stride ``factor`` interpolates bilinearly: ``(size, size)``.

    A tent in each direction, ``1 - |distance to the centre| / factor``. ``size=2 * factor`` (the default) puts a
    cell's centre between two fine pixels, ``size=2 * factor - 1`` puts it on one. Inside the map the taps that meet
    at any fine pixel sum to 1. FCN, section 3.3; the release sets its upsampling filters like this. Raises
    ``ValueError`` for others.
    """
    size = 2 * factor if size is None else size
    if factor < 1 or size not in (2 * factor, 2 * factor - 1):
        raise ValueError(
            f"a bilinear kernel for factor {factor} has size {2 * factor} or {2 * factor - 1}, but size is {size}"
        )
    tent = 1 - (torch.arange(size) - (size - 1) / 2).abs() / factor
    return tent[:, None] * tent


class BilinearUpsample(nn.Module):
    """Bilinear interpolation from one grid to a finer one, with nothing to learn.

    ``(N, C, h, w) -> (N, C, H, W)`` for the ``size=(H, W)`` asked for. Interpolation is separable and linear, so it
    is two matrix products, one per axis; unlike ``F.interpolate`` this takes any offset between the grids, its
    backward pass adds nothing atomically, and on a CPU it is two to five times faster in training.
    ``border="replicate"`` holds the last value outside the map, ``border="zeros"`` fades to zero there, as a
    transposed convolution does.
    """

    def __init__(self, coarse: Grid, fine: Grid, border: str = "replicate") -> None:
        super().__init__()
        self.factor = coarse.factor_to(fine)
        self.offset = coarse.offset_on(fine)
        self.border = _checked(border)

    def forward(self, coarse: Tensor, size: tuple[int, int]) -> Tensor:
        rows, columns = (
            self._weights(cells, pixels, coarse) for cells, pixels in zip(coarse.shape[-2:], size, strict=True)
        )
        return rows @ (coarse @ columns.mT)

    def _weights(self, cells: int, pixels: int, like: Tensor) -> Tensor:
        """``(pixels, cells)``: how much each coarse cell gives to each fine pixel."""
        position = (torch.arange(pixels, device=like.device) - self.offset) / self.factor
        if self.border == "replicate":
            position = position.clamp(0, cells - 1)
        distance = (position[:, None] - torch.arange(cells, device=like.device)).abs()
        return (1 - distance).clamp(min=0).to(like.dtype)

    def extra_repr(self) -> str:
        return f"factor={self.factor}, offset={self.offset}, border={self.border!r}"


class LearnedUpsample(nn.Module):
    """A transposed convolution, one filter a channel, that starts as bilinear interpolation and is then free to learn.

    ``(N, C, h, w) -> (N, C, H, W)`` for the ``size=(H, W)`` asked for. FCN's paper learns its intermediate upsampling
    like this; its release keeps all of it fixed and reports no difference. Grouped, because the release's dense
    filters are zero off the diagonal: the same map with 1/C of the weights.
    """

    def __init__(self, channels: int, coarse: Grid, fine: Grid, border: str = "replicate") -> None:
        super().__init__()
        self.factor = coarse.factor_to(fine)
        self.offset = coarse.offset_on(fine)
        self.border = _checked(border)
        size = 2 * self.factor - (1 if self.offset.is_integer() else 0)
        kernel = bilinear_kernel(self.factor, size)
        self.weight = nn.Parameter(kernel.expand(channels, 1, size, size).clone())

    def forward(self, coarse: Tensor, size: tuple[int, int]) -> Tensor:
        rows, columns = (self._extent(cells, pixels) for cells, pixels in zip(coarse.shape[-2:], size, strict=True))
        mode = "replicate" if self.border == "replicate" else "constant"
        fine = self._between_cells(F.pad(coarse, (columns[0], columns[1], rows[0], rows[1]), mode=mode))
        return fine[..., rows[2] : rows[2] + size[0], columns[2] : columns[2] + size[1]]

    def _between_cells(self, coarse: Tensor) -> Tensor:
        """The transposed convolution where a pixel has 2 x 2 cells around it: ``-> (N, C, f * (h - 1), f * (w - 1))``.

        A fine pixel mixes the four cells around it by the four taps of its phase, so the phases are the channels of a
        2x2 convolution. On a CPU that is faster than ``F.conv_transpose2d`` on the same framed map, which computes a
        border of half a cell that is then cropped.
        """
        channels, factor = len(self.weight), self.factor
        missing = 2 * factor - self.weight.shape[-1]
        kernel = F.pad(self.weight, (missing, 0, missing, 0)).view(channels, 2, factor, 2, factor)
        phases = kernel.flip(1, 3).permute(0, 2, 4, 1, 3).reshape(channels * factor**2, 1, 2, 2)
        return F.pixel_shuffle(F.conv2d(coarse, phases, groups=channels), factor)

    def _extent(self, cells: int, pixels: int) -> tuple[int, int, int]:
        """Cells to add before and after so that every pixel lies between two, and the first pixel to keep."""
        first, last = (math.floor((pixel - self.offset) / self.factor) for pixel in (0, pixels - 1))
        before, after = max(0, -first), max(0, last + 2 - cells)
        return before, after, math.floor(before * self.factor - self.offset)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, factor={self.factor}, offset={self.offset}, border={self.border!r}"


def shift_and_stitch(network: Callable[[Tensor], Tensor], images: Tensor, stride: int) -> Tensor:
    """Dense output from a coarse network without interpolation: run it on every shift of the image and interlace.

    ``(N, C, H, W) -> (N, K, stride * h, stride * w)`` where ``network`` gives ``(N, K, h, w)``; ``stride ** 2``
    forward passes. Output ``(y, x)`` is what the network says with its grid moved to that pixel, so the receptive
    field stays as it was. FCN, section 3.2: considered there and not adopted; a network with its strides replaced by
    dilation computes the same numbers in one pass. The image is continued with zeros where a shift runs past its
    edge.
    """
    stitched = None
    for row in range(stride):
        for column in range(stride):
            coarse = network(F.pad(images, (0, column, 0, row))[..., row:, column:])
            if stitched is None:
                height, width = coarse.shape[-2:]
                stitched = coarse.new_empty(*coarse.shape[:-2], stride * height, stride * width)
            stitched[..., row::stride, column::stride] = coarse
    if stitched is None:
        raise ValueError(f"stride is {stride}; shift-and-stitch needs a stride of at least 1")
    return stitched


def _checked(border: str) -> str:
    if border not in BORDERS:
        raise ValueError(f"border is {border!r}; it is one of {', '.join(map(repr, BORDERS))}")
    return border
