"""Classifiers as trunks: what is left of AlexNet, VGG16 and GoogLeNet when they score every place instead of the image.

A trunk maps ``(N, 3, H, W)`` to three feature maps, finest first: ``pool3`` at stride 8, ``pool4`` at stride 16 and
``conv7`` at stride 32. The names are VGG16's; in the other trunks they stand for the map at the same stride.
``grids`` says where each map's cells lie on the image, ``channels`` how wide it is.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torchvision.models import GoogLeNet, WeightsEnum, get_model_weights

from segedu.layers.grid import Grid


class Trunk(nn.Module):
    """A classifier's layers with three places to look in from: ``(N, 3, H, W) -> {"pool3", "pool4", "conv7"}``.

    ``features`` end at stride 32; ``taps`` names the layers whose outputs are kept; ``head`` holds what were the
    fully connected layers. Raises ``ValueError`` for an image below ``minimum_size``, where the last pooling has
    nothing left.
    """

    def __init__(
        self,
        features: nn.Sequential,
        taps: Mapping[str, str],
        head: nn.Sequential,
        channels: Mapping[str, int],
        minimum_size: int,
    ) -> None:
        super().__init__()
        self.features = features
        self.head = head
        self.taps = dict(taps)
        self.channels = dict(channels)
        self.minimum_size = minimum_size
        self.grids = self._walk()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        if min(images.shape[-2:]) < self.minimum_size:
            raise ValueError(
                f"images are {images.shape[-2]}x{images.shape[-1]}; this backbone needs at least "
                f"{self.minimum_size}x{self.minimum_size} pixels"
            )
        maps: dict[str, Tensor] = {}
        x = images
        for name, layer in self.features.named_children():
            x = layer(x)
            if name in self.taps:
                maps[self.taps[name]] = x
        maps["conv7"] = self.head(x)
        return maps

    def _walk(self) -> dict[str, Grid]:
        grids: dict[str, Grid] = {}
        grid = Grid()
        for name, layer in self.features.named_children():
            grid = grid.through(getattr(layer, "conv", layer))  # torchvision's BasicConv2d wraps its convolution
            if name in self.taps:
                grids[self.taps[name]] = grid
        grids["conv7"] = grid.through(*self.head)
        return grids


def vgg16(padding: int = 1) -> Trunk:
    """VGG16 with fc6 and fc7 as convolutions (Simonyan and Zisserman; FCN, section 4.1): 134.3 M parameters, stride 32.

    Layer names are torchvision's, so its weights load. ``padding`` is that of the first convolution: with 1, fc6 pads
    by 3 and every size works; with FCN's 100, fc6 does not pad, as in the release, at 1.7 times the arithmetic. Pooling
    rounds up, as in Caffe.
    """
    layers: list[nn.Module] = []
    width = 3
    for stage, (convs, channels) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]):
        for conv in range(convs):
            pad = padding if stage == conv == 0 else 1
            layers += [nn.Conv2d(width, channels, 3, padding=pad), nn.ReLU(inplace=True)]
            width = channels
        layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
    return Trunk(
        nn.Sequential(*layers),
        taps={"16": "pool3", "23": "pool4"},
        head=_dense_head(512, 4096, kernel=7, padding=3 if padding == 1 else 0),
        channels={"pool3": 256, "pool4": 512, "conv7": 4096},
        minimum_size=1,
    )


def alexnet(padding: int = 2) -> Trunk:
    """torchvision's AlexNet (Krizhevsky 2014, one tower) with fc6 and fc7 as convolutions: 57.0 M parameters, stride
    32.

    FCN's own is CaffeNet, which has groups, local response normalisation and widths 96/256/384/384/256; this one has
    none of these and widths 64/192/384/256/256. ``padding`` is that of the first convolution: 2, or 100 as in FCN's
    release.
    """
    features = nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=padding),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, ceil_mode=True),
    )
    return Trunk(
        features,
        taps={"2": "pool3", "5": "pool4"},
        head=_dense_head(256, 4096, kernel=6, padding=3 if padding == 2 else 0),
        channels={"pool3": 64, "pool4": 192, "conv7": 4096},
        minimum_size=35 if padding == 2 else 1,
    )


def googlenet() -> Trunk:
    """torchvision's GoogLeNet (Szegedy 2015) without its average pooling and classifier: 5.6 M parameters, stride 32.

    FCN discards the average pooling too and keeps no fully connected layer (footnote 4). torchvision's network has
    batch norm, 3x3 convolutions in place of the 5x5 ones and a 2x2 fourth pooling. Its published weights expect
    inputs in [-1, 1]; ``ImageNetToUnitRange`` takes them there from ImageNet's mean and standard deviation.
    """
    net = GoogLeNet(aux_logits=False, init_weights=False)
    layers = OrderedDict[str, nn.Module](to_unit_range=ImageNetToUnitRange())
    layers.update((name, child) for name, child in net.named_children() if name not in ("avgpool", "dropout", "fc"))
    return Trunk(
        nn.Sequential(layers),
        taps={"inception3b": "pool3", "inception4e": "pool4"},
        head=nn.Sequential(),
        channels={"pool3": 480, "pool4": 832, "conv7": 1024},
        minimum_size=15,
    )


def vgg_mini() -> Trunk:
    """VGG's plan at a size that trains in seconds: an eighth of its width, one convolution a stage, batch norm.

    Not from a paper: it stands in for VGG16 where a lesson trains several networks from random weights on a CPU.
    """
    layers: list[nn.Module] = []
    width = 3
    for channels in (8, 16, 32, 64, 64):
        layers += [
            nn.Conv2d(width, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, 2, ceil_mode=True),
        ]
        width = channels
    return Trunk(
        nn.Sequential(*layers),
        taps={"11": "pool3", "15": "pool4"},
        head=nn.Sequential(nn.Conv2d(64, 128, 3, padding=1, bias=False), nn.BatchNorm2d(128), nn.ReLU(inplace=True)),
        channels={"pool3": 32, "pool4": 64, "conv7": 128},
        minimum_size=1,
    )


class ImageNetToUnitRange(nn.Module):
    """From ImageNet's mean and standard deviation to [-1, 1], channel by channel: ``(N, 3, H, W) -> (N, 3, H, W)``."""

    MEAN = (0.485, 0.456, 0.406)
    STD = (0.229, 0.224, 0.225)

    def forward(self, images: Tensor) -> Tensor:
        # Plain numbers: a tensor of them, made at each call, would have the host wait for the device.
        channels = zip(images.unbind(1), self.MEAN, self.STD, strict=True)
        return torch.stack([channel * (2 * std) + (2 * mean - 1) for channel, mean, std in channels], 1)


