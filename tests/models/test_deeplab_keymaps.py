"""Other projects' DeepLab weights: their networks written out by their own names, and ours with the same numbers."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.models import DeepLabV2, DeepLabV3
from segedu.models.keymaps import load_kazuto_deeplabv2, load_kazuto_deeplabv3, load_vainf_deeplabv3
from segedu.models.resnet import MULTI_GRID, Bottleneck, MSRABottleneck, ResNet
from segedu.models.torchvision_layout import torchvision_deeplabv3

BLOCKS, WIDTHS = (2, 1, 2, 3), (2, 3, 4, 5)


def backbone(output_stride: int, unit: type[Bottleneck] = MSRABottleneck, **options) -> ResNet:
    return ResNet(unit, BLOCKS, WIDTHS, output_stride=output_stride, ceil_mode=True, **options)


class Kazuto:
    """A state dict in kazuto1011's names that grows as its network is walked through, and what that network says."""

    def __init__(self):
        self.state: dict[str, Tensor] = {}

    def conv(self, x: Tensor, name: str, channels: int, kernel: int = 1, *, bias: bool = True, **options) -> Tensor:
        self.state[f"{name}.weight"] = weight = torch.randn(channels, x.shape[1], kernel, kernel) / x.shape[1] ** 0.5
        if bias:
            self.state[f"{name}.bias"] = torch.randn(channels)
        return F.conv2d(x, weight, self.state.get(f"{name}.bias"), **options)

    def block(self, x: Tensor, name: str, channels: int, kernel: int = 1, *, relu: bool = True, **options) -> Tensor:
        x = self.conv(x, f"{name}.conv", channels, kernel, bias=False, **options)
        mean, var, weight, bias = torch.randn(channels), *torch.rand(2, channels) + 0.5, torch.randn(channels)
        names = ("running_mean", "running_var", "weight", "bias")
        self.state |= {f"{name}.bn.{one}": value for one, value in zip(names, (mean, var, weight, bias), strict=True)}
        self.state[f"{name}.bn.num_batches_tracked"] = torch.tensor(7)
        x = F.batch_norm(x, mean, var, weight, bias, eps=1e-5)
        return x.relu() if relu else x

    def unit(self, x: Tensor, name: str, width: int, stride: int, rate: int, shortcut: bool) -> Tensor:
        inner = self.block(x, f"{name}.reduce", width, stride=stride)
        inner = self.block(inner, f"{name}.conv3x3", width, 3, padding=rate, dilation=rate)
        inner = self.block(inner, f"{name}.increase", 4 * width, relu=False)
        around = self.block(x, f"{name}.shortcut", 4 * width, stride=stride, relu=False) if shortcut else x
        return (inner + around).relu()

    def backbone(self, x: Tensor, strides: tuple[int, ...], rates: list[list[int]]) -> Tensor:
        x = self.block(x, "layer1.conv1", WIDTHS[0], 7, stride=2, padding=3)
        x = F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        for stage, (stride, width) in enumerate(zip(strides, WIDTHS, strict=True)):
            for at, rate in enumerate(rates[stage]):
                name = f"layer{stage + 2}.block{at + 1}"
                x = self.unit(x, name, width, stride if at == 0 else 1, rate, shortcut=at == 0)
        return x


@pytest.mark.parametrize("prefix", ["", "base."])
def test_kazuto_v2(prefix):
    kazuto, images = Kazuto(), torch.randn(1, 3, 58, 83)
    x = kazuto.backbone(images, (1, 2, 1, 1), [[1, 1], [1], [2, 2], [4, 4, 4]])
    rates = (6, 12, 18, 24)
    expected = sum(kazuto.conv(x, f"aspp.c{at}", 3, 3, padding=rate, dilation=rate) for at, rate in enumerate(rates))
    model = DeepLabV2(3, backbone(8)).eval()
    load_kazuto_deeplabv2(model, {prefix + name: value for name, value in kazuto.state.items()})
    torch.testing.assert_close(model.scores(images)["out"], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("output_stride", "strides", "rates"),
    [(16, (1, 2, 2, 1), [[1, 1], [1], [1, 1], [2, 4, 8]]), (8, (1, 2, 1, 1), [[1, 1], [1], [2, 2], [4, 8, 16]])],
)
def test_kazuto_v3(output_stride, strides, rates):
    kazuto, images = Kazuto(), torch.randn(1, 3, 58, 83)
    x = kazuto.backbone(images, strides, rates)
    views = [kazuto.block(x, "aspp.stages.c0", 6)]
    for at, rate in enumerate((6, 12, 18), 1):
        rate = rate * 16 // output_stride
        views.append(kazuto.block(x, f"aspp.stages.c{at}", 6, 3, padding=rate, dilation=rate))
    pooled = kazuto.block(x.mean((2, 3), keepdim=True), "aspp.stages.imagepool.conv", 6)
    views.append(F.interpolate(pooled, size=x.shape[-2:], mode="bilinear"))
    expected = kazuto.conv(kazuto.block(torch.cat(views, 1), "fc1", 6), "fc2", 3)
    model = DeepLabV3(3, backbone(output_stride, multi_grid=MULTI_GRID), width=6).eval()
    load_kazuto_deeplabv3(model, kazuto.state)
    torch.testing.assert_close(model.scores(images)["out"], expected, rtol=1e-4, atol=1e-4)


def test_vainf():
    model = torchvision_deeplabv3(3, backbone(16), aux=False)
    weights = {name: torch.rand_like(value.float()) for name, value in model.state_dict().items()}
    theirs = {name.replace("classifier.", "classifier.classifier."): value for name, value in weights.items()}
    assert {"classifier.classifier.0.convs.4.1.weight", "backbone.layer1.0.bn1.weight"} <= theirs.keys()
    for state in (theirs, {"model_state": theirs, "best_score": 0.769}):
        blank = torchvision_deeplabv3(3, backbone(16), aux=False)
        load_vainf_deeplabv3(blank, state)
        assert all(torch.equal(value, weights[name].to(value)) for name, value in blank.state_dict().items())


def test_vainf_has_no_second_head():
    model = torchvision_deeplabv3(3, backbone(16))
    with pytest.raises(ValueError, match=r"hold no 'aux_classifier.*aux=False"):
        load_vainf_deeplabv3(model, torchvision_deeplabv3(3, backbone(16), aux=False).state_dict())


def test_kazuto_needs_an_msra_resnet():
    model = DeepLabV2(3, backbone(8, Bottleneck))
    with pytest.raises(ValueError, match="strides in the first 1x1 layer of a unit"):
        load_kazuto_deeplabv2(model, {})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("layer2.block1.shortcut.conv.weight"), "hold no 'layer2.block1.shortcut.conv.weight'"),
        (lambda state: state.update(extra=torch.ones(1)), "hold 'extra', for which DeepLab v2"),
        (lambda state: state.update({"aspp.c1.bias": torch.ones(4)}), r"'classifier.branches.1.bias' has shape \(3,\)"),
    ],
)
def test_wrong_weights_are_named(change, words):
    kazuto = Kazuto()
    x = kazuto.backbone(torch.randn(1, 3, 16, 16), (1, 2, 1, 1), [[1, 1], [1], [2, 2], [4, 4, 4]])
    for at in range(4):
        kazuto.conv(x, f"aspp.c{at}", 3, 3, padding=1)
    change(kazuto.state)
    with pytest.raises(ValueError, match=words):
        load_kazuto_deeplabv2(DeepLabV2(3, backbone(8)), kazuto.state)
