"""What the analyser says of a network is what gradients show, unit by unit, and what is published."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

from segedu.models import create
from segedu.receptive_field import receptive_field


class UNet(nn.Module):
    """Two levels; ``up`` makes a map finer, ``cut`` crops the skip as the paper does."""

    def __init__(self, up, padding=1):
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, padding=padding) for i, o in ((3, 4), (4, 4), (4, 4)))
        self.ups = nn.ModuleList(up() for _ in range(2))
        self.back = nn.ModuleList(nn.Conv2d(8, 4, 3, padding=padding) for _ in range(2))

    def forward(self, x):
        skips = []
        for conv in self.down[:2]:
            x = conv(x).relu_()
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.down[2](x)
        for up, back, skip in zip(self.ups, self.back, skips[::-1], strict=True):
            x = up(x)
            top, left = ((skip.shape[d] - x.shape[d]) // 2 for d in (2, 3))
            if top < 0 or left < 0:
                x = F.pad(x, (0, min(left, 0) * 2, 0, min(top, 0) * 2))
                top, left = 0, 0
            x = back(torch.cat([skip[:, :, top : top + x.shape[2], left : left + x.shape[3]], x], 1))
        return {"out": x}


class ASPP(nn.Module):
    """Branches of several rates, summed or concatenated, with or without image pooling."""

    def __init__(self, rates=(1, 2, 3), *, pooling=False):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.branches = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=rate, dilation=rate) for rate in rates)
        self.pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1)) if pooling else None

    def forward(self, x):
        x = self.stem(x)
        views = [branch(x) for branch in self.branches]
        if self.pooling is not None:
            views.append(F.interpolate(self.pooling(x), x.shape[-2:]))
        return torch.cat(views, 1)


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 4)

    def forward(self, x):
        x = self.conv(x)
        return x * self.gate(x.mean((2, 3)))[:, :, None, None].sigmoid()


class ChannelsLast(nn.Module):
    """ConvNeXt's way: layer norm and linear layers over channels that stand last."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, (5, 3), padding=(2, 1), groups=3), nn.LayerNorm(6)
        self.wide, self.narrow = nn.Linear(6, 12), nn.Linear(12, 6)

    def forward(self, x):
        y = self.conv(x)
        return y + self.narrow(F.gelu(self.wide(self.norm(y.permute(0, 2, 3, 1))))).permute(0, 3, 1, 2)


class Shuffle(nn.Module):
    """ShuffleNet's way: channels reshaped, exchanged and reshaped back; a half of them goes round the convolution."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(4, 4, 3, stride=1, padding=2, dilation=2)

    def forward(self, x):
        x = self.first(x)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        one, two = x.chunk(2, dim=1)
        return torch.cat([one, self.second(two)], 1)


class Slices(nn.Module):
    """Swin's way of halving a map: four slices on the channels; then a pad, a roll of channels, a where, a stack."""

    def __init__(self):
        super().__init__()
        self.first, self.conv = nn.Conv2d(3, 3, 1), nn.Conv2d(12, 4, 3)

    def forward(self, x):
        x = self.first(x)
        x = torch.cat([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)
        x = self.conv(F.pad(x, (2, 1, 0, 3))).roll(1, 1)
        return torch.stack([torch.where(x > 0, x, 0 * x), x[:, :, :, :]], 1).flatten(1, 2).unflatten(1, (2, 4)).sum(1)


def resize(**options):
    return lambda: nn.Upsample(scale_factor=2, **options)


def layers(*modules):
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), *modules)


