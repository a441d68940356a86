"""What the analyser says of a network is what gradients show, unit by unit, and what is published."""

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
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


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def resize(**options):
    return lambda: nn.Upsample(scale_factor=2, **options)


def layers(*modules):
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), *modules)


def without(last, model):
    """A classifier without its last layers."""
    return nn.Sequential(*[*model.children()][:-last])


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
    "ceil mode": (layers(nn.MaxPool2d(3, 2, ceil_mode=True), conv(4, 4, 3), nn.AvgPool2d(2, ceil_mode=True)), (24, 21)),
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
    "normalised channels": (layers(Function(lambda x: F.normalize(x, dim=1)), conv(4, 4, 3)), (9, 12)),
    "softmax over channels": (layers(Function(lambda x: x.softmax(1)), conv(4, 4, 3)), (9, 12)),
    "channels times a matrix": (
        layers(Function(lambda x: (x.movedim(1, -1) @ torch.ones(4, 4, dtype=x.dtype)).movedim(-1, 1)), conv(4, 4, 3)),
        (9, 12),
    ),
    "local maxima": (layers(Function(lambda x: x.amax(1, keepdim=True)), conv(1, 4, 3)), (9, 12)),
    "ASPP": (ASPP(), (31, 28)),
    "ASPP with image pooling": (ASPP(pooling=True), (21, 18)),
    "U-Net, transposed": (UNet(lambda: deconv(4, 4, 2, 2)), (32, 28)),
    "U-Net, bilinear": (UNet(resize(mode="bilinear")), (32, 36)),
    "U-Net, nearest, odd": (UNet(resize()), (37, 30)),
    "U-Net, unpadded": (UNet(lambda: deconv(4, 4, 2, 2), padding=0), (44, 48)),
    "resnet18": (without(2, models.resnet18(weights=None)), (97, 129)),
    "alexnet": (models.alexnet(weights=None).features, (127, 135)),
    "squeezenet": (models.squeezenet1_1(weights=None).features, (97, 80)),
    "googlenet": (without(3, models.googlenet(weights=None, init_weights=False, aux_logits=False)), (65, 97)),
    "mobilenet_v2": (models.mobilenet_v2(weights=None).features, (65, 97)),
    "shufflenet": (without(1, models.shufflenet_v2_x0_5(weights=None)), (65, 97)),
    "densenet": (models.DenseNet(4, (2, 2), 8).features, (65, 97)),
    "convnext": (nn.Sequential(*models.convnext_tiny(weights=None).features[:4]), (65, 97)),
    "fcn8s": (create("fcn8s", 5, backbone="vgg_mini"), (96, 112)),
    "fcn16s, odd": (create("fcn16s", 5, backbone="vgg_mini"), (75, 101)),
    "fcn8s, learnt": (create("fcn8s", 5, backbone="vgg_mini", learn_upsampling=True), (75, 101)),
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


# Published by Araujo et al. (Distill 2019) and in FCN's table 1; the rest follows by hand along the longest path.
VGG16 = {"4": (6, 2, 2), "9": (16, 4, 6), "16": (44, 8, 18), "23": (100, 16, 42), "30": (212, 32, 90)} | {
    "0": (3, 1, 1), "5": (10, 2, 4), "10": (24, 4, 10), "17": (60, 8, 26), "24": (132, 16, 58),
}  # fmt: skip
DILATED = {"replace_stride_with_dilation": [False, True, True]}


def fields_of(model, size=(224, 224)):
    return receptive_field(model, size)


def test_vgg16_layer_by_layer():
    with torch.device("meta"):
        rows = fields_of(models.vgg16(weights=None).features)
    assert {name: (rows[name].size, rows[name].stride, rows[name].padding) for name in VGG16} == VGG16


ALEXNET_V2 = nn.Sequential(  # TF-slim's, whose first convolution does not pad
    nn.Conv2d(3, 4, 11, 4),
    nn.MaxPool2d(3, 2),
    nn.Conv2d(4, 4, 5, padding=2),
    nn.MaxPool2d(3, 2),
    *[nn.Conv2d(4, 4, 3, padding=1) for _ in range(3)],
    nn.MaxPool2d(3, 2),
)


