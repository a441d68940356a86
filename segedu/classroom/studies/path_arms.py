"""BiSeNet whole, and with one part taken out, replaced or joined in another way: the arms of `two_paths`.

Each arm makes its network from a ``trunk`` and a ``width``: ``RESNETS["resnet18"]`` and 128 are the authors' own.
"""

import operator
from collections.abc import Callable

from torch import Tensor, nn

from segedu import data
from segedu.layers.conv_norm_relu import ConvNormReLU
from segedu.models.bisenet import BiSeNet, ContextPath, FeatureFusion, SharedBiSeNet, SpatialPath
from segedu.models.bisenet_paths import cells
from segedu.models.resnet import ResNet

CLASSES = len(data.Streets.classes)

Trunk = Callable[[], ResNet]


class NoSpatial(nn.Module):
    """In the place of a spatial path: a map at 1/8 of no channels, so that there is nothing to join."""

    def forward(self, images: Tensor) -> Tensor:
        return images.new_empty(len(images), 0, *cells(images))


class NoContext(nn.Module):
    """The same in the place of a context path."""

    channels = 0

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"stride8": images.new_empty(len(images), 0, *cells(images))}


class Shut(nn.Module):
    """A gate, or a global context, that adds nothing: any map to zeros ``(N, channels, 1, 1)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x), self.channels, 1, 1)


class SumFusion(nn.Module):
    """Two maps of equal depth added and mixed, without a gate: ``(N, C, h, w) twice -> (N, channels, h, w)``."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.mix = ConvNormReLU(in_channels, channels, 1)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        mixed: Tensor = self.mix(spatial + context)
        return mixed


def refine_only(in_channels: int, channels: int) -> nn.Module:
    """Attention refinement's 3x3 convolution without its gate."""
    return ConvNormReLU(in_channels, channels)


def left_out(in_channels: int, channels: int) -> nn.Module:
    """In the place of the global context."""
    return Shut(channels)


def assembled(width: int, spatial_path: nn.Module, context_path: nn.Module, fusion: nn.Module | None = None) -> BiSeNet:
    """Two paths with the authors' fusion, unless another is given, and their heads, all by ``width``."""
    fusion = FeatureFusion(2 * width, 2 * width) if fusion is None else fusion
    return BiSeNet(CLASSES, spatial_path, context_path, fusion, head_width=width // 2, aux_width=2 * width)


def whole(trunk: Trunk, width: int) -> BiSeNet:
    return assembled(width, SpatialPath(width // 2, width), ContextPath(trunk(), width))


def without_spatial(trunk: Trunk, width: int) -> BiSeNet:
    return assembled(width, NoSpatial(), ContextPath(trunk(), width), FeatureFusion(width, 2 * width))


def early_stage(trunk: Trunk, width: int) -> BiSeNet:
    own = trunk()
    fusion = FeatureFusion(own.channels["layer2"] + width, 2 * width)
    path = ContextPath(own, width)
    return SharedBiSeNet(CLASSES, nn.Identity(), path, fusion, head_width=width // 2, aux_width=2 * width)


def without_context(trunk: Trunk, width: int) -> BiSeNet:
    fusion = FeatureFusion(width, 2 * width)
    return BiSeNet(CLASSES, SpatialPath(width // 2, width), NoContext(), fusion, head_width=width // 2, aux=())


def without_attention(trunk: Trunk, width: int) -> BiSeNet:
    path = ContextPath(trunk(), width, attention=refine_only)
    return assembled(width, SpatialPath(width // 2, width), path)


def without_gate(trunk: Trunk, width: int) -> BiSeNet:
    fusion = FeatureFusion(2 * width, 2 * width, gate=Shut(2 * width))
    return assembled(width, SpatialPath(width // 2, width), ContextPath(trunk(), width), fusion)


def by_sum(trunk: Trunk, width: int) -> BiSeNet:
    fusion = SumFusion(width, 2 * width)
    return assembled(width, SpatialPath(width // 2, width), ContextPath(trunk(), width), fusion)


def context_multiplied(trunk: Trunk, width: int) -> BiSeNet:
    path = ContextPath(trunk(), width, combine=operator.mul)
    return assembled(width, SpatialPath(width // 2, width), path)


def context_left_out(trunk: Trunk, width: int) -> BiSeNet:
    path = ContextPath(trunk(), width, global_context=left_out)
    return assembled(width, SpatialPath(width // 2, width), path)


def without_means(trunk: Trunk, width: int) -> BiSeNet:
    """Neither gate and no global context: nothing is left that sees the whole picture."""
    path = ContextPath(trunk(), width, attention=refine_only, global_context=left_out)
    fusion = FeatureFusion(2 * width, 2 * width, gate=Shut(2 * width))
    return assembled(width, SpatialPath(width // 2, width), path, fusion)


ARMS: dict[str, Callable[[Trunk, int], BiSeNet]] = {
    "whole": whole,
    "no spatial path": without_spatial,
    "early stage in its place": early_stage,
    "no context path": without_context,
    "attention without gate": without_attention,
    "fusion without gate": without_gate,
    "fusion by sum": by_sum,
    "global context multiplied": context_multiplied,
    "no global context": context_left_out,
    "no mean of the whole": without_means,
}
