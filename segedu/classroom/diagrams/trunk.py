"""A trunk as a row of squares: the stride that each stage comes to, and the rates of its layers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import nn

from segedu.classroom.colours import NOW, REST
from segedu.classroom.figures import INK
from segedu.models.resnet import ResNet

SIDE = 512  # pixels of the picture whose maps are measured; some round up
CELL, STEP = 0.62, 1.45  # units of the page: of a square, and from square to square
FAINT = "#6E6E6E"


@dataclass(frozen=True)
class Stage:
    """Maps of one resolution: the ``stride`` they come to, and the ``rates`` of their 3x3 layers, each once."""

    stride: int
    rates: tuple[int, ...]

    @property
    def words(self) -> str:
        return f"{self.stride} at rate{'s' * (len(self.rates) > 1)} {', '.join(map(str, self.rates))}"


def resnet_parts(trunk: ResNet) -> Iterator[nn.Sequential]:
    """The stem, up to its pooling, and the four layers."""
    yield nn.Sequential(trunk.conv1, trunk.bn1, trunk.relu, trunk.maxpool)
    yield from (getattr(trunk, f"layer{number}") for number in range(1, 5))


def stages(parts: Iterator[nn.Sequential]) -> tuple[Stage, ...]:
    """The stride of each part's map, and the rates of its layers that are wider than 1x1; ``parts`` are on ``meta``."""
    x = torch.empty(1, 3, SIDE, SIDE, device="meta")
    found = []
    for part in parts:
        x = part(x)
        rates = {
            layer.dilation[0] for layer in part.modules() if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] > 1
        }
        found.append(Stage(round(SIDE / x.shape[-1]), tuple(sorted(rates))))
    return tuple(found)


def draw_stages(axis: Axes, y: float, row: Sequence[Stage]) -> float:
    """A square a stage, the smaller the coarser its map, its rates below, vermilion where they dilate; where it ends.

    The first square begins at 0, and all are centred on the height ``y``.
    """
    for number, stage in enumerate(row):
        x, side = STEP * number, CELL * (0.85 + 0.9 / stage.stride**0.5)
        axis.add_patch(Rectangle((x, y - side / 2), side, side, facecolor=REST, alpha=0.35, edgecolor=INK, linewidth=1))
        axis.text(x + side / 2, y, f"1/{stage.stride}", ha="center", va="center", fontsize=10)
        colour, weight = (NOW, "bold") if stage.rates[-1] > 1 else (FAINT, "normal")
        rates = ", ".join(map(str, stage.rates))
        axis.text(x + side / 2, y + 0.82, rates, ha="center", va="center", color=colour, fontweight=weight)
    return STEP * len(row) - 0.45


def draw_arrow(axis: Axes, start: float, end: float, y: float) -> None:
    axis.annotate("", (end, y), (start, y), arrowprops={"arrowstyle": "-|>", "color": INK})
