"""ResNet trunks against torchvision's, and their output strides against `dilate` and the coarse grid."""

from functools import partial

import pytest
import torch
import torchvision
from torch import nn

from segedu.layers.aspp import AtrousConv
from segedu.layers.dilate import dilate
from segedu.layers.grid import Grid
from segedu.models import create
from segedu.models.resnet import MULTI_GRID, RESNETS, BasicBlock, Bottleneck, MSRABottleneck, ResNet, load_resnet

UNITS = [BasicBlock, Bottleneck, MSRABottleneck]
tiny = partial(ResNet, blocks=(1, 2, 2, 3), widths=(2, 3, 4, 5))


def rates(stage: nn.Module) -> list[int]:
    return [layer.rate for layer in stage.modules() if isinstance(layer, AtrousConv)]


def test_features_are_torchvisions(lively):
    """Of basic blocks; torchvision's segmenters show it for the others."""
    trunk = lively(RESNETS["resnet18"]())
    with torch.device("meta"):
        theirs = torchvision.models.resnet18(weights=None).eval()
    theirs.fc = nn.Identity()
    theirs.load_state_dict(trunk.state_dict(), strict=True, assign=True)
    images = torch.randn(1, 3, 45, 64)
    with torch.no_grad():
        ours = trunk(images)["layer4"].mean((2, 3))
        torch.testing.assert_close(ours, theirs(images), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "output_stride", "replaced"),
    [
        ("resnet50", 32, [False, False, False]),
        ("resnet50", 16, [False, False, True]),
        ("resnet101", 8, [False, True, True]),
        ("resnet50", 4, [True, True, True]),
    ],
)
def test_strides_and_rates_are_torchvisions(name, output_stride, replaced):
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name, weights=None, replace_stride_with_dilation=replaced)
        ours = RESNETS[name](output_stride=output_stride)

    def layout(net):
        return {
            layer: (conv.stride, conv.dilation, conv.padding)
            for layer, conv in net.named_modules()
            if isinstance(conv, nn.Conv2d)
        }

    assert layout(ours) == layout(theirs)