conv, deconv = nn.Conv2d, nn.ConvTranspose2d
NETWORKS = {
    "notes": (nn.Sequential(conv(3, 4, 3, 2, 1), conv(4, 4, 3, 2, 1)), (5, 5)),
    "dilated": (layers(conv(4, 4, 3, padding=2, dilation=2), conv(4, 4, 3, padding=5, dilation=5)), (31, 26)),
    "even kernels": (layers(conv(4, 4, 2, 2), conv(4, 4, 4, 1, 1), nn.MaxPool2d(2, 1)), (23, 26)),
    "asymmetric": (layers(conv(4, 4, (1, 7), padding=(0, 3)), conv(4, 4, (5, 1), (3, 1), (2, 0), (1, 1))), (29, 30)),
    "padding same": (layers(conv(4, 4, 4, padding="same", dilation=2), conv(4, 4, 3, padding="valid")), (20, 17)),
    "circular": (layers(conv(4, 4, 3, padding=2, dilation=2, padding_mode="circular")), (13, 12)),
    "reflect": (layers(conv(4, 4, 5, padding=2, padding_mode="reflect"), conv(4, 4, 3, padding=1)), (13, 12)),
    "replicate": (layers(conv(4, 4, 5, padding=4, padding_mode="replicate"), conv(4, 4, 3, 2)), (13, 12)),
    "ceil mode": (layers(nn.MaxPool2d(3, 2, ceil_mode=True), conv(4, 4, 3), nn.AvgPool2d(2, 2, ceil_mode=True)), (24, 21)),
    "dilated pool": (layers(nn.MaxPool2d(3, 2, padding=1, dilation=2), conv(4, 4, 3)), (30, 23)),
    "padding lost": (layers(conv(4, 4, 2, 2), conv(4, 4, 3, padding=2)), (11, 14)),
    "transposed 2": (layers(conv(4, 4, 3, 2, 1), deconv(4, 4, 2, 2), conv(4, 4, 3, padding=1)), (22, 19)),
    "transposed 3": (layers(conv(4, 4, 3, 4, 1), deconv(4, 4, 3, 2, 1, 1), deconv(4, 4, 4, 2, 1)), (27, 25)),
    "transposed dilated": (layers(conv(4, 4, 3, 2), deconv(4, 4, 3, 2, 1, dilation=2), conv(4, 4, 2)), (20, 23)),
    "bilinear": (layers(nn.MaxPool2d(4), nn.Upsample(scale_factor=4, mode="bilinear"), conv(4, 4, 3)), (24, 29)),
    "bilinear to a size": (layers(nn.MaxPool2d(2), nn.Upsample((29, 17), mode="bilinear")), (24, 21)),
    "aligned corners": (layers(nn.MaxPool2d(2), nn.Upsample((23, 45), mode="bilinear", align_corners=True)), (24, 22)),
    "nearest": (layers(nn.MaxPool2d(3), nn.Upsample(scale_factor=3), conv(4, 4, 3, padding=1)), (24, 22)),
    "nearest to a size": (layers(nn.MaxPool2d(2), nn.Upsample((31, 17)), conv(4, 4, 3, padding=1)), (24, 22)),
    "bicubic": (layers(nn.MaxPool2d(3), nn.Upsample(scale_factor=2, mode="bicubic")), (24, 21)),
    "adaptive": (layers(nn.AdaptiveAvgPool2d((5, 7)), conv(4, 4, 3, padding=1)), (24, 31)),
    "pixel shuffle": (layers(nn.PixelUnshuffle(2), conv(16, 16, 3, padding=1), nn.PixelShuffle(4)), (24, 20)),
    "global pool": (layers(nn.AdaptiveAvgPool2d(1)), (9, 12)),
    "group norm": (layers(nn.GroupNorm(2, 4), conv(4, 4, 3)), (9, 12)),
    "layer norm over the width": (layers(nn.LayerNorm(12), conv(4, 4, 3)), (9, 12)),
    "squeeze and excite": (SqueezeExcite(), (9, 12)),
    "channels last": (ChannelsLast(), (14, 12)),
    "channel shuffle": (Shuffle(), (14, 12)),
    "slices": (Slices(), (18, 16)),
    "ASPP": (ASPP(), (31, 28)),
    "ASPP with image pooling": (ASPP(pooling=True), (21, 18)),
    "U-Net, transposed": (UNet(lambda: deconv(4, 4, 2, 2)), (32, 28)),
    "U-Net, bilinear": (UNet(resize(mode="bilinear")), (32, 36)),
    "U-Net, nearest, odd": (UNet(resize()), (37, 30)),
    "U-Net, unpadded": (UNet(lambda: deconv(4, 4, 2, 2), padding=0), (44, 48)),
    "resnet18": (nn.Sequential(*[*models.resnet18(weights=None).children()][:-2]), (97, 129)),
    "alexnet": (models.alexnet(weights=None).features, (127, 135)),
    "squeezenet": (models.squeezenet1_1(weights=None).features, (97, 80)),
    "googlenet": (nn.Sequential(*[*models.googlenet(weights=None, init_weights=False, aux_logits=False).children()][:-3]), (65, 97)),
    "mobilenet_v2": (models.mobilenet_v2(weights=None).features, (65, 97)),
    "shufflenet": (nn.Sequential(*[*models.shufflenet_v2_x0_5(weights=None).children()][:-1]), (65, 97)),
    "densenet121": (models.densenet121(weights=None).features, (65, 97)),
    "convnext": (nn.Sequential(*models.convnext_tiny(weights=None).features[:4]), (65, 97)),
    "fcn8s": (create("fcn8s", 5, backbone="vgg_mini"), (96, 112)),
    "fcn16s, odd": (create("fcn16s", 5, backbone="vgg_mini"), (75, 101)),
}  # fmt: skip


def five_units(shape):
    height, width = shape[-2:]
    return [(0, 0), (height - 1, width - 1), (height // 2, width // 2), (height // 3, width - 1), (0, width // 3)]


@pytest.mark.parametrize("name", NETWORKS)
def test_boxes_are_those_of_the_gradients(name, seen_by_gradient):
    model, size = NETWORKS[name]
    row = receptive_field(model, size).output
    assert row.unknown == ()
    units = five_units(row.shape)
    found = [row.box_in_image(*unit) for unit in units]
    assert found == seen_by_gradient(model, size, units)
    for (first, last), box, pixels in zip(row.box(*units[2]), found[2], size, strict=True):
        if first > 0 and last < pixels - 1:
            assert (first, last) == box  # in the middle, clear of the borders, there is no padding to count
