"""CoinCheung's BiSeNet: the parts of the authors' network, four of them exchanged, so that his weights load."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from segedu.layers.conv_norm_relu import he_init
from segedu.layers.pooled import PooledConv
from segedu.models.bisenet import BiSeNet, FeatureFusion
from segedu.models.bisenet_paths import ContextPath, SpatialPath
from segedu.models.resnet import ResNet
from segedu.models.torchvision_layout import HalfPixelUpsample


class CoinCheungBiSeNet(BiSeNet):
    """Scores are interpolated with ``align_corners=False``: up to half a cell away from where the cells lie."""

    def way_to_image(self, stride: int) -> nn.Module:
        return HalfPixelUpsample()


class NearestUpsample(nn.Module):
    """Every finer cell takes the coarse cell that covers it: ``(N, C, h, w)`` and ``(H, W) -> (N, C, H, W)``."""

    def forward(self, coarse: Tensor, size: tuple[int, int]) -> Tensor:
        return F.interpolate(coarse, size=size)


def bisenet_coincheung(
    num_classes: int, trunk: ResNet, width: int = 128, *, aux: Sequence[int] = (16, 8)
) -> CoinCheungBiSeNet:
    """CoinCheung's network over ResNet-18: 13.3 M parameters at 19 classes, 13.4 M with the auxiliary heads.

    It differs from `bisenet` in four things: maps go up to the nearest cell within the context path, the fusion's gate
    is a single 1x1 with batch norm and no ReLU, the main head is four times and the auxiliary ones a quarter as wide,
    and scores go up with ``align_corners=False``. ``aux=()`` leaves the auxiliary heads out. His takes images whose
    sides 32 divides, this one any.
    """
    gate = PooledConv(2 * width, 2 * width, nn.Sigmoid())
    he_init(gate)
    return CoinCheungBiSeNet(
        num_classes,
        SpatialPath(width // 2, width),
        ContextPath(trunk, width, upsample=NearestUpsample()),
        FeatureFusion(2 * width, 2 * width, gate=gate),
        head_width=2 * width,
        aux_width=width // 2,
        aux=aux,
    )
