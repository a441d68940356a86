"""SegNet: a decoder that puts each value back where the encoder's pooling found the maximum (Badrinarayanan, Kendall
and Cipolla, arXiv:1511.00561v3).

Nothing but the places of the maxima goes from the encoder to the decoder: no feature map, two bits a window.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import Tensor, nn
from torchvision.models import WeightsEnum

from segedu.layers.way_back import OFFSETS, WayBack
from segedu.models.backbones import published_weights

VGG16_WIDTHS = (64, 128, 256, 512, 512)
VGG16_DEPTHS = (2, 2, 3, 3, 3)


class Kept(NamedTuple):
    """What one pooling leaves to the decoder: the ``memory`` of its way back, and the ``size`` to come back to."""

    memory: Tensor | None
    size: tuple[int, int]


class PoolingAutoencoder(nn.Module):
    """An encoder of convolutions and poolings and its mirror image: ``(N, 3, H, W) -> {"out": (N, K, H, W)}``.

    ``features`` is the encoder and ``pools`` names the poolings in it; ``stages`` is the decoder, the deepest stage
    first, before each of which the map is unpooled once. Any image of at least one pixel.
    """

    def __init__(
        self, features: nn.Sequential, pools: Sequence[str], stages: Sequence[nn.Sequential], way_back: WayBack
    ) -> None:
        super().__init__()
        self.features = features
        self.pools = tuple(pools)
        self.unpools = nn.ModuleList(way_back.unpool() for _ in stages)
        self.stages = nn.ModuleList(stages)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"out": self.decode(*self.encode(images))}

    def encode(self, images: Tensor) -> tuple[Tensor, list[Kept]]:
        """The deepest map ``(N, C, h, w)``, and what each pooling keeps for the decoder, the first pooling first."""
        kept = []
        x = images
        for name, layer in self.features.named_children():
            if name in self.pools:
                height, width = x.shape[-2:]
                x, memory = layer(x)
                kept.append(Kept(memory, (height, width)))
            else:
                x = layer(x)
        return x, kept

    def decode(self, deepest: Tensor, kept: Sequence[Kept]) -> Tensor:
        """Scores ``(N, K, H, W)`` from the deepest map and what was kept."""
        x = deepest
        for unpool, stage, (memory, size) in zip(self.unpools, self.stages, reversed(kept), strict=True):
            x = stage(unpool(x, memory, size))
        return x


class SegNet(PoolingAutoencoder):
    """VGG16's thirteen convolutions with batch norm, and the same number back: 29.5 M parameters at 21 classes.

    ``(N, 3, H, W) -> {"out": (N, K, H, W)}``. ``features`` is laid out as torchvision's ``vgg16_bn.features``, whose
    state dict it loads. A decoder stage has as many convolutions as the encoder's, and its last one goes down to the
    width of the stage before (section 3; the release's prototxt). ``way_back`` replaces what is kept at the poolings
    and how the decoder returns. ``widths`` and ``depths``, channels and convolutions of each stage, make smaller ones.

    Deviations: batch norm has PyTorch's running statistics, where the release computes them over the training set
    before testing, and its usual eps. Pooling rounds up, as in Caffe: 360 x 480 gives 45 x 60 and then 23 x 30.
    Raises ``ValueError`` for ``widths`` and ``depths`` that do not pair up.
    """

    def __init__(
        self,
        num_classes: int,
        way_back: WayBack = OFFSETS,
        *,
        widths: Sequence[int] = VGG16_WIDTHS,
        depths: Sequence[int] = VGG16_DEPTHS,
    ) -> None:
        if not widths or len(widths) != len(depths) or min(*widths, *depths) < 1:
            raise ValueError(
                f"widths is {widths} and depths {depths}, expected one of each, at least 1, for every stage"
            )
        layers: list[nn.Module] = []
        pools = []
        for before, width, depth in zip((3, *widths), widths, depths, strict=False):
            for source, target in pairwise([before] + [width] * depth):
                layers += _normalised(source, target)
            pools.append(str(len(layers)))
            layers.append(way_back.pool())
        stages = []
        for before, width, depth in zip((widths[0], *widths), widths, depths, strict=False):
            convs = pairwise([width] * depth + [before])
            stages.append(nn.Sequential(*(layer for pair in convs for layer in _normalised(*pair))))
        stages[0] = stages[0][:-3].append(nn.Conv2d(widths[0], num_classes, 3, padding=1))
        super().__init__(nn.Sequential(*layers), pools, stages[::-1], way_back)


class SegNetBasic(PoolingAutoencoder):
    """Four 7x7 convolutions down and four up: 1.4 M parameters, for comparing decoders (section 3.1).

    ``(N, 3, H, W) -> {"out": (N, K, H, W)}``. Every convolution has ``width`` channels and batch norm; only those of
    the encoder have a ReLU. A 1x1 convolution scores.

    Deviations: convolutions have biases, as in the release and against the paper's text. The release normalises the
    local response of its images, pixels from 0 to 255; images are normalised here before they come.
    """

    def __init__(self, num_classes: int, way_back: WayBack = OFFSETS, *, width: int = 64, levels: int = 4) -> None:
        layers: list[nn.Module] = []
        for source, target in pairwise([3] + [width] * levels):
            layers += [*_normalised(source, target, 7), way_back.pool()]
        pools = [str(at) for at in range(3, len(layers), 4)]
        stages = [nn.Sequential(*_normalised(width, width, 7)[:2]) for _ in range(levels)]
        stages[-1].append(nn.Conv2d(width, num_classes, 1))
        super().__init__(nn.Sequential(*layers), pools, stages, way_back)


def load_vgg16_bn(model: SegNet, weights: WeightsEnum | None = None) -> None:
    """Fill the encoder with torchvision's ImageNet weights of ``vgg16_bn``; downloads them when they are not cached.

    ``weights`` picks the set (torchvision's default if left out). The decoder stays random. Raises ``ValueError`` for
    weights of another model and for a SegNet of other widths or depths.
    """
    own = model.features.state_dict()
    published = published_weights("vgg16_bn", weights)
    prefix = "features."
    features = {name.removeprefix(prefix): value for name, value in published.items() if name.startswith(prefix)}
    if features.keys() != own.keys() or any(own[name].shape != value.shape for name, value in features.items()):
        raise ValueError("ImageNet weights are those of vgg16_bn; leave widths and depths as they are, or weights out")
    model.features.load_state_dict(features)


def _normalised(source: int, target: int, kernel: int = 3) -> list[nn.Module]:
    """Convolution, batch norm, ReLU."""
    return [nn.Conv2d(source, target, kernel, padding=kernel // 2), nn.BatchNorm2d(target), nn.ReLU(inplace=True)]
