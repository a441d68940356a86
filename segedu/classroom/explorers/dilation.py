"""The dilation explorer: one dilated kernel on a map, what it reads, who reads a cell, and what falls off the map."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import ipywidgets
import numpy as np
import numpy.typing as npt

from segedu.classroom.explorers import dilation_picture
from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.scene import Cell, Primitive, Scene
from segedu.classroom.explorers.walk import Walk

LARGEST_RATE, LARGEST_STRIDE = 24, 4
SIZES = (9, 65)
DEEPLAB_SIZE = 33  # the map of a 513-pixel picture at output stride 16, as DeepLab v3 trains


@dataclass(frozen=True)
class Reads:
    """What a dilated ``kernel`` reads along one axis of a map of ``size`` cells, and so over the whole square map.

    The padding keeps the map's size at stride 1. Both axes are alike, so every count of the map is the product of that
    of its row and its column. ``column`` is where the kernel stands when nobody points at anything.
    """

    size: int
    kernel: int
    rate: int
    stride: int
    column: int

    @property
    def padding(self) -> int:
        """The cells of padding on each side that keep the size, ``rate * (kernel - 1) / 2``."""
        return self.rate * (self.kernel // 2)

    @property
    def span(self) -> int:
        """The kernel's effective size, ``1 + (kernel - 1) * rate`` cells."""
        return 1 + (self.kernel - 1) * self.rate

    @property
    def units(self) -> int:
        """The side of the output map."""
        return (self.size - 1) // self.stride + 1

    def taps(self, unit: int) -> list[int]:
        """The cells that an output unit reads, in order; its taps in the padding are left out."""
        first = unit * self.stride - self.padding
        return [cell for cell in range(first, first + self.span, self.rate) if 0 <= cell < self.size]

    def readers(self, cell: int) -> list[int]:
        """The output units that read a cell, in order."""
        reach = range(cell - self.padding, cell + self.padding + 1, self.rate)
        units = (centre // self.stride for centre in reach if centre % self.stride == 0)
        return [unit for unit in units if 0 <= unit < self.units]

    @cached_property
    def taps_on_map(self) -> npt.NDArray[np.int64]:
        """How many taps each output unit has on the map, ``(units,)``."""
        return np.array([len(self.taps(unit)) for unit in range(self.units)])

    @cached_property
    def read_by(self) -> npt.NDArray[np.int64]:
        """How many output units read each cell, ``(size,)``."""
        return np.array([len(self.readers(cell)) for cell in range(self.size)])

    @property
    def share_on_map(self) -> float:
        """The share of all taps of all units that fall on the map, in closed form: the rest read padding.

        The tap ``d`` cells from the centre is on the map for the units from ``-d / stride``, rounded up, to ``(size - 1
        - d) / stride``, rounded down, as far as there are such units.
        """
        offsets = range(-self.padding, self.padding + 1, self.rate)
        firsts = (max(0, -(offset // self.stride)) for offset in offsets)
        lasts = (min(self.units - 1, (self.size - 1 - offset) // self.stride) for offset in offsets)
        on_map = sum(max(0, last - first + 1) for first, last in zip(firsts, lasts, strict=True))
        return (on_map / (self.units * self.kernel)) ** 2

    @property
    def share_whole(self) -> float:
        """The share of output units with all their taps on the map."""
        return float(np.mean(self.taps_on_map == self.kernel)) ** 2

    @property
    def unread(self) -> int:
        """How many cells of the map no unit reads."""
        return int(self.size**2 - np.count_nonzero(self.read_by) ** 2)

    @property
    def code(self) -> str:
        """The layer in PyTorch, with C channels in and K out."""
        return f"nn.Conv2d(C, K, {self.kernel}, stride={self.stride}, padding={self.padding}, dilation={self.rate})"


class DilationExplorer(Explorer[Reads]):
    """A dilated kernel on a square map: its taps on the input, the units that read a cell, and the taps in padding.

    Once the rate passes the map's side less one, only the centre tap is left (DeepLab v3, section 3.3). With nothing
    pointed at, the kernel stands in the middle row at the slider's column; moving that slider lets a pinned cell go.
    """

    lines_of_words: ClassVar[int] = 4

    def __init__(self) -> None:
        look = {"layout": {"width": "auto"}, "style": {"description_width": "80px"}}
        middle, longest = DEEPLAB_SIZE // 2, SIZES[1] - 1
        self._walk = Walk(middle, last=DEEPLAB_SIZE - 1, longest=longest, description="column")
        rate = ipywidgets.IntSlider(6, min=1, max=LARGEST_RATE, description="rate", **look)
        kernel = ipywidgets.Dropdown(options=[("3 × 3", 3), ("5 × 5", 5)], description="kernel", **look)
        stride = ipywidgets.IntSlider(1, min=1, max=LARGEST_STRIDE, description="stride", **look)
        size = ipywidgets.IntSlider(DEEPLAB_SIZE, min=SIZES[0], max=SIZES[1], description="map size", **look)
        for control in (stride, size):
            control.observe(lambda _: self._walk.reach((size.value - 1) // stride.value), "value")
        super().__init__(
            "Dilation explorer: a dilated kernel on a map, and how often each cell is read",
            {"rate": rate, "column": self._walk},
            {"kernel": kernel, "stride": stride, "size": size},
        )

    def reset(self) -> None:
        """Back to how this explorer opened; the walk stops."""
        self._walk.stop()
        super().reset()

    def releases(self, control: str, cell: Cell) -> bool:
        """A pinned cell would hide the walk."""
        return control == "column"

    def compute(self, state: State) -> Reads:
        """The reads of a kernel, which stands at the chosen column or, on a smaller map, at the last one."""
        reads = Reads(*(state[name] for name in ("size", "kernel", "rate", "stride", "column")))
        return replace(reads, column=min(reads.column, reads.units - 1))

    def draw(self, result: Reads) -> Scene:
        return dilation_picture.scene(result.read_by, result.taps_on_map, result.kernel)

    def marks(self, result: Reads, scene: Scene, cell: Cell | None) -> list[Primitive]:
        if cell is not None and cell["panel"] == "input":
            place = (cell["row"], cell["col"])
            return dilation_picture.readers(scene, place, *map(result.readers, place))
        unit = _unit(result, cell)
        return dilation_picture.taps(scene, unit, *map(result.taps, unit))

    def words(self, result: Reads, scene: Scene, cell: Cell | None) -> str:
        if cell is not None and cell["panel"] == "input":
            pointed = _say_cell(result, cell["row"], cell["col"])
        else:
            pointed = _say_unit(result, *_unit(result, cell))
        return "\n".join([_say_kernel(result), _say_shares(result), pointed, result.code])


def _unit(reads: Reads, cell: Cell | None) -> tuple[int, int]:
    """The output unit that is shown: the one pointed at, or the one where the kernel stands in the middle row."""
    return (reads.units // 2, reads.column) if cell is None else (cell["row"], cell["col"])


def _say_kernel(reads: Reads) -> str:
    strided = f", stride {reads.stride} leaves {reads.units} × {reads.units}" if reads.stride > 1 else ""
    return (
        f"Rate {reads.rate}: 1 + {reads.kernel - 1}·{reads.rate} = {reads.span} cells wide. "
        f"Padding {reads.padding} keeps {reads.size} × {reads.size}{strided}."
    )


def _say_shares(reads: Reads) -> str:
    said = f"{_percent(reads.share_on_map)} of taps are on the map"
    if reads.rate >= reads.size:
        said += ": the centres, a 1 × 1 convolution"
    elif reads.share_whole:
        said += f"; {_percent(reads.share_whole)} of units see all {reads.kernel**2}"
    else:
        said += f"; no unit sees all {reads.kernel**2}"
    return f"{said}; {reads.unread} cells are unread." if reads.unread else f"{said}."


def _say_unit(reads: Reads, row: int, col: int) -> str:
    on_map, every = len(reads.taps(row)) * len(reads.taps(col)), reads.kernel**2
    return f"Output unit at row {row}, column {col}: {on_map} of {every} taps on the map, {every - on_map} in padding."


def _say_cell(reads: Reads, row: int, col: int) -> str:
    down, across = len(reads.readers(row)), len(reads.readers(col))
    who = f"{down} × {across} = {down * across} output units read it" if down and across else "no output unit reads it"
    return f"Input cell at row {row}, column {col}: {who}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"