def test_alexnet_layer_by_layer():
    conv1, pool1, conv2, _, *rest = fields_of(ALEXNET_V2)  # the table leaves out the second pooling
    rows = [conv1, pool1, conv2, *rest]
    assert [row.size for row in rows] == [11, 19, 51, 99, 131, 163, 195]
    assert [row.stride for row in rows] == [4, 8, 8, 16, 16, 16, 32]
    assert [row.padding for row in rows] == [0, 0, 16, 32, 48, 64, 64]


PUBLISHED = {
    "VGG16 to fc6": (lambda: nn.Sequential(models.vgg16(weights=None).features, nn.Conv2d(512, 8, 7)), (404, 32, 90)),
    "alexnet": (lambda: models.alexnet(weights=None).features, (195, 32, 66)),
    "resnet50 at stride 8": (lambda: without(2, models.resnet50(weights=None, **DILATED)), (427, 8, 213)),
    "resnet101 at stride 8": (lambda: without(2, models.resnet101(weights=None, **DILATED)), (971, 8, 485)),
    "ASPP without image pooling": (lambda: deeplab_without_pooling(), (1003, 8, 501)),
}


def deeplab_without_pooling():
    net = models.segmentation.deeplabv3_resnet50(weights=None, weights_backbone=None)
    del net.classifier[0].convs[4]
    net.classifier[0].project = nn.Identity()
    return nn.Sequential(*net.backbone.values(), net.classifier[0])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_fields(name):
    build, published = PUBLISHED[name]
    with torch.device("meta"):
        output = fields_of(build()).output
    assert (output.size, output.stride, output.padding) == published


def test_fcn_resnet50_ends_in_interpolation():
    with torch.device("meta"):
        output = fields_of(models.segmentation.fcn_resnet50(weights=None, weights_backbone=None)).output
    assert (output.size, output.stride) == (451, 1)


@pytest.mark.parametrize("build", [models.mobilenet_v3_small, models.resnet18])
def test_global_pooling_sees_everything(build):
    with torch.device("meta"):
        output = fields_of(build(weights=None)).output
    assert output.size == math.inf
    assert output.unknown == ()


class Reads(nn.Module):
    """A convolution, then whatever is given."""

    def __init__(self, then):
        super().__init__()
        self.conv, self.then = nn.Conv2d(3, 4, 3, padding=1), then

    def forward(self, x):
        return self.then(self.conv(x))


def written_into(x):
    y = x.clone()
    y[:, :, 1:] += x[:, :, :-1]
    return y


def attention(x):
    tokens = x.flatten(2).transpose(1, 2)
    return F.scaled_dot_product_attention(tokens, tokens, tokens)


def product(x):
    tokens = x.flatten(2)
    return tokens.transpose(1, 2) @ tokens


