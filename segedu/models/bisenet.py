"""BiSeNet: detail and context on two separate paths, joined at an eighth of the image (Yu et al., arXiv:1808.00897)."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from segedu.layers.conv_norm_relu import ConvNormReLU, he_init
from segedu.layers.grid import Grid
from segedu.layers.pooled import check_batch
from segedu.layers.upsample import BilinearUpsample
from segedu.models.bisenet_paths import (
    AttentionRefinement,
    ContextPath,
    GlobalContext,
    SpatialPath,
    cells,
)
from segedu.models.resnet import ResNet
from segedu.models.xception import Xception39

__all__ = [
    "AttentionRefinement",
    "BiSeNet",
    "ContextPath",
    "FeatureFusion",
    "GlobalContext",
    "ScoreHead",
    "SharedBiSeNet",
    "SpatialPath",
    "bisenet",
]


class FeatureFusion(nn.Module):
    """Both paths side by side, mixed, and weighed: ``(N, A, h, w), (N, B, h, w) -> (N, channels, h, w)``.

    A 1x1 convolution over all ``in_channels = A + B``, batch norm, ReLU; then each channel is added to itself as often
    as the gate says, between 0 and 1 times (mean over the map, 1x1, ReLU, 1x1, sigmoid; section 3.2, figure 2c).
    ``gate`` may be another module ``(N, channels, h, w) -> (N, channels, 1, 1)``.
    """

    def __init__(self, in_channels: int, channels: int, *, gate: nn.Module | None = None) -> None:
        super().__init__()
        self.channels = channels
        self.mix = ConvNormReLU(in_channels, channels, 1)
        self.gate = _two_layer_gate(channels) if gate is None else gate

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        fused = self.mix(torch.cat([spatial, context], dim=1))
        out: Tensor = fused + fused * self.gate(fused)
        return out


class ScoreHead(nn.Sequential):
    """A 3x3 convolution to ``width`` channels, batch norm, ReLU, scores: ``(N, C, h, w) -> (N, K, h, w)``."""

    def __init__(self, in_channels: int, width: int, num_classes: int) -> None:
        score = nn.Conv2d(width, num_classes, 1)
        super().__init__(ConvNormReLU(in_channels, width), score)
        he_init(score)


class BiSeNet(nn.Module):
    """``(N, 3, H, W) -> {"out": (N, K, H, W)}`` from two paths, in training also ``"aux16"`` and ``"aux8"``.

    ``fusion`` joins the map of ``spatial_path`` and the ``"stride8"`` of ``context_path``, both at 1/8, and ``head``
    scores the result there. A head of its own scores the context path's map at each stride in ``aux``; in training its
    scores are outputs as well (section 3.3: the same loss on each, all weighed alike). Parts are put together by the
    caller, `bisenet` puts together the authors' own: whatever gives maps of the same size fits in a part's place.
    ``fusion`` and ``context_path`` tell the number of their ``channels``.

    Any image of at least one pixel; in training a batch of 1 is refused with ``ValueError`` where a part pools the
    whole image (`PooledConv`).

    Deviation: the authors interpolate with ``align_corners=True``, which is right where the last cell meets the last
    pixel, as at 513. Here cell ``i`` comes to lie on pixel ``8 * i``, where it is, at any size.
    """

    def __init__(
        self,
        num_classes: int,
        spatial_path: nn.Module,
        context_path: nn.Module,
        fusion: nn.Module,
        *,
        head_width: int = 64,
        aux_width: int = 256,
        aux: Sequence[int] = (16, 8),
    ) -> None:
        super().__init__()
        self.spatial_path = spatial_path
        self.context_path = context_path
        self.fusion = fusion
        self.head = ScoreHead(cast(int, fusion.channels), head_width, num_classes)
        context = cast(int, context_path.channels)
        self.aux = tuple(aux)
        self.aux_heads = nn.ModuleDict({f"aux{stride}": ScoreHead(context, aux_width, num_classes) for stride in aux})
        outputs = {"out": 8} | {f"aux{stride}": stride for stride in aux}
        self.upsample = nn.ModuleDict({name: self.way_to_image(stride) for name, stride in outputs.items()})

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        height, width = images.shape[-2:]
        return {name: self.upsample[name](scores, (height, width)) for name, scores in self.scores(images).items()}

    def scores(self, images: Tensor) -> dict[str, Tensor]:
        """The scores where they are made: ``{"out": (N, K, ceil(H / 8), ceil(W / 8))}``, and ``aux`` in training."""
        check_batch(self, len(images))  # before any statistic is touched
        spatial, context = self.paths(images)
        scores = {"out": self.head(self.fusion(spatial, context["stride8"]))}
        if self.training:
            for stride in self.aux:
                scores[f"aux{stride}"] = self.aux_heads[f"aux{stride}"](context[f"stride{stride}"])
        return scores

    def paths(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What the spatial path says of ``images``, and what the context path does."""
        return self.spatial_path(images), self.context_path(images)

    def way_to_image(self, stride: int) -> nn.Module:
        """What takes ``(N, K, h, w)`` and ``(H, W)`` to ``(N, K, H, W)``, from a map at ``stride``."""
        return BilinearUpsample(Grid(stride), Grid())


class SharedBiSeNet(BiSeNet):
    """Without a path of its own for detail: ``spatial_path`` reads the map that the trunk has at 1/8 anyway.

    With ``nn.Identity()`` there the first stages of the trunk take the place of the spatial path, which CoinCheung's
    reproduction reports to be as good (78.48 against 78.45 mean IoU), lighter and faster. ``context_path`` is a
    `ContextPath`.
    """

    context_path: ContextPath

    def paths(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """What the spatial path makes of the trunk's early map, and what the context path does of the later ones."""
        trunk = self.context_path.trunk
        early = trunk.early(images)
        layer3 = trunk.layer3(early)
        maps = {"layer3": layer3, "layer4": trunk.layer4(layer3)}
        return self.spatial_path(early), self.context_path.way_up(maps, cells(images))


def bisenet(num_classes: int, trunk: ResNet | Xception39, width: int = 128, *, aux_width: int | None = None) -> BiSeNet:
    """The authors' network: over ResNet-18 12.9 M parameters at 19 classes, over Xception39 1.5 M, in evaluation mode.

    With the auxiliary heads, which only training uses, 13.5 M and 1.8 M. ``width`` is the number of channels of each
    path; everything but the trunk scales with it. ``aux_width`` is that within the auxiliary heads, twice ``width``
    if left out; over Xception39 the authors have half of that. Raises ``ValueError`` for a width that is not even.
    """
    if width < 2 or width % 2:
        raise ValueError(f"width is {width}; give an even number of at least 2, half of which the spatial path has")
    return BiSeNet(
        num_classes,
        SpatialPath(width // 2, width),
        ContextPath(trunk, width),
        FeatureFusion(2 * width, 2 * width),
        head_width=width // 2,
        aux_width=2 * width if aux_width is None else aux_width,
    )


def _two_layer_gate(channels: int) -> nn.Sequential:
    gate = nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.Sigmoid(),
    )
    he_init(gate)
    return gate