@pytest.mark.parametrize(("unit", "output_stride"), [(Bottleneck, 8), (MSRABottleneck, 16)])
def test_output_stride_is_dilate(unit, output_stride, lively):
    """The trunk's own bookkeeping against the general rule, which traces the network."""
    coarse = lively(tiny(unit, blocks=(1, 1, 1, 2)))
    fine = tiny(unit, blocks=(1, 1, 1, 2), output_stride=output_stride).eval()
    fine.load_state_dict(coarse.state_dict())
    images = torch.randn(1, 3, 66, 97)
    with torch.no_grad():
        expected = dilate(coarse, output_stride, input_size=(33, 33))(images)
        for name, one in fine(images).items():
            assert torch.equal(one, expected[name])


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("output_stride", [4, 8, 16])
def test_a_fine_grid_holds_the_coarse_one(unit, output_stride, lively):
    coarse = lively(tiny(unit))
    fine = tiny(unit, output_stride=output_stride).eval()
    fine.load_state_dict(coarse.state_dict())
    images = torch.randn(2, 3, 66, 97)
    with torch.no_grad():
        kept = fine(images)["layer4"][..., :: 32 // output_stride, :: 32 // output_stride]
        torch.testing.assert_close(kept, coarse(images)["layer4"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("unit", UNITS)
def test_multi_grid_reads_the_same_at_16_and_8(unit, lively):
    coarse = lively(tiny(unit, output_stride=16, multi_grid=MULTI_GRID))
    fine = tiny(unit, output_stride=8, multi_grid=MULTI_GRID).eval()
    fine.load_state_dict(coarse.state_dict())
    images = torch.randn(1, 3, 81, 97)
    with torch.no_grad():
        kept = fine(images)["layer4"][..., ::2, ::2]
        torch.testing.assert_close(kept, coarse(images)["layer4"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "output_stride", "third", "last"),
    [
        ("resnet50", 16, [1] * 6, [2, 4, 8]),
        ("resnet50", 8, [1] + [2] * 5, [4, 8, 16]),
        ("resnet50_msra", 16, [1] * 6, [2, 4, 8]),
        ("resnet50_msra", 8, [2] * 6, [4, 8, 16]),
    ],
)
def test_rates_of_multi_grid(name, output_stride, third, last):
    with torch.device("meta"):
        trunk = RESNETS[name](output_stride=output_stride, multi_grid=MULTI_GRID)
    assert (rates(trunk.layer3), rates(trunk.layer4)) == (third, last)
    assert set(rates(trunk.layer1) + rates(trunk.layer2)) == {1}


def test_multi_grid_in_basic_blocks_is_a_rate_for_both_layers():
    with torch.device("meta"):
        assert rates(RESNETS["resnet18"](output_stride=16, multi_grid=MULTI_GRID).layer4) == [2, 2, 4, 4]


@pytest.mark.parametrize(
    ("name", "output_stride", "multi_grid", "fields"),
    [
        ("resnet50", 32, None, {0: 427}),
        ("resnet101", 32, None, {0: 971}),
        ("resnet101", 16, MULTI_GRID, {6: 1451, 12: 1643, 18: 1835}),
        ("resnet101_msra", 8, None, {6: 1123, 12: 1219, 18: 1315, 24: 1411}),
    ],
)
def test_fields(name, output_stride, multi_grid, fields):
    """Of the last stage (0) and of one 3x3 layer after it: ``1 + sum((k - 1) * rate * stride before)``.

    With stride in the 3x3 layer, DeepLab v2's would see 8 pixels less: the first unit of the second stage reads a finer
    map.
    """
    with torch.device("meta"):
        trunk = RESNETS[name](output_stride=output_stride, multi_grid=multi_grid)
    size, stride = 1 + 6 * 1 + 2 * 2, 4
    for stage in (trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4):
        for unit in stage:
            stride *= unit.conv1.stride[0]
            size += 2 * unit.conv2.rate * stride
            stride *= unit.conv2.stride[0]
    assert {rate: size + 2 * rate * stride for rate in fields} == fields


def test_cells_lie_on_every_nth_pixel():
    trunk = tiny(BasicBlock, output_stride=8, multi_grid=MULTI_GRID)
    layers = [trunk.conv1, trunk.maxpool]
    for stage in (trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4):
        layers += [layer for unit in stage for layer in (unit.conv1, unit.conv2)]
    assert Grid().through(*layers) == Grid(8, 0.0)


@pytest.mark.parametrize("size", [(1, 1), (2, 37)])
def test_any_size(size):
    for unit in UNITS:
        layer4 = tiny(unit, output_stride=16).eval()(torch.randn(1, 3, *size))["layer4"]
        assert layer4.shape[2:] == tuple(-(-side // 16) for side in size)


def test_caffe_rounds_up():
    images = torch.zeros(1, 3, 320, 320, device="meta")
    with torch.device("meta"):
        assert tiny(MSRABottleneck, output_stride=8)(images)["layer4"].shape[-1] == 40
        assert tiny(MSRABottleneck, output_stride=8, ceil_mode=True)(images)["layer4"].shape[-1] == 41


def test_imagenet_weights_load(monkeypatch):
    weights = torchvision.models.ResNet18_Weights.DEFAULT
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in torchvision.models.resnet18(weights=None).state_dict().items()}
    state = {name: torch.tensor(float(at)).expand(shape) for at, (name, shape) in enumerate(shapes.items())}
    monkeypatch.setattr(type(weights), "get_state_dict", lambda self, *args, **kwargs: state)
    model = create("deeplabv3", 2, backbone="resnet18", weights="imagenet", width=4)
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(value, state[name])
    with pytest.raises(ValueError, match="resnet18"):
        create("deeplabv3", 2, backbone="resnet18", weights=torchvision.models.ResNet50_Weights.DEFAULT)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet50_msra", "stride in the first 1x1 layer, torchvision's in the 3x3 layer"),
        ("resnet_mini", "publishes no ImageNet weights"),
    ],
)
def test_no_imagenet_weights_for(name, words):
    with torch.device("meta"), pytest.raises(ValueError, match=words):
        load_resnet(RESNETS[name](), name)


@pytest.mark.parametrize("output_stride", [2, 12, 64])
def test_bad_output_stride(output_stride):
    with pytest.raises(ValueError, match=rf"output_stride is {output_stride}; .* 4, 8, 16 and 32"):
        tiny(BasicBlock, output_stride=output_stride)


def test_multi_grid_too_short():
    with pytest.raises(ValueError, match=r"multi_grid is \(1, 2\), but the last stage has 3 units"):
        tiny(BasicBlock, multi_grid=(1, 2))
