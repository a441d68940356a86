"""DeepLab v2 against its published numbers, and the maximum over scales by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segedu.models import DeepLabV2, MultiScaleMax, create
from segedu.models.resnet import MSRABottleneck, ResNet
from segedu.profile import parameters
from segedu.receptive_field import receptive_field


def tiny(**options) -> DeepLabV2:
    backbone = ResNet(MSRABottleneck, (1, 1, 1, 1), (2, 3, 4, 5), output_stride=8, ceil_mode=True)
    return DeepLabV2(3, backbone, **options)


def test_published_numbers():
    with torch.device("meta"):
        model = create("deeplabv2", 21).eval()
        assert model.scores(torch.zeros(1, 3, 321, 321))["out"].shape == (1, 21, 41, 41)
    assert (parameters(model), parameters(model.classifier)) == (44_048_532, 1_548_372)
    assert [branch.rate for branch in model.classifier.branches] == [6, 12, 18, 24]
    units = [*model.backbone.layer3, *model.backbone.layer4]
    assert [unit.conv2.rate for unit in units] == [2] * 23 + [4] * 3  # the first of a stage included
    assert len(model.state_dict()) == 632  # entries of kazuto1011's released files


def test_the_analyser_knows_the_network():
    """1 + 6 + 4 for the stem, 2 * rate * stride for each 3x3 layer after it."""
    field = receptive_field(tiny(rates=(3, 5)), (65, 65))
    backbone = 11 + 2 * 4 + 2 * 8 + 2 * 2 * 8 + 2 * 4 * 8
    assert [field[f"classifier.branches.{at}"].size for at in (0, 1)] == [backbone + 48, backbone + 80]
    assert (field["classifier.branches.0"].stride, field["classifier.branches.0"].padding) == (8, (backbone + 47) // 2)


@pytest.mark.parametrize("size", [(321, 321), (25, 41)])
def test_corners_are_aligned_where_they_meet(size):
    model = tiny().eval()
    images = torch.randn(1, 3, *size)
    with torch.no_grad():
        scores = model.scores(images)["out"]
        expected = F.interpolate(scores, size=size, mode="bilinear", align_corners=True)
        torch.testing.assert_close(model(images)["out"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (30, 41)])
def test_any_size(size):
    assert tiny().eval()(torch.randn(2, 3, *size))["out"].shape == (2, 3, *size)


def test_every_parameter_gets_a_gradient():
    model = tiny(rates=(1, 2))
    model(torch.randn(2, 3, 40, 48))["out"].square().mean().backward()
    assert not [name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()]


def test_torchvisions_weights_are_refused():
    with torch.device("meta"), pytest.raises(ValueError, match="features would be wrong without a word"):
        create("deeplabv2", 2, "resnet50_msra", weights="imagenet")


class Known(nn.Module):
    """Scores that tell what was asked: the mean of the image over its height, and the image itself."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, images):
        height = torch.full_like(images, float(images.shape[-2])) / 10
        return {"out": self.gain * torch.cat([height, images], 1), "other": images}


def test_maximum_over_scales_by_hand():
    """A picture of one white pixel blurs as it shrinks: every scale has a place where it is the largest."""
    images = torch.zeros(1, 1, 8, 12)
    images[..., 3, 5] = 1
    net = MultiScaleMax(Known())
    small, half = (
        F.interpolate(F.interpolate(images, size=size, mode="bilinear"), size=(8, 12), mode="bilinear")
        for size in ((6, 9), (4, 6))
    )
    outputs = net.train()(images)
    assert list(outputs) == ["out", "aux1", "aux0.75", "aux0.5"]
    for name, side, scores in [("aux1", 8, images), ("aux0.75", 6, small), ("aux0.5", 4, half)]:
        torch.testing.assert_close(outputs[name][:, 1:], scores)
        torch.testing.assert_close(outputs[name][:, 0], torch.full((1, 8, 12), side / 10))
    largest = torch.maximum(torch.maximum(images, small), half)
    torch.testing.assert_close(outputs["out"][:, 1:], largest)
    assert all((largest == one).any() and not torch.equal(largest, one) for one in (images, small, half))
    assert torch.equal(outputs["out"][:, 0], outputs["aux1"][:, 0])
    assert list(net.eval()(images)) == ["out"]


def test_one_scale_is_the_network():
    model, images = tiny().eval(), torch.randn(1, 3, 33, 20)
    assert torch.equal(MultiScaleMax(model, (1.0,))(images)["out"], model(images)["out"])
    assert parameters(MultiScaleMax(model)) == parameters(model)


def test_smallest_image_has_every_scale():
    assert MultiScaleMax(tiny().eval())(torch.randn(1, 3, 1, 1))["out"].shape == (1, 3, 1, 1)


@pytest.mark.parametrize("scales", [(), (1.0, 0.0), (-1.0,)])
def test_bad_scales(scales):
    with pytest.raises(ValueError, match="scales is"):
        MultiScaleMax(Known(), scales)