def _dense_head(in_channels: int, channels: int, kernel: int, padding: int) -> nn.Sequential:
    """fc6 and fc7 as convolutions; dropout falls on single elements, as in Caffe, not on whole channels."""
    return nn.Sequential(
        OrderedDict(
            fc6=nn.Conv2d(in_channels, channels, kernel, padding=padding),
            relu6=nn.ReLU(inplace=True),
            drop6=nn.Dropout(0.5),
            fc7=nn.Conv2d(channels, channels, 1),
            relu7=nn.ReLU(inplace=True),
            drop7=nn.Dropout(0.5),
        )
    )


TRUNKS: dict[str, Callable[..., Trunk]] = {
    "vgg16": vgg16,
    "alexnet": alexnet,
    "googlenet": googlenet,
    "vgg_mini": vgg_mini,
}


# torchvision's names where they are not "features.N" as here: fully connected layers, and GoogLeNet's named stages.
TORCHVISION_NAMES: dict[str, dict[str, str]] = {
    "vgg16": {"head.fc6.": "classifier.0.", "head.fc7.": "classifier.3."},
    "alexnet": {"head.fc6.": "classifier.1.", "head.fc7.": "classifier.4."},
    "googlenet": {"features.": ""},
}


def load_imagenet(trunk: Trunk, backbone: str, weights: WeightsEnum | None = None) -> None:
    """Fill ``trunk`` with torchvision's ImageNet weights for ``backbone``; downloads them when they are not cached.

    ``weights`` picks one of torchvision's published sets (its default if left out). Raises ``ValueError`` when
    torchvision publishes none for this backbone, and for a set of another model or one that lacks a layer's numbers.
    """
    if backbone not in TORCHVISION_NAMES:
        raise ValueError(f"torchvision publishes no ImageNet weights for backbone {backbone!r}; pass weights=None")
    published = published_weights(backbone, weights)
    renamed = TORCHVISION_NAMES[backbone]

    def theirs(name: str) -> str:
        return next((new + name.removeprefix(old) for old, new in renamed.items() if name.startswith(old)), name)

    # view_as: a linear layer's (out, C * h * w) is the convolution's (out, C, h, w) in the same order
    state = {name: published[theirs(name)].view_as(own) for name, own in trunk.state_dict().items()}
    # torchvision's IMAGENET1K_FEATURES of VGG16 has NaN in place of the fully connected layers
    if empty := next((theirs(name) for name, values in state.items() if values.isnan().any()), None):
        raise ValueError(f"{weights} has no numbers for {empty!r}; take {get_model_weights(backbone).DEFAULT}")
    trunk.load_state_dict(state)


def published_weights(model: str, weights: WeightsEnum | None = None) -> dict[str, Tensor]:
    """torchvision's ImageNet state dict for its ``model``, downloaded when it is not cached.

    ``weights`` picks one of the published sets (the default if left out); ``ValueError`` for a set of another model.
    """
    choices = get_model_weights(model)
    weights = choices.DEFAULT if weights is None else weights
    if weights not in choices:
        raise ValueError(f"weights is {weights!r}; backbone {model!r} takes {' or '.join(map(str, choices))}")
    state: dict[str, Tensor] = weights.get_state_dict(progress=True, check_hash=True)
    return state
