"""BiSeNet's two ways of looking: one keeps places, the other finds out what is there (arXiv:1808.00897, section 3)."""

import operator
from collections.abc import Callable

from torch import Tensor, nn

from segedu.layers.conv_norm_relu import ConvNormReLU, he_init
from segedu.layers.grid import Grid
from segedu.layers.pooled import PooledConv
from segedu.layers.upsample import BilinearUpsample
from segedu.models.resnet import ResNet
from segedu.models.xception import Xception39

Factory = Callable[[int, int], nn.Module]
"""``(in_channels, channels) ->`` a module with as many channels in and out."""


class SpatialPath(nn.Sequential):
    """Three layers that stride and a 1x1: ``(N, 3, H, W) -> (N, channels, ceil(H / 8), ceil(W / 8))``.

    Few layers, many channels, a field of 19 pixels: detail and no context (section 3.1). The paper speaks of three
    layers; kernels of 7, 3 and 3, ``width`` channels within and the 1x1 are the authors' code.
    """

    def __init__(self, width: int = 64, channels: int = 128) -> None:
        super().__init__(
            ConvNormReLU(3, width, 7, stride=2),
            ConvNormReLU(width, width, stride=2),
            ConvNormReLU(width, width, stride=2),
            ConvNormReLU(width, channels, 1),
        )


class GlobalContext(PooledConv):
    """What the image holds as a whole: mean over the map, 1x1, batch norm, ReLU: ``(N, C, h, w) -> (N, K, 1, 1)``.

    In training a batch of one is refused with ``ValueError`` (`PooledConv`).
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(in_channels, channels, nn.ReLU(inplace=True))
        he_init(self)


class AttentionRefinement(nn.Module):
    """Channels weighed by what the whole map says of them: ``(N, C, h, w) -> (N, K, h, w)``.

    A 3x3 convolution, batch norm, ReLU, of which each channel is multiplied by a number between 0 and 1 (mean over the
    map, 1x1, batch norm, sigmoid). Figure 2b shows the gate alone, over all ``C`` channels; the 3x3 to ``K`` before it
    is the authors' code. In training a batch of one is refused with ``ValueError`` (`PooledConv`).
    """

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv = ConvNormReLU(in_channels, channels)
        self.gate = PooledConv(channels, channels, nn.Sigmoid())
        he_init(self.gate)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        refined: Tensor = x * self.gate(x)
        return refined


class ContextPath(nn.Module):
    """A trunk, and its last two maps brought up to 1/8: ``(N, 3, H, W) -> {"stride16", "stride8"}`` of ``channels``.

    ``attention`` refines the trunk's last map and the global context is added to it; brought to 1/16 and through a 3x3
    convolution it is ``"stride16"``. The refined map of the stage before is added; brought to 1/8 and through another
    3x3 it is ``"stride8"``, of ``ceil(H / 8)`` by ``ceil(W / 8)`` cells (section 3.2: half a U-shape). The paper does
    not say how global context is joined; the authors' code adds it.

    What can be exchanged for an ablation: ``attention`` and ``global_context`` make their modules from the numbers of
    channels in and out, ``combine`` joins refined map and context, ``upsample`` is a module that takes a map and the
    size ``(h, w)`` of the finer one. Raises ``ValueError`` for a trunk whose last map is not at 1/32.

    Deviation: the authors interpolate with ``align_corners=True``, which is right only where the last cells of both
    maps meet. Here cell ``i`` comes to lie on cell ``2 * i`` of the finer map, where it is, at any size.
    """

    def __init__(
        self,
        trunk: ResNet | Xception39,
        channels: int = 128,
        *,
        attention: Factory = AttentionRefinement,
        global_context: Factory = GlobalContext,
        combine: Callable[[Tensor, Tensor], Tensor] = operator.add,
        upsample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if trunk.output_stride != 32:
            raise ValueError(
                f"the trunk has output stride {trunk.output_stride}, but a context path brings maps at 1/32 and 1/16 "
                "back to 1/8; give it a trunk of output stride 32"
            )
        self.channels = channels
        self.trunk = trunk
        self.global_context = global_context(trunk.channels["layer4"], channels)
        self.attention32 = attention(trunk.channels["layer4"], channels)
        self.attention16 = attention(trunk.channels["layer3"], channels)
        self.refine16 = ConvNormReLU(channels, channels)
        self.refine8 = ConvNormReLU(channels, channels)
        self.combine = combine
        self.upsample = BilinearUpsample(Grid(2), Grid()) if upsample is None else upsample

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.way_up(self.trunk(images), cells(images))

    def way_up(self, maps: dict[str, Tensor], size: tuple[int, int]) -> dict[str, Tensor]:
        """The trunk's ``"layer3"`` and ``"layer4"`` brought to 1/16 and to the ``size`` of 1/8."""
        layer3, layer4 = maps["layer3"], maps["layer4"]
        coarse = self.combine(self.attention32(layer4), self.global_context(layer4))
        stride16 = self.refine16(self.upsample(coarse, layer3.shape[-2:]))
        stride8 = self.refine8(self.upsample(stride16 + self.attention16(layer3), size))
        return {"stride16": stride16, "stride8": stride8}


def cells(images: Tensor) -> tuple[int, int]:
    """Rows and columns of a map with a cell on every 8th pixel of ``images``, the first on the first."""
    height, width = (-(-side // 8) for side in images.shape[-2:])
    return height, width
