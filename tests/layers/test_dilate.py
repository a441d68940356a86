"""A dilated backbone computes the original's features and those between them."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchvision import models

from segedu.layers.dilate import dilate
from segedu.models import create
from segedu.receptive_field import receptive_field


def trunk(resnet):
    return nn.Sequential(*[*resnet.children()][:-2])


def bottlenecks():
    """ResNet-50 with fewer blocks."""
    return models.ResNet(models.resnet.Bottleneck, [1, 1, 2, 2])


def mobilenet():
    """MobileNet v2 with fewer blocks, and all of its strides."""
    return models.MobileNetV2(inverted_residual_setting=[[1, 16, 1, 1]] + [[6, 24, 2, 2]] * 3 + [[6, 32, 1, 2]])


def striding_first(resnet):
    """The ResNet of DeepLab v2 (MSRA, Caffe): a stage strides in the 1x1 layer of its first block."""
    for block in resnet.modules():
        if isinstance(block, models.resnet.Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, (1, 1)
    return resnet


BACKBONES = {
    "basic blocks": lambda: trunk(models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 2])),
    "bottlenecks": lambda: trunk(bottlenecks()),
    "bottlenecks of DeepLab v2": lambda: trunk(striding_first(bottlenecks())),
    "vgg": lambda: models.vgg.make_layers([8, "M", 8, "M", 8, 8, "M", 8, "M", 8, "M"]),
    "vgg_mini": lambda: create("fcn32s", 3, backbone="vgg_mini").trunk.features,
    "alexnet": lambda: models.alexnet(weights=None).features,
    "mobilenet": lambda: mobilenet().features,
    "same padding": lambda: nn.Sequential(
        *[nn.Conv2d(3, 3, 3, stride=2, padding=1) for _ in range(3)], nn.Conv2d(3, 4, 3, padding="same")
    ),
}


def randomised(model):
    """Batch norms that have learnt something, so that no layer is the identity."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1), nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.double().eval()


PARTIAL = {"vgg_mini", "alexnet"}  # what lies near their last, partial window has no counterpart


@pytest.mark.parametrize("name", BACKBONES)
def test_every_nth_feature_is_one_of_the_original(name):
    backbone = randomised(BACKBONES[name]())
    size = (65, 98)
    image = torch.randn(1, 3, *size, dtype=torch.float64)
    stride = receptive_field(backbone, size).output.vertical.stride
    for nth in (2, 4):
        with torch.no_grad():
            coarse, fine = backbone(image), dilate(backbone, stride // nth)(image)
        same = fine[:, :, ::nth, ::nth]
        rows, columns = (min(a, b) for a, b in zip(same.shape[2:], coarse.shape[2:], strict=True))
        if name in PARTIAL:
            rows, columns = (rows + 1) // 2, (columns + 1) // 2
        else:
            assert (rows, columns) == coarse.shape[2:]
        torch.testing.assert_close(same[:, :, :rows, :columns], coarse[:, :, :rows, :columns], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("output_stride", [8, 16])
def test_resnet50_is_dilated_as_torchvision_does(output_stride):
    with torch.device("meta"):
        theirs = models.resnet50(weights=None, replace_stride_with_dilation=[False, output_stride == 8, True])
        ours = dilate(models.resnet50(weights=None), output_stride)

    def settings(model):
        convs = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
        return [(conv.stride, conv.padding, conv.dilation if conv.kernel_size != (1, 1) else None) for conv in convs]

    assert settings(ours) == settings(theirs)


def test_the_resnet_of_deeplab_v2_has_the_new_rate_from_its_first_block():
    with torch.device("meta"):
        dilated = dilate(striding_first(models.resnet50(weights=None)), 8)
    rates = [[block.conv2.dilation[0] for block in stage] for stage in (dilated.layer3, dilated.layer4)]
    assert rates == [[2] * 6, [4] * 3]


def test_the_weights_are_copied_and_the_original_is_left_alone():
    backbone = models.resnet18(weights=None)
    before = [conv.dilation for conv in backbone.modules() if isinstance(conv, nn.Conv2d)]
    dilated = dilate(backbone, 8)
    assert [conv.dilation for conv in backbone.modules() if isinstance(conv, nn.Conv2d)] == before
    for mine, theirs in zip(dilated.parameters(), backbone.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        assert mine.data_ptr() != theirs.data_ptr()


def test_a_layer_padded_by_reflection_pads_by_more():
    layers = [nn.Conv2d(3, 3, 3, 2, 1), nn.Conv2d(3, 3, 3, 2, 1), nn.Conv2d(3, 3, 3, 1, 1, padding_mode="reflect")]
    dilated = dilate(nn.Sequential(*layers), 2)
    with torch.no_grad():
        assert dilated(torch.randn(1, 3, 20, 24)).shape == (1, 3, 10, 12)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, 2, 1)

    def forward(self, x):
        return F.max_pool2d(self.conv(x), 2)


class Between(nn.Module):
    """Two branches, of strides 2 and 3."""

    def __init__(self):
        super().__init__()
        self.two, self.three = nn.Conv2d(3, 3, 3, 2, 1), nn.Conv2d(3, 3, 3, 3, 1)

    def forward(self, x):
        return self.two(x), self.three(x)


shared = nn.Conv2d(3, 3, 3, 2, 1)
REFUSED = {
    "a stride that does not exist": (lambda: models.resnet18(weights=None), 12, "have strides 2, 4, 8, 16, 32"),
    "an average pooling": (
        lambda: models.DenseNet(8, (1, 1, 1, 1), 16).features,
        8,
        "transition3.pool is an average pooling",
    ),
    "a function": (Functional, 2, "max_pool2d .max_pool2d 2x2, stride 2. is no module of its own"),
    "a layer used twice": (
        lambda: nn.Sequential(shared, shared),
        2,
        "1 .conv2d 3x3, stride 2, padding 1. is no module",
    ),
    "a stride between": (Between, 2, "three has stride 3, which output_stride 2 does not divide"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_dilated_is_refused(name):
    backbone, output_stride, says = REFUSED[name]
    with pytest.raises(ValueError, match=says):
        dilate(backbone(), output_stride)
