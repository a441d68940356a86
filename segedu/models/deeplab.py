"""DeepLab: classifiers whose last strides are replaced by dilation, so that they score on a fine grid."""

from collections import OrderedDict

from torch import Tensor, nn
from torchvision.models import WeightsEnum

from segedu.layers.grid import Grid
from segedu.layers.upsample import BilinearUpsample
from segedu.models.backbones import published_weights


class DeepLabV1(nn.Module):
    """DeepLab-LargeFOV over VGG16: scores at stride 8, interpolated: ``(N, 3, H, W) -> {"out": (N, K, H, W)}``.

    Chen et al., ICLR 2015, section 3 and table 2: 20.5 M parameters at 21 classes. All poolings are 3x3; the last two
    do not stride, so conv5 has rate 2, and fc6 is a 3x3 convolution of 1024 channels at rate 12, whose kernel spans
    25 cells as VGG16's 7x7 one would at rate 4. As in ports of the release an average pooling stands before fc6.
    Pooling rounds up, as in Caffe; a cell's centre lies on every eighth pixel, so 321 x 321 gives 41 x 41. Any image of
    at least one pixel.

    Deviations: the paper trains on labels subsampled by 8, here scores are interpolated for training too; the dense
    CRF that sharpens its result is not part of the network.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.features = _dilated_vgg16()
        self.head = nn.Sequential(
            OrderedDict(
                fc6=nn.Conv2d(512, 1024, 3, padding=12, dilation=12),
                relu6=nn.ReLU(inplace=True),
                drop6=nn.Dropout(0.5),
                fc7=nn.Conv2d(1024, 1024, 1),
                relu7=nn.ReLU(inplace=True),
                drop7=nn.Dropout(0.5),
            )
        )
        self.score = nn.Conv2d(1024, num_classes, 1)
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


def _dilated_vgg16() -> nn.Sequential:
    """VGG16's features at stride 8, under torchvision's names."""
    layers: list[nn.Module] = []
    width = 3
    stages = [(2, 64, 2, 1), (2, 128, 2, 1), (3, 256, 2, 1), (3, 512, 1, 1), (3, 512, 1, 2)]
    for convs, channels, stride, rate in stages:
        for _ in range(convs):
            layers += [nn.Conv2d(width, channels, 3, padding=rate, dilation=rate), nn.ReLU(inplace=True)]
            width = channels
        layers.append(nn.MaxPool2d(3, stride, padding=1, ceil_mode=True))
    return nn.Sequential(*layers, nn.AvgPool2d(3, 1, padding=1))
