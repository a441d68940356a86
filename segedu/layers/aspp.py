"""Atrous spatial pyramid pooling: one map, read with several spacings at once, because objects come in several sizes.

`SummedASPP` is DeepLab v2's, `ASPP` that of v3. Each adds up or joins branches ``(N, C, h, w) -> (N, K, h, w)``, so a
pyramid can be built up or taken apart branch by branch. Names are torchvision's, whose weights load.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segedu.layers.pooled import PooledConv


class AtrousConv(nn.Conv2d):
    """A 3x3 convolution whose taps stand ``rate`` cells apart: ``(N, C, H, W) -> (N, K, H, W)``, smaller by ``stride``.

    It spans ``2 * rate + 1`` cells with nine weights and pads by ``rate``. The weights do not know the rate: setting
    ``rate`` changes where they read and nothing else. Raises ``ValueError`` for a rate below 1.
    """

    def __init__(self, in_channels: int, out_channels: int, rate: int = 1, *, stride: int = 1, bias: bool = False):
        super().__init__(in_channels, out_channels, 3, stride=stride, bias=bias)
        self.rate = rate

    @property
    def rate(self) -> int:
        return self.dilation[0]

    @rate.setter
    def rate(self, rate: int) -> None:
        if rate < 1:
            raise ValueError(f"rate is {rate}; taps stand at least 1 cell apart")
        self.dilation = self.padding = (rate, rate)


class PointBranch(nn.Sequential):
    """The view without neighbours: a 1x1 convolution, batch norm, ReLU."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )


class AtrousBranch(nn.Sequential):
    """The view at one rate: a 3x3 convolution at ``rate``, batch norm, ReLU.

    Once ``rate`` passes ``min(h, w) - 1`` only the centre tap still falls on the map and the branch degenerates to a
    1x1 convolution (DeepLab v3, section 3.3).
    """

    def __init__(self, in_channels: int, channels: int, rate: int) -> None:
        super().__init__(AtrousConv(in_channels, channels, rate), nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


class ImagePooling(PooledConv):
    """The view of everything at once: the mean over the map, 1x1 convolution, batch norm, ReLU, spread over the map.

    The answer to the degenerate branches: an infinite field (DeepLab v3, section 3.3). Bilinear interpolation of one
    cell is that cell everywhere. In training a batch of one is refused with ``ValueError`` (`PooledConv`).
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(in_channels, channels, nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).expand(-1, -1, *x.shape[-2:])


class ASPP(nn.Module):
    """DeepLab v3's pyramid: the branches side by side, then one 1x1 convolution over them all: ``-> (N, K, h, w)``.

    Every one of ``branches`` gives ``channels`` maps, and so does the pyramid. `pyramid` makes the paper's own.
    Raises ``ValueError`` without a branch.
    """

    def __init__(self, branches: Sequence[nn.Module], channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_at_least_one(branches))
        self.project = PointBranch(len(branches) * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        fused: Tensor = self.project(torch.cat([branch(x) for branch in self.convs], dim=1))
        return fused


def pyramid(in_channels: int, rates: Sequence[int], channels: int = 256) -> ASPP:
    """The paper's five branches: 1x1, 3x3 at each of three ``rates``, image pooling (section 3.3, figure 5)."""
    atrous = [AtrousBranch(in_channels, channels, rate) for rate in rates]
    return ASPP([PointBranch(in_channels, channels), *atrous, ImagePooling(in_channels, channels)], channels)


class SummedASPP(nn.Module):
    """DeepLab v2's pyramid over a ResNet: a 3x3 convolution to class scores at each rate, added: ``-> (N, K, h, w)``.

    No batch norm and no ReLU, so it is linear: one kernel of ``2 * max(rates) + 1`` cells, mostly empty. Weights start
    normal with standard deviation 0.01, as in the release. Raises ``ValueError`` without a rate.
    """

    def __init__(self, in_channels: int, num_classes: int, rates: Sequence[int] = (6, 12, 18, 24)) -> None:
        super().__init__()
        branches = [AtrousConv(in_channels, num_classes, rate, bias=True) for rate in rates]
        for branch in branches:
            nn.init.normal_(branch.weight, std=0.01)
            nn.init.zeros_(branch.bias)  # type: ignore[arg-type]
        self.branches = nn.ModuleList(_at_least_one(branches))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.branches[0](x)
        for branch in self.branches[1:]:
            scores = scores + branch(x)
        return scores


def _at_least_one(branches: Sequence[nn.Module]) -> Sequence[nn.Module]:
    if not branches:
        raise ValueError("a pyramid has no branches; give it at least one")
    return branches
