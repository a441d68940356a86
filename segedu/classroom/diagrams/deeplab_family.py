"""Three networks that keep a fine map and look far on it: strides, rates and heads of DeepLab v1, v2 and v3."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from torch import nn

from segedu import models, profile
from segedu.classroom.colours import NOW
from segedu.classroom.diagrams.trunk import FAINT, Stage, draw_arrow, draw_stages, resnet_parts, stages
from segedu.classroom.figures import INK, figure
from segedu.models.deeplab import DeepLabV1

ROW, HEAD, END = 2.1, 8.6, 13.2  # units of the page


@dataclass(frozen=True)
class Member:
    """One version: the ``stages`` of its trunk, the ``branches`` of its head in words, and its ``parameters``."""

    name: str
    stages: tuple[Stage, ...]
    branches: tuple[str, ...]
    parameters: int
    ends_in_crf: bool

    @property
    def words(self) -> str:
        stages = ", ".join(stage.words for stage in self.stages)
        end = "then a dense CRF" if self.ends_in_crf else "no CRF"
        return f"{self.name}, {self.parameters / 1e6:.1f} M: strides {stages}; head {', '.join(self.branches)}; {end}"


def deeplab_family(num_classes: int = 21) -> None:
    """Draw the three versions, one below the other, as they stand in `segedu.models`.

    A stage is a square, the smaller the coarser its map; below it are the rates of its 3x3 layers, vermilion where
    they dilate.
    """
    family = [*_family(num_classes)]
    with figure("; ".join(one.words for one in family) + ".", height=400) as canvas:
        axis = canvas.subplots()
        for row, member in enumerate(family):
            _draw(axis, ROW * row, member)
        axis.text(HEAD, -1.15, "head, on the last map", ha="left", color=FAINT)
        axis.text(0, -1.15, "trunk: stages by stride, and their rates", ha="left", color=FAINT)
        axis.set(xlim=(-2.3, END + 1.6), ylim=(ROW * len(family) - 0.9, -1.45))
        axis.set_axis_off()


def _family(num_classes: int) -> Iterator[Member]:
    with torch.device("meta"):
        nets: dict[str, DeepLabV1 | models.AtrousSegmenter] = {
            "v1": DeepLabV1(num_classes),
            "v2": models.DeepLabV2(num_classes, models.RESNETS["resnet101_msra"](output_stride=8)),
            "v3": models.DeepLabV3(
                num_classes, models.RESNETS["resnet50"](output_stride=16, multi_grid=models.MULTI_GRID)
            ),
        }
    heads = {
        "v1": ("head.fc6",),
        "v2": tuple(f"classifier.branches.{branch}" for branch in range(4)),
        "v3": tuple(f"classifier.0.convs.{branch}" for branch in range(5)),
    }
    for name, net in nets.items():
        parts = _vgg_parts(net.features) if isinstance(net, DeepLabV1) else resnet_parts(net.backbone)
        branches = tuple(_branch(net.get_submodule(path)) for path in heads[name])
        yield Member(name, stages(parts), branches, profile.parameters(net), name != "v3")


def _vgg_parts(features: nn.Sequential) -> Iterator[nn.Sequential]:
    """A stage ends with its pooling."""
    start = 0
    for at, layer in enumerate(features):
        if isinstance(layer, nn.MaxPool2d):
            yield features[start : at + 1]
            start = at + 1


def _branch(module: nn.Module) -> str:
    if any(isinstance(layer, nn.AdaptiveAvgPool2d) for layer in module.modules()):
        return "image mean"
    (conv,) = (layer for layer in module.modules() if isinstance(layer, nn.Conv2d))
    return "1 × 1" if conv.kernel_size == (1, 1) else f"rate {conv.dilation[0]}"


def _draw(axis: Axes, y: float, member: Member) -> None:
    axis.text(-2.2, y - 0.05, f"DeepLab {member.name}", fontweight="bold", va="center")
    axis.text(-2.2, y + 0.4, f"{member.parameters / 1e6:.1f} M", va="center", color=FAINT)
    draw_arrow(axis, draw_stages(axis, y, member.stages), HEAD - 0.2, y)
    _draw_head(axis, y, member)


def _draw_head(axis: Axes, y: float, member: Member) -> None:
    apart = min(0.42, 1.7 / len(member.branches))
    top = y - apart * (len(member.branches) - 1) / 2
    for number, branch in enumerate(member.branches):
        colour = NOW if "rate" in branch else INK
        axis.text(HEAD, top + number * apart, branch, va="center", color=colour, fontsize=10.5)
    draw_arrow(axis, HEAD + 1.75, HEAD + 2.35, y)
    joint = {1: "one branch", 4: "added", 5: "joined, 1 × 1"}[len(member.branches)]
    axis.text(HEAD + 2.5, y - 0.2 * member.ends_in_crf, joint, va="center")
    if member.ends_in_crf:
        axis.text(HEAD + 2.5, y + 0.25, "then a dense CRF", va="center")
