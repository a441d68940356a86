"""DeepLab v3 against its published numbers, another output stride with the same weights, and torchvision's networks."""

from functools import partial

import pytest
import torch
import torchvision
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.layers.aspp import ASPP, AtrousBranch, AtrousConv, ImagePooling, PointBranch, SummedASPP
from segedu.models import DeepLabV3, MultiScaleMax, create
from segedu.models.atrous import AtrousSegmenter
from segedu.models.resnet import MULTI_GRID, RESNETS, Bottleneck, ResNet
from segedu.models.torchvision_layout import torchvision_deeplabv3, torchvision_fcn
from segedu.profile import macs, parameters
from segedu.receptive_field import receptive_field


def trunk(output_stride: int = 16, **options) -> ResNet:
    return ResNet(Bottleneck, (1, 1, 2, 3), (2, 3, 4, 5), output_stride=output_stride, **options)


def tiny(output_stride: int = 16) -> DeepLabV3:
    return DeepLabV3(3, trunk(output_stride, multi_grid=MULTI_GRID), width=6)


@pytest.mark.parametrize(
    ("classes", "backbone", "count"),
    [
        (21, "resnet50", 39_048_533),
        (21, "resnet101", 58_040_661),
        (19, "resnet50", 39_048_019),
    ],
)
def test_parameter_counts(classes, backbone, count):
    with torch.device("meta"):
        assert parameters(create("deeplabv3", classes, backbone)) == count


@pytest.mark.parametrize(("output_stride", "cells", "rates"), [(16, 33, [6, 12, 18]), (8, 65, [12, 24, 36])])
def test_published_sizes_and_rates(output_stride, cells, rates):
    with torch.device("meta"):
        model = create("deeplabv3", 21, output_stride=output_stride).eval()
        assert model.scores(torch.zeros(1, 3, 513, 513))["out"].shape == (1, 21, cells, cells)
    assert [layer.rate for layer in model.classifier.modules() if isinstance(layer, AtrousConv)] == rates
    assert [unit.conv2.rate for unit in model.backbone.layer4] == [rate * 16 // output_stride for rate in (2, 4, 8)]


def test_the_mean_over_the_image_sees_without_end():
    assert receptive_field(tiny(), (65, 65)).output.size == float("inf")


def test_arithmetic_follows_the_output_stride():
    """513 x 513 over ResNet-50 in torchvision's form: 168.7 and 51.1 GMAC with the same parameters."""
    with torch.device("meta"):
        model = create("deeplabv3_torchvision", 21)
        counts = [macs(model.at_output_stride(stride), (513, 513)) / 1e9 for stride in (8, 16)]
    assert counts == pytest.approx([168.7, 51.1], abs=0.05)


def summed(num_classes: int = 3) -> AtrousSegmenter:
    """A head with zero padding that pools nothing: on it a fine grid repeats the coarse one."""
    backbone = trunk(multi_grid=MULTI_GRID)
    return AtrousSegmenter(backbone, SummedASPP(backbone.channels["layer4"], num_classes, (1, 3, 6)))


def test_same_weights_on_a_finer_grid(lively):
    coarse = lively(summed())
    fine = coarse.at_output_stride(8)
    images = torch.randn(1, 3, 97, 129)
    with torch.no_grad():
        near, far = fine.scores(images)["out"], coarse.scores(images)["out"]
        assert near.shape[-2:] == (13, 17)
        torch.testing.assert_close(near[..., ::2, ::2], far, rtol=1e-4, atol=1e-6)
        # both are put back where their cells lie, so they agree on every 16th pixel of the image
        out, expected = fine(images)["out"], coarse(images)["out"]
        torch.testing.assert_close(out[..., ::16, ::16], expected[..., ::16, ::16], rtol=1e-4, atol=1e-6)
        assert not torch.allclose(out, expected, atol=1e-3 * expected.abs().max().item())


def test_the_other_grid_shares_what_is_learnt(lively):
    model = lively(tiny())
    twin = model.at_output_stride(8)
    assert all(one is other for one, other in zip(model.parameters(), twin.parameters(), strict=True))
    assert all(one is other for one, other in zip(model.buffers(), twin.buffers(), strict=True))
    assert (model.backbone.output_stride, twin.backbone.output_stride) == (16, 8)
    images = torch.randn(2, 3, 65, 49)
    before = twin(images)["out"]
    model.train()(images)["out"].mean().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.1 * parameter.grad.sign()
    assert not torch.allclose(twin(images)["out"], before)
    back = twin.at_output_stride(16)
    assert torch.equal(back(images)["out"], model.eval()(images)["out"])


def test_a_state_dict_loads_at_either_stride(lively):
    model = lively(tiny(16))
    fine = tiny(8)
    fine.load_state_dict(model.state_dict(), strict=True)
    images = torch.randn(1, 3, 50, 65)
    assert torch.equal(fine.eval()(images)["out"], model.at_output_stride(8)(images)["out"])


def test_rates_stay_whole():
    with pytest.raises(ValueError, match="rate of 1 at output stride 16 is no whole number at output stride 32"):
        summed().at_output_stride(32)
    with pytest.raises(ValueError, match="output_stride is 12"):
        summed().at_output_stride(12)


def test_batch_of_one(refuses_a_batch_of_one):
    refuses_a_batch_of_one(tiny())["out"].mean().backward()


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (30, 41)])
def test_any_size(size):
    assert tiny().eval()(torch.randn(2, 3, *size))["out"].shape == (2, 3, *size)


