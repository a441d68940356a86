"""DeepLab-LargeFOV against its published numbers, VGG16's weights, and bilinear interpolation."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.layers.grid import Grid
from segedu.models import create
from segedu.models.deeplab import DeepLabV1, load_vgg16
from segedu.profile import macs, parameters
from segedu.receptive_field import receptive_field


@pytest.mark.parametrize(("classes", "count"), [(21, 20_505_429), (19, 20_503_379)])
def test_parameter_counts(classes, count):
    with torch.device("meta"):
        assert parameters(create("deeplabv1", classes)) == count


def test_published_sizes_and_field():
    with torch.device("meta"):
        model = create("deeplabv1", 21)
        assert model.features(torch.zeros(1, 3, 321, 321)).shape == (1, 512, 41, 41)
        field = receptive_field(model, (321, 321))
    assert (field["head.fc6"].size, field["head.fc6"].stride) == (435, 8)
    assert Grid().through(*model.features) == Grid(8, 0.0)


def test_arithmetic_beside_segnet():
    """82.8 GMAC at 360 x 480 with maps of 45 x 60; rounding up makes them 46 x 61."""
    with torch.device("meta"):
        grid = macs(create("deeplabv1", 11), (360, 480))
        plain = macs(create("deeplabv1", 11), (353, 473))
    assert plain / 1e9 == pytest.approx(82.8, rel=0.02)
    assert grid > plain


def test_scores_are_interpolated_with_corners_aligned():
    """Cells lie on every eighth pixel, so 8 n - 7 pixels have one in each corner."""
    model = tiny()
    images = torch.randn(1, 3, 25, 33)
    with torch.no_grad():
        scores = model.score(model.head(model.features(images)))
        assert scores.shape == (1, 3, 4, 5)
        expected = F.interpolate(scores, size=(25, 33), mode="bilinear", align_corners=True)
        torch.testing.assert_close(model(images)["out"], expected, rtol=0, atol=1e-5)


def tiny() -> DeepLabV1:
    """The network with a sixteenth of its width."""

    def thin(count):
        return max(3, count // 16)

    with torch.device("meta"):
        model = DeepLabV1(3)
    for parent in (model.features, model.head, model):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Conv2d):
                ins, outs = (3 if count == 3 else thin(count) for count in (layer.in_channels, layer.out_channels))
                options = {"padding": layer.padding, "dilation": layer.dilation}
                setattr(parent, name, nn.Conv2d(ins, outs, layer.kernel_size, **options))
    return model.eval()


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (30, 41)])
def test_any_size(size):
    assert tiny()(torch.randn(2, 3, *size))["out"].shape == (2, 3, *size)


def test_every_parameter_gets_a_gradient():
    model = tiny().train()
    model(torch.randn(2, 3, 40, 48))["out"].square().mean().backward()
    assert not [name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()]


def test_fine_grid_holds_what_a_coarse_one_would():
    """Atrous: conv5 at rate 2 on the fine grid is conv5 at rate 1 on every second cell (section 3.1)."""
    model = tiny()
    conv5 = model.features[24:30]
    x = torch.randn(1, 32, 16, 18)
    coarse = torch.nn.Sequential(*conv5)
    with torch.no_grad():
        fine = coarse(x)[..., ::2, ::2]
        for layer in conv5:
            if isinstance(layer, nn.Conv2d):
                layer.padding, layer.dilation = (1, 1), (1, 1)
        torch.testing.assert_close(fine, coarse(x[..., ::2, ::2]), rtol=1e-4, atol=1e-5)


def vgg16_state(fully_connected: float = 0.0) -> dict[str, torch.Tensor]:
    """Zeros without memory, but for the first convolution and what tells the fully connected layers' places."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in torchvision.models.vgg16(weights=None).state_dict().items()}
    state = {name: torch.full((1,), fully_connected).expand(shape) for name, shape in shapes.items()}
    state["features.0.weight"] = torch.randn(shapes["features.0.weight"])
    state["features.28.bias"] = torch.randn(512)
    return state


def test_vgg16_loads(monkeypatch):
    weights = torchvision.models.VGG16_Weights.DEFAULT
    state = vgg16_state()
    filters = torch.arange(4096.0)
    state["classifier.0.bias"] = filters
    state["classifier.3.bias"] = -filters
    state["classifier.3.weight"] = filters.expand(4096, 4096)
    taps = torch.arange(49.0).repeat(512)
    state["classifier.0.weight"] = taps.expand(4096, -1)
    monkeypatch.setattr(type(weights), "get_state_dict", lambda self, *args, **kwargs: state)
    model = create("deeplabv1", 2, weights="imagenet")
    assert torch.equal(model.features[0].weight, state["features.0.weight"])
    assert torch.equal(model.features[28].bias, state["features.28.bias"])
    assert torch.equal(model.head.fc6.bias, filters[::4])
    assert torch.equal(model.head.fc7.bias, -filters[::4])
    assert torch.equal(model.head.fc7.weight[7].flatten(), filters[::4])
    corners = torch.tensor([[0.0, 3, 6], [21, 24, 27], [42, 45, 48]])  # of a 7x7 kernel, the middle and the rim
    assert torch.equal(model.head.fc6.weight[5, 9], corners)


def test_weights_without_fully_connected_layers_are_refused(monkeypatch):
    weights = torchvision.models.VGG16_Weights.IMAGENET1K_FEATURES
    state = vgg16_state(float("nan"))
    monkeypatch.setattr(type(weights), "get_state_dict", lambda self, *args, **kwargs: state)
    with torch.device("meta"):
        model = DeepLabV1(2)
    with pytest.raises(ValueError, match=r"has no numbers for 'classifier\.0\.weight'"):
        load_vgg16(model, weights)


def test_runs_on_fake_cuda():
    with FakeTensorMode(), torch.device("cuda"):
        out = create("deeplabv1", 12)(torch.zeros(2, 3, 45, 61))["out"]
    assert out.shape == (2, 12, 45, 61)
    assert out.device.type == "cuda"


def test_layouts_agree():
    model, images = tiny(), torch.randn(1, 3, 41, 30)
    with torch.no_grad():
        plain = model(images)["out"]
        last = model.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))["out"]
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-5)


def test_the_small_one_has_the_same_geometry():
    """An eighth of the width and a convolution a stage; fc6 reads as far as it is told."""
    small = create("deeplabv1", 3, backbone="vgg_mini", rate=4).eval()
    with torch.device("meta"):
        whole = DeepLabV1(3)
    assert Grid().through(*small.features) == Grid().through(*whole.features)
    rates = [layer.rate for layer in small.features if isinstance(layer, nn.Conv2d)]
    assert rates == [1, 1, 1, 1, 2]  # as VGG16's stages have
    assert [layer.out_channels for layer in (small.head.fc6, small.head.fc7)] == [128, 128]
    field = receptive_field(small, (96, 128))
    assert field["head.fc6"].size - field["features.20"].size == 2 * 4 * 8


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"rate": 0}, "rate is 0"),
        ({"width": 0}, "width is 0"),
        ({"weights": "imagenet"}, "no ImageNet weights for backbone 'vgg_mini'"),
    ],
)
def test_what_the_small_one_cannot_be(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        create("deeplabv1", 3, backbone="vgg_mini", **options)