UNKNOWN = {
    "grid_sampler": lambda x: F.grid_sample(x, x.permute(0, 2, 3, 1)[..., :2], align_corners=False),
    "scaled_dot_product_attention": attention,
    "matmul": product,
    "bmm": lambda x: torch.bmm(x.flatten(2).transpose(1, 2), x.flatten(2)),
    "roll": lambda x: x.roll(1, -1),
    "cat of places": lambda x: torch.cat([x, x], -1),
    "a reshape that splits an axis": lambda x: x.view(1, 4, 4, 3, 12),
    "into a part of a map": written_into,
    "unfold": lambda x: x.unfold(2, 3, 1),
    "a join of maps with unequal strides": lambda x: x + F.interpolate(x[:, :, ::2, ::2], (12, 12))[..., :12, :12]
    + F.interpolate(F.max_pool2d(x, 5, 5), (12, 12)),
    "cumsum": lambda x: x.cumsum(2),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_no_rule_tells_is_unknown_by_name(name):
    rows = receptive_field(Reads(UNKNOWN[name]), (12, 12))
    assert rows["conv"].size == 3
    assert any(name in found.removesuffix("_") for found in rows.output.unknown), rows.output.unknown
    assert rows.output.size is None
    assert rows.output.stride is None
    assert name in str(rows)
    with pytest.raises(ValueError, match="no rule for"):
        rows.output.box(0, 0)


def test_a_gap_in_the_map_is_not_joined_along_one_axis_alone():
    """A unit that sees nothing in one branch: what the other axis says of it would be a guess."""
    gaps = nn.ConvTranspose2d(4, 4, 1, 2, bias=False)
    full = nn.Upsample(scale_factor=2)
    rows = receptive_field(Reads(lambda x: gaps(x) + full(x)[..., 1:, 1:]), (12, 12))
    assert rows.output.unknown == ("a join with units that see nothing",)
    alone = receptive_field(Reads(gaps), (12, 12)).output
    assert alone.box_in_image(1, 0) is None
    assert alone.box_in_image(2, 4) == ((0, 2), (1, 3))


def test_height_and_width_are_told_apart():
    output = receptive_field(nn.Conv2d(3, 4, (3, 5), (1, 2)), (12, 12)).output
    assert (output.vertical.size, output.horizontal.size) == (3, 5)
    assert output.unknown == ()
    with pytest.raises(ValueError, match=r"the size of output is 3 along the height and 5 along the width"):
        _ = output.size


def test_a_layer_used_twice_has_two_rows():
    conv = nn.Conv2d(3, 3, 3, padding=1)
    assert [row.name for row in receptive_field(Reads(lambda x: x), (8, 8))] == ["conv"]
    assert [row.size for row in receptive_field(nn.Sequential(conv, conv), (8, 8))] == [3, 5]

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = conv

        def forward(self, x):
            return self.conv(self.conv(x))

    assert [row.name for row in receptive_field(Twice(), (8, 8))] == ["conv", "conv:2"]


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4).eval(), nn.Dropout()).train()
    model[1].eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    assert receptive_field(model, (8, 8)).output.size == 3  # in training mode the batch norm would see everything
    assert [module.training for module in model] == [True, False, True]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_outputs_have_their_names():
    with torch.device("meta"):
        net = models.segmentation.fcn_resnet50(weights=None, weights_backbone=None, aux_loss=True)
    rows = receptive_field(net, (64, 64))
    assert set(rows.outputs) == {"out", "aux"}
    assert rows.output is rows.outputs["out"]
    assert rows["backbone.layer4.2.conv2"].dilation == (4, 4)
    with pytest.raises(KeyError, match=r"no row is called 'layer9'"):
        _ = rows["layer9"]


@given(dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float64]), channels=st.integers(1, 5))
def test_any_dtype_and_any_number_of_channels(dtype, channels):
    model = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4)).to(dtype)
    assert receptive_field(model, (8, 9)).output.size == 3


class Depends(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("model", "size", "says"),
    [
        (nn.Conv2d(3, 4, 3), (0, 8), "input_size is .0, 8., expected a height and a width of at least 1"),
        (nn.Conv2d(3, 4, 9), (8, 8), "Conv2d could not be traced on an image of 8x8"),
        (Depends(), (8, 8), "Depends could not be traced"),
        (Reads(lambda x: torch.zeros(3)), (8, 8), "returns nothing that depends on the image"),
    ],
)
def test_what_cannot_be_traced_is_refused(model, size, says):
    with pytest.raises(ValueError, match=says):
        receptive_field(model, size)


def test_the_table_in_words():
    rows = receptive_field(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ConvTranspose2d(8, 2, 3, (2, 1))), (32, 48))
    cells = [re.split(r"  +", line) for line in str(rows).splitlines()]
    assert cells == [
        ["layer", "operation", "size", "stride", "start", "map"],
        ["0", "conv2d 3x3, stride 2, padding 1", "3", "2", "-1", "8x16x24"],
        ["1", "conv_transpose2d 3x3, stride 2x1", "3 or 5 x 7", "1 x 2", "-3 x -5", "2x33x26"],
    ]


def test_a_tap_counts_whatever_its_weight():
    class Padded(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1, 3, 1, 2))

        def forward(self, x):
            return F.conv2d(x, F.pad(self.weight, (0, 1)))

    assert receptive_field(Padded(), (5, 5)).output.horizontal.size == 3
