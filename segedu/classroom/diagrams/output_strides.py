"""One set of weights on grids of three strides: what is taken from the strides comes back as rates."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from segedu import models, profile
from segedu.classroom.diagrams.trunk import FAINT, SIDE, Stage, draw_arrow, draw_stages, resnet_parts, stages
from segedu.classroom.figures import figure
from segedu.profile.counting import CountedMACs
from segedu.receptive_field import Layer, stacked

ROW, END = 2.1, 8.6  # units of the page
PARTS = ("kernel_size", "stride", "dilation", "padding")


@dataclass(frozen=True)
class Trunk:
    """One ResNet at an output stride: its ``stages``, ``parameters``, what it ``sees`` in pixels, and its work."""

    stages: tuple[Stage, ...]
    parameters: int
    sees: float | None
    macs: int

    @property
    def words(self) -> str:
        strides = ", ".join(stage.words for stage in self.stages)
        return f"strides {strides}: sees {self.sees:g} pixels, for {self.macs / 1e9:.0f} G multiply-adds"


def output_strides(backbone: str = "resnet50") -> None:
    """Draw ``backbone`` at output strides 32, 16 and 8, one below the other, as it stands in `segedu.models`.

    A stage is a square, the smaller the coarser its map; below it are the rates of its 3x3 layers, vermilion where
    they dilate.
    """
    rows = [*_trunks(backbone)]
    (parameters,) = {row.parameters for row in rows}
    words = "; ".join(row.words for row in rows)
    with figure(f"one {backbone} of {parameters / 1e6:.1f} M weights on three grids; {words}.", height=400) as canvas:
        axis = canvas.subplots()
        axis.text(0, -1.15, "stages by stride, and the rates of their 3 × 3 layers", ha="left", color=FAINT)
        for number, row in enumerate(rows):
            y = ROW * number
            axis.text(-3.4, y - 0.05, f"output stride {row.stages[-1].stride}", fontweight="bold", va="center")
            axis.text(-3.4, y + 0.4, f"{row.parameters / 1e6:.1f} M weights", va="center", color=FAINT)
            draw_arrow(axis, draw_stages(axis, y, row.stages), END - 0.2, y)
            cells = SIDE // row.stages[-1].stride
            axis.text(END, y - 0.4, f"{cells} × {cells} cells of a picture of {SIDE}", va="center")
            axis.text(END, y, f"each sees {row.sees:g} pixels", va="center")
            axis.text(END, y + 0.4, f"{row.macs / 1e9:.0f} G multiply-adds", va="center")
        axis.set(xlim=(-3.5, END + 4.9), ylim=(ROW * len(rows) - 0.9, -1.45))
        axis.set_axis_off()


def _trunks(backbone: str) -> Iterator[Trunk]:
    for stride in (32, 16, 8):
        with torch.device("meta"):
            parts = [*resnet_parts(models.RESNETS[backbone](output_stride=stride))]
        whole = nn.Sequential(*parts)
        with CountedMACs() as counted:
            found = stages(iter(parts))
        yield Trunk(found, profile.parameters(whole), stacked(_path(whole), SIDE)[-1].field.size, counted.count)


def _path(trunk: nn.Module) -> list[Layer]:
    """The layers with a window on the longest path: all but those on the shortcuts, which are 1x1."""
    windows = (
        module
        for name, module in trunk.named_modules()
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d)) and "downsample" not in name
    )
    return [Layer("conv", *(_side(getattr(one, part)) for part in PARTS)) for one in windows]


def _side(sizes: int | tuple[int, ...]) -> int:
    """Of a layer that is alike along both axes."""
    return sizes if isinstance(sizes, int) else sizes[0]
