"""DeepLab: classifiers whose last strides are replaced by dilation, so that they score on a fine grid."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor, nn
from torchvision.models import WeightsEnum

from segedu.layers.aspp import AtrousConv
from segedu.layers.grid import Grid
from segedu.layers.upsample import BilinearUpsample
from segedu.models.backbones import published_weights


class DeepLabV1(nn.Module):
    """DeepLab-LargeFOV over VGG16: scores at stride 8, interpolated: ``(N, 3, H, W) -> {"out": (N, K, H, W)}``.

    Chen et al., ICLR 2015, section 3 and table 2: 20.5 M parameters at 21 classes. All poolings are 3x3; the last two
    do not stride, so conv5 has rate 2, and fc6 is a 3x3 convolution of 1024 channels at rate 12, whose kernel spans
    25 cells as VGG16's 7x7 one would at rate 4. As in ports of the release an average pooling stands before fc6.
    Pooling rounds up, as in Caffe; a cell's centre lies on every eighth pixel, so 321 x 321 gives 41 x 41. Any image of
    at least one pixel. ``features`` are other layers than VGG16's, at stride 8 and of any width, ``width`` is that of
    fc6 and fc7, and ``rate`` that of fc6, which a small image needs smaller.

    Deviations: the paper trains on labels subsampled by 8, here scores are interpolated for training too; the dense
    CRF that sharpens its result is not part of the network. Raises ``ValueError`` for a ``width`` or ``rate`` below 1.
    """

    def __init__(
        self, num_classes: int, features: nn.Sequential | None = None, *, width: int = 1024, rate: int = 12
    ) -> None:
        if width < 1:
            raise ValueError(f"width is {width}; fc6 and fc7 need at least one channel")
        super().__init__()
        self.features = dilated_vgg16() if features is None else features
        channels = [layer.out_channels for layer in self.features if isinstance(layer, nn.Conv2d)][-1]
        self.head = nn.Sequential(
            OrderedDict(
                fc6=AtrousConv(channels, width, rate, bias=True),
                relu6=nn.ReLU(inplace=True),
                drop6=nn.Dropout(0.5),
                fc7=nn.Conv2d(width, width, 1),
                relu7=nn.ReLU(inplace=True),
                drop7=nn.Dropout(0.5),
            )
        )
        self.score = nn.Conv2d(width, num_classes, 1)
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.zeros_(self.score.bias)  # type: ignore[arg-type]
        self.upsample = BilinearUpsample(Grid().through(*self.features), Grid())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        height, width = images.shape[-2:]
        scores = self.score(self.head(self.features(images)))
        return {"out": self.upsample(scores, (height, width))}


def load_vgg16(model: DeepLabV1, weights: WeightsEnum | None = None) -> None:
    """Fill all but the scores with torchvision's ImageNet weights of ``vgg16``, downloaded when they are not cached.

    VGG16's fc6 and fc7 are decimated: of the 7x7 taps every third, of the 4096 filters every fourth, where the paper
    draws them at random (DeepLab v2, section 4.1.1). ``weights`` picks the set (torchvision's default if left out).
    Raises ``ValueError`` for weights of another model or without fully connected layers.
    """
    state = published_weights("vgg16", weights)
    if state["classifier.0.weight"].isnan().any():  # torchvision's IMAGENET1K_FEATURES
        raise ValueError(f"{weights} has no numbers for 'classifier.0.weight'; take weights='imagenet'")
    prefix = "features."
    model.features.load_state_dict(
        {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    )
    fc6, fc7 = state["classifier.0.weight"].view(4096, 512, 7, 7), state["classifier.3.weight"]
    model.head.load_state_dict(
        {
            "fc6.weight": fc6[::4, :, ::3, ::3],
            "fc6.bias": state["classifier.0.bias"][::4],
            "fc7.weight": fc7[::4, ::4, None, None],
            "fc7.bias": state["classifier.3.bias"][::4],
        }
    )


def dilated_vgg16() -> nn.Sequential:
    """VGG16's features at stride 8, under torchvision's names: ``(N, 3, H, W) -> (N, 512, h, w)``."""
    return _at_stride_8((64, 128, 256, 512, 512), (2, 2, 3, 3, 3), _conv_relu)


def dilated_vgg_mini() -> nn.Sequential:
    """The same plan at a size that trains in minutes: ``(N, 3, H, W) -> (N, 64, h, w)``.

    An eighth of the width, one convolution a stage, batch norm, as `backbones.vgg_mini` has it; not from a paper.
    """
    return _at_stride_8((8, 16, 32, 64, 64), (1,) * 5, _conv_norm_relu)


def _at_stride_8(
    widths: Sequence[int], depths: Sequence[int], conv: Callable[[int, int, int], list[nn.Module]]
) -> nn.Sequential:
    """Five stages, each ended by a 3x3 pooling; the last two poolings do not stride, so the last stage has rate 2."""
    layers: list[nn.Module] = []
    plan = zip((3, *widths), widths, depths, (2, 2, 2, 1, 1), (1, 1, 1, 1, 2), strict=False)
    for before, width, depth, stride, rate in plan:
        for source, target in pairwise([before] + [width] * depth):
            layers += conv(source, target, rate)
        layers.append(nn.MaxPool2d(3, stride, padding=1, ceil_mode=True))
    return nn.Sequential(*layers, nn.AvgPool2d(3, 1, padding=1))


def _conv_relu(source: int, target: int, rate: int) -> list[nn.Module]:
    return [AtrousConv(source, target, rate, bias=True), nn.ReLU(inplace=True)]


def _conv_norm_relu(source: int, target: int, rate: int) -> list[nn.Module]:
    return [AtrousConv(source, target, rate), nn.BatchNorm2d(target), nn.ReLU(inplace=True)]