def test_every_parameter_gets_a_gradient():
    model = tiny()
    model(torch.randn(2, 3, 200, 210))["out"].square().mean().backward()
    assert not [name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()]


HEADS = {
    "1x1": [PointBranch],
    "ASPP": [PointBranch, *(partial(AtrousBranch, rate=rate) for rate in (1, 2, 3))],
    "image pooling": [PointBranch, ImagePooling],
}


@pytest.mark.parametrize("branches", HEADS.values(), ids=HEADS)
def test_heads_are_put_together(branches):
    backbone = RESNETS["resnet_mini"](output_stride=16)
    width = backbone.channels["layer4"]
    aspp = ASPP([branch(width, 4) for branch in branches], 4)
    model = AtrousSegmenter(backbone, nn.Sequential(aspp, nn.Conv2d(4, 2, 1)))
    assert model(torch.randn(2, 3, 48, 64))["out"].shape == (2, 2, 48, 64)


@pytest.mark.parametrize(
    ("name", "backbone", "aux", "count"),
    [
        ("deeplabv3", "resnet50", False, 39_638_869),
        ("deeplabv3", "resnet101", True, 60_996_202),
        ("fcn", "resnet50", False, 32_957_013),
        ("fcn", "resnet101", True, 54_314_346),
    ],
)
def test_layout_is_torchvisions(name, backbone, aux, count):
    reference = getattr(torchvision.models.segmentation, f"{name}_{backbone}")
    with torch.device("meta"):
        theirs = reference(weights=None, weights_backbone=None, aux_loss=aux)
        ours = create(f"{name}_torchvision", 21, backbone, aux=aux)
    own = {entry: value.shape for entry, value in ours.state_dict().items()}
    assert own == {entry: value.shape for entry, value in theirs.state_dict().items()}
    assert parameters(ours) == parameters(theirs) == count


@pytest.mark.parametrize("name", ["deeplabv3", "fcn"])
def test_outputs_are_torchvisions(name, lively):
    """In evaluation mode, though the second head, which speaks in training only, is asked too."""
    theirs = getattr(torchvision.models.segmentation, f"{name}_resnet50")(
        weights=None, weights_backbone=None, aux_loss=True
    )
    with torch.device("meta"):
        ours = create(f"{name}_torchvision", 21, "resnet50")
    lively(theirs)
    ours.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    theirs.load_state_dict(ours.eval().state_dict(), strict=True)
    images = torch.randn(1, 3, 33, 41)
    with torch.no_grad():
        assert list(ours(images)) == ["out"]
        ours.training = True
        torch.testing.assert_close(ours(images), dict(theirs(images)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("build", [torchvision_deeplabv3, torchvision_fcn])
def test_second_head_speaks_in_training(build):
    model, images = build(3, trunk(8)), torch.randn(2, 3, 40, 50)
    outputs = model(images)
    assert {name: tuple(one.shape) for name, one in outputs.items()} == {"out": (2, 3, 40, 50), "aux": (2, 3, 40, 50)}
    assert all("aux" in name for name, _ in model.named_parameters() if name.startswith("aux"))
    outputs["aux"].mean().backward()
    assert model.aux_classifier[0].weight.grad.any()
    assert model.classifier[-1].weight.grad is None
    assert list(build(3, trunk(8), aux=False)(images)) == ["out"]


def test_runs_on_fake_cuda():
    with FakeTensorMode(), torch.device("cuda"):
        out = MultiScaleMax(create("deeplabv3", 12, "resnet_mini"), (1, 0.5))(torch.zeros(2, 3, 45, 61))["out"]
    assert out.shape == (2, 12, 45, 61)
    assert out.device.type == "cuda"


def test_layouts_agree(lively):
    model, images = lively(tiny()), torch.randn(1, 3, 41, 30)
    with torch.no_grad():
        plain = model(images)["out"]
        last = model.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))["out"]
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-5)
