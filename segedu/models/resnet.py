"""Residual networks as trunks whose output stride can be chosen, and chosen again, for the same weights.

Of every convolution the trunk keeps the stride before and after it in the classifier that it comes from. At a smaller
output stride a layer strides no further than that, and its taps stand apart by what was taken away before it (`dilate`
has the same rule for any network). So it does not matter to the rule where in a residual unit the stride sits; it does
matter to the weights.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import cast

from torch import Tensor, nn
from torchvision.models import WeightsEnum

from segedu.layers.aspp import AtrousConv
from segedu.layers.dilate import stride_and_rate
from segedu.models.backbones import published_weights

OUTPUT_STRIDES = (4, 8, 16, 32)
MULTI_GRID = (1, 2, 4)  # DeepLab v3, section 3.2.1 and table 3


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around which the input passes: ``(N, C, h, w) -> (N, K, h / stride, w / stride)``.

    torchvision's (He et al., 2016, figure 5, left); ``K`` is ``width``. The first convolution strides.
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = AtrousConv(in_channels, width, stride=stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = AtrousConv(width, width)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.relu(self.bn1(self.conv1(x)))
        branch = self.bn2(self.conv2(branch))
        out: Tensor = self.relu(branch + self.downsample(x))
        return out


class Bottleneck(nn.Module):
    """1x1 down to ``width``, 3x3, 1x1 up to four times that, around which the input passes.

    torchvision's form, ResNet "V1.5": the 3x3 convolution strides, so none of what came in is skipped over.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = AtrousConv(width, width, stride=stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, width * self.expansion, stride)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.relu(self.bn1(self.conv1(x)))
        branch = self.relu(self.bn2(self.conv2(branch)))
        branch = self.bn3(self.conv3(branch))
        out: Tensor = self.relu(branch + self.downsample(x))
        return out


class MSRABottleneck(Bottleneck):
    """The paper's own form (He et al., 2016): the first 1x1 convolution strides, the 3x3 reads what is left.

    The ResNet of Caffe and of DeepLab v2. The same shapes and names as torchvision's, so either's weights load into
    the other and mean something else there.
    """

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__(in_channels, width, stride)
        self.conv1.stride, self.conv2.stride = self.conv2.stride, self.conv1.stride


