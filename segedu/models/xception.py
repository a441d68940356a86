"""Xception39: the light trunk of BiSeNet, 0.3 M parameters, built of depthwise separable convolutions."""

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor, nn

from segedu.layers.conv_norm_relu import ConvNormReLU, he_init

EXPANSION = 4


class SeparableConv(nn.Sequential):
    """A 3x3 convolution within each channel, a 1x1 across them, batch norm: ``(N, C, h, w) -> (N, K, h, w)``.

    ``9 * C + C * K`` weights where a 3x3 convolution has ``9 * C * K`` (Chollet, arXiv:1610.02357). Nothing stands
    between the two, no norm and no ReLU, as in the paper.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 3, stride=stride, padding=1, groups=in_channels, bias=False),
            nn.Conv2d(in_channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )


class XceptionBlock(nn.Module):
    """Three separable convolutions around which the input passes: ``(N, C, h, w) -> (N, 4 * width, h / stride, ...)``.

    Where the shape changes the way around is a separable convolution as well, 3x3 and not 1x1.
    """

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        channels = EXPANSION * width
        self.branch = nn.Sequential(
            SeparableConv(in_channels, width, stride),
            nn.ReLU(inplace=True),
            SeparableConv(width, width),
            nn.ReLU(inplace=True),
            SeparableConv(width, channels),
        )
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Identity() if same else SeparableConv(in_channels, channels, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.relu(self.branch(x) + self.shortcut(x))
        return out


class Xception39(nn.Module):
    """The trunk of BiSeNet's fast form: ``(N, 3, H, W) -> {"layer3", "layer4"}`` of 128 and 256 channels.

    A 3x3 convolution to 8 channels, max pooling, and three stages of 4, 8 and 4 blocks, which are named by their place
    as a ResNet's are: ``layer2`` has one cell on every 8th pixel, ``layer3`` on every 16th, ``layer4`` on every 32nd,
    the first on pixel 0 (Yu et al., arXiv:1808.00897, section 3.1; sizes from the authors' code). Any image of at
    least one pixel. Weights are random: none trained on ImageNet have been published.
    """

    channels: ClassVar[dict[str, int]] = {"layer2": 64, "layer3": 128, "layer4": 256}
    output_stride = 32

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNormReLU(3, 8, stride=2)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer2 = nn.Sequential(*_stage(8, 16, 4))
        self.layer3 = nn.Sequential(*_stage(64, 32, 8))
        self.layer4 = nn.Sequential(*_stage(128, 64, 4))
        he_init(self)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        layer3 = self.layer3(self.early(images))
        return {"layer3": layer3, "layer4": self.layer4(layer3)}

    def early(self, images: Tensor) -> Tensor:
        """What ``layer3`` reads: ``(N, 64, h, w)``, an eighth of the image each way."""
        early: Tensor = self.layer2(self.maxpool(self.stem(images)))
        return early


def _stage(in_channels: int, width: int, blocks: int) -> Iterator[XceptionBlock]:
    """``blocks`` blocks, of which the first strides and widens."""
    yield XceptionBlock(in_channels, width, 2)
    for _ in range(blocks - 1):
        yield XceptionBlock(EXPANSION * width, width, 1)