class ResNet(nn.Module):
    """A residual network's four stages: ``(N, 3, H, W) -> {"layer3", "layer4"}``, of which the last is scored.

    ``blocks`` counts the residual units of each stage, ``widths`` their inner channels; names are torchvision's, whose
    weights load. ``layer4`` has one cell on every ``output_stride``-th pixel (4, 8, 16 or 32), the first on pixel 0.
    ``multi_grid`` sets the rates of the last stage: one factor a unit, the first for the first, times the stride that
    was taken away. ``(1, 2, 4)`` is 2, 4, 8 at output stride 16 and twice that at 8 (DeepLab v3, section 3.2.1).
    Without it rates are those at which every kernel reads what it read in the classifier; where the 3x3 layer itself
    strode its rate is that of the stage before, so torchvision's last stage has 1, 2, 2 at output stride 16.
    ``ceil_mode`` rounds up at the pooling, as Caffe does. Any image of at least one pixel.

    Raises ``ValueError`` for another output stride and for a ``multi_grid`` that is too short.
    """

    def __init__(
        self,
        unit: type[BasicBlock] | type[Bottleneck],
        blocks: Sequence[int],
        widths: Sequence[int] = (64, 128, 256, 512),
        *,
        output_stride: int = 32,
        multi_grid: Sequence[int] | None = None,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=ceil_mode)
        inputs = [widths[0], *(width * unit.expansion for width in widths)]
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _stage(unit, count, source, width, stride)
            for count, source, width, stride in zip(blocks, inputs[:4], widths, (1, 2, 2, 2), strict=True)
        )
        self.channels = {"layer2": inputs[2], "layer3": inputs[3], "layer4": inputs[4]}
        if multi_grid is not None and len(multi_grid) < len(self.layer4):
            raise ValueError(
                f"multi_grid is {tuple(multi_grid)}, but the last stage has {len(self.layer4)} units; "
                "give one factor for each"
            )
        self.multi_grid = () if multi_grid is None else tuple(multi_grid)
        self.strides = dict(self._walk())
        self.set_output_stride(output_stride)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        layer3 = self.layer3(self.early(images))
        return {"layer3": layer3, "layer4": self.layer4(layer3)}

    def early(self, images: Tensor) -> Tensor:
        """What ``layer3`` reads: the map of ``layer2``, at 1/8 unless the output stride is 4."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        early: Tensor = self.layer2(self.layer1(x))
        return early

    def set_output_stride(self, output_stride: int) -> None:
        """Change what the layers stride and by what they are dilated; the weights stay."""
        if output_stride not in OUTPUT_STRIDES:
            raise ValueError(f"output_stride is {output_stride}; a ResNet's is one of 4, 8, 16 and 32")
        self.output_stride = output_stride
        for name, (before, after) in self.strides.items():
            conv = cast(nn.Conv2d, self.get_submodule(name))
            stride, rate = stride_and_rate(before, after, Fraction(output_stride))
            conv.stride = (stride, stride)
            if isinstance(conv, AtrousConv):
                conv.rate = rate
        for unit, factor in zip(self.layer4, self.multi_grid, strict=False):
            for layer in unit.children():
                if isinstance(layer, AtrousConv):
                    layer.rate = factor * (32 // output_stride)

    def _walk(self) -> Iterator[tuple[str, tuple[Fraction, Fraction]]]:
        """Each convolution of the stages, with the strides before and after it as they are in the classifier."""
        at_unit = Fraction(4)
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            for unit, layers in self.get_submodule(stage).named_children():
                before = at_unit
                for name, layer in layers.named_children():
                    if isinstance(layer, nn.Conv2d):
                        after = before * layer.stride[0]
                        yield f"{stage}.{unit}.{name}", (before, after)
                        before = after
                if isinstance(layers.downsample, nn.Sequential):
                    yield f"{stage}.{unit}.downsample.0", (at_unit, before)
                at_unit = before


RESNETS: dict[str, Callable[..., ResNet]] = {
    "resnet50": partial(ResNet, Bottleneck, (3, 4, 6, 3)),
    "resnet101": partial(ResNet, Bottleneck, (3, 4, 23, 3)),
    "resnet18": partial(ResNet, BasicBlock, (2, 2, 2, 2)),
    "resnet34": partial(ResNet, BasicBlock, (3, 4, 6, 3)),
    "resnet50_msra": partial(ResNet, MSRABottleneck, (3, 4, 6, 3), ceil_mode=True),
    "resnet101_msra": partial(ResNet, MSRABottleneck, (3, 4, 23, 3), ceil_mode=True),
    "resnet_mini": partial(ResNet, BasicBlock, (1, 1, 1, 3), (8, 16, 32, 64)),
}
"""By name. ``resnet_mini`` is not from a paper: an eighth of ResNet-18's width, for lessons that train from random
weights on a CPU, with three units in the last stage for a multi-grid to tell apart."""


def load_resnet(trunk: ResNet, backbone: str, weights: WeightsEnum | None = None) -> None:
    """Fill ``trunk`` with torchvision's ImageNet weights for ``backbone``; downloads them when they are not cached.

    ``weights`` picks one of torchvision's published sets (its default if left out). Raises ``ValueError`` for a set of
    another model, for a backbone of which none are published, and for MSRA's ResNet, where torchvision's would load
    without complaint and give other features.
    """
    if backbone.endswith("_msra"):
        raise ValueError(
            f"torchvision's weights do not fit {backbone!r}: its residual units stride in the first 1x1 layer, "
            "torchvision's in the 3x3 layer, so the features would be wrong without a word; pass weights=None and load "
            "weights of a Caffe ResNet, as segedu.models.keymaps does"
        )
    if backbone == "resnet_mini":
        raise ValueError(f"torchvision publishes no ImageNet weights for backbone {backbone!r}; pass weights=None")
    published = published_weights(backbone, weights)
    trunk.load_state_dict({name: value for name, value in published.items() if not name.startswith("fc.")})


def _stage(
    unit: type[BasicBlock] | type[Bottleneck], count: int, in_channels: int, width: int, stride: int
) -> nn.Sequential:
    """``count`` residual units, of which the first strides and widens."""
    later = [unit(width * unit.expansion, width, 1) for _ in range(count - 1)]
    return nn.Sequential(unit(in_channels, width, stride), *later)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The way around: nothing at all where the shapes agree, else a 1x1 convolution and batch norm."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
    )
