"""FCN against published counts, the release's own geometry, and the identities its skips start from."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.layers.grid import Grid
from segedu.layers.upsample import bilinear_kernel
from segedu.models import create
from segedu.models.backbones import TRUNKS
from segedu.models.fcn import AT_ONCE_SCALES
from segedu.models.keymaps import load_wkentaro_fcn

NAMES = ("fcn32s", "fcn16s", "fcn8s")


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def small(name: str = "fcn8s", num_classes: int = 4, **options) -> nn.Module:
    """A small FCN whose score layers are no longer zero, in evaluation mode."""
    model = create(name, num_classes, backbone="vgg_mini", **options).eval()
    for score in model.score.values():
        nn.init.normal_(score.weight, std=0.1)
        nn.init.normal_(score.bias)
    return model


@pytest.mark.parametrize(
    ("name", "backbone", "classes", "count"),
    [
        ("fcn32s", "vgg16", 21, 134_346_581),
        ("fcn16s", "vgg16", 21, 134_357_354),
        ("fcn8s", "vgg16", 21, 134_362_751),
        ("fcn32s", "vgg16", 19, 134_338_387),
        ("fcn16s", "vgg16", 19, 134_348_134),
        ("fcn8s", "vgg16", 19, 134_353_017),
        ("fcn32s", "alexnet", 21, 57_089_877),
        ("fcn32s", "googlenet", 21, 5_621_429),
        ("fcn32s", "googlenet", 19, 5_619_379),
    ],
)
def test_parameter_counts(name, backbone, classes, count):
    with torch.device("meta"):
        assert parameters(create(name, classes, backbone=backbone)) == count


@pytest.mark.parametrize(("name", "dense"), [("fcn32s", 1_806_336), ("fcn16s", 458_640), ("fcn8s", 127_008)])
def test_learnt_upsampling_holds_one_filter_a_class(name, dense):
    """The release's dense filters have K times as many weights; those counts are published."""
    with torch.device("meta"):
        grouped = parameters(create(name, 21, learn_upsampling=True)) - parameters(create(name, 21))
    assert grouped * 21 == dense


@pytest.mark.parametrize("backbone", TRUNKS)
@pytest.mark.parametrize("name", NAMES)
def test_runs_on_fake_cuda(name, backbone):
    """A tensor made on the wrong device fails here, on a machine without a GPU."""
    with FakeTensorMode(), torch.device("cuda"):
        model = create(name, 12, backbone=backbone, learn_upsampling=name == "fcn16s")
        out = model(torch.zeros(2, 3, 97, 130))["out"]
    assert out.shape == (2, 12, 97, 130)
    assert out.device.type == "cuda"


@settings(max_examples=12)
@given(st.sampled_from(NAMES), st.integers(1, 90), st.integers(1, 90), st.integers(1, 2), st.booleans())
def test_any_size_any_batch(name, height, width, batch, learn_upsampling):
    model = small(name, learn_upsampling=learn_upsampling)
    out = model(torch.randn(batch, 3, height, width))["out"]
    assert out.shape == (batch, 4, height, width)
    assert out.isfinite().all()


@pytest.mark.parametrize("backbone", ["vgg16", "alexnet", "googlenet", "vgg_mini"])
def test_documented_minimum_size_is_the_smallest_that_works(backbone):
    with torch.device("meta"):
        model = create("fcn8s", 2, backbone=backbone).eval()
        side = model.trunk.minimum_size
        assert model(torch.zeros(1, 3, side, side))["out"].shape[-2:] == (side, side)
        if side > 1:
            with pytest.raises(ValueError, match=f"at least {side}x{side}"):
                model(torch.zeros(1, 3, side, side - 1))
            model.trunk.minimum_size = 1
            with pytest.raises(RuntimeError):
                model(torch.zeros(1, 3, side - 1, side - 1))


@pytest.mark.parametrize("backbone", TRUNKS)
def test_maps_have_the_strides_and_widths_they_claim(backbone):
    with torch.device("meta"):
        trunk = TRUNKS[backbone]().eval()
        maps = trunk(torch.zeros(1, 3, 256, 320))
    assert {name: grid.stride for name, grid in trunk.grids.items()} == {"pool3": 8, "pool4": 16, "conv7": 32}
    assert {name: x.shape[1] for name, x in maps.items()} == trunk.channels
    for name, x in maps.items():
        stride = trunk.grids[name].stride
        assert abs(x.shape[-2] - 256 / stride) <= 1
        assert abs(x.shape[-1] - 320 / stride) <= 1


class OneChannel(nn.Module):
    """A convolution's windows without its channels: the mean over channels, then a kernel of ones."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, conv.kernel_size, conv.stride, conv.padding, conv.dilation, bias=False)
        nn.init.ones_(self.conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.mean(1, keepdim=True))


@pytest.mark.parametrize(
    ("backbone", "options"),
    [(backbone, {}) for backbone in TRUNKS] + [("vgg16", {"padding": 100}), ("alexnet", {"padding": 100})],
)
def test_maps_lie_where_their_grids_say(backbone, options):
    """Kernels of ones and average pooling make a cell's gradient symmetric: it balances on the cell's centre."""
    with torch.device("meta"):
        trunk = TRUNKS[backbone](**options).eval()
    for name, module in list(trunk.named_modules()):
        parent, _, child = name.rpartition(".")
        if isinstance(module, nn.MaxPool2d):
            replacement = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, ceil_mode=module.ceil_mode)
        elif isinstance(module, nn.Conv2d):
            replacement = OneChannel(module)
        elif isinstance(module, nn.BatchNorm2d):
            replacement = nn.Identity()
        else:
            continue
        setattr(trunk.get_submodule(parent), child, replacement)
    image = torch.ones(1, 3, 608, 640, dtype=torch.float64, requires_grad=True)
    for name, features in trunk.double()(image).items():
        row, column = features.shape[-2] // 2, features.shape[-1] // 2
        (gradient,) = torch.autograd.grad(features[0, :, row, column].sum(), image, retain_graph=True)
        across = gradient.sum((0, 1, 2))
        grid = trunk.grids[name]
        centre = (across * torch.arange(640)).sum() / across.sum()
        assert centre.item() == pytest.approx(grid.start + grid.stride * column), name


@pytest.mark.parametrize("backbone", ["vgg16", "alexnet", "googlenet"])
def test_imagenet_weights_find_their_places(backbone, monkeypatch):
    """The enum's download is replaced by random weights: equal features, and fc6 and fc7 the reshaped linear layers."""
    weights = torchvision.models.get_model_weights(backbone).DEFAULT
    options = {"transform_input": True, "aux_logits": True, "init_weights": False} if backbone == "googlenet" else {}
    with torch.device("meta"):
        reference = torchvision.models.get_model(backbone, weights=None, **options).eval()
    reference = reference.to_empty(device="cpu")
    state = {n: torch.rand(t.shape) * 0.1 for n, t in reference.state_dict().items()}
    reference.load_state_dict(state)
    monkeypatch.setattr(type(weights), "get_state_dict", lambda self, *args, **kwargs: state)
    trunk = create("fcn8s", 3, backbone=backbone, weights="imagenet").eval().trunk
    side = 63 if backbone == "alexnet" else 64  # sizes at which rounding up and down agree
    images = torch.randn(1, 3, side, side)
    with torch.no_grad():
        if backbone == "googlenet":
            ours, theirs = trunk(images)["conv7"], reference._transform_input(images)
            for name, layer in reference.named_children():
                theirs = layer(theirs) if not name.startswith(("aux", "avgpool", "dropout", "fc")) else theirs
        else:
            ours, theirs = trunk.features(images), reference.features(images)
            linear = [layer for layer in reference.classifier if isinstance(layer, nn.Linear)]
            for conv, layer in ((trunk.head.fc6, linear[0]), (trunk.head.fc7, linear[1])):
                assert torch.equal(conv.weight.flatten(1), layer.weight)
                assert torch.equal(conv.bias, layer.bias)
    torch.testing.assert_close(ours, theirs)


def test_imagenet_weights_that_do_not_fit_are_refused(monkeypatch):
    """Sets of another model, and VGG16's features alone, which hold NaN for the fully connected layers."""
    alexnet, features = (torchvision.models.get_model_weights(name) for name in ("alexnet", "vgg16"))
    with (
        torch.device("meta"),
        pytest.raises(ValueError, match=r"backbone 'vgg16' takes VGG16_Weights\.IMAGENET1K_V1 or"),
    ):
        create("fcn8s", 3, weights=alexnet.DEFAULT)
    state = torchvision.models.alexnet(weights=None).state_dict()
    state["classifier.4.bias"] = torch.full((4096,), torch.nan)
    monkeypatch.setattr(alexnet, "get_state_dict", lambda self, *args, **kwargs: state)
    with pytest.raises(ValueError, match=r"has no numbers for 'classifier\.4\.bias'"):
        create("fcn8s", 3, backbone="alexnet", weights=alexnet.DEFAULT)
    assert "IMAGENET1K_FEATURES" in features.__members__


def test_new_skips_change_nothing_until_they_learn():
    """Zero scores: FCN-8s and 16s begin as their coarse scores interpolated step by step (section 4.2)."""
    images = torch.randn(1, 3, 64, 96)
    model = small("fcn8s")
    with torch.no_grad():
        for name in ("pool4", "pool3"):
            model.score[name].weight.zero_()
            model.score[name].bias.zero_()
        coarse = model.scores(images)["conv7"]
        stepwise = coarse
        for factor in (2, 2, 8):
            stepwise = F.interpolate(stepwise, scale_factor=factor, mode="bilinear", align_corners=False)
        torch.testing.assert_close(model(images)["out"], stepwise, rtol=0, atol=1e-5)


def test_fusion_is_linear_in_the_scores():
    model, images = small(), torch.randn(2, 3, 50, 70)
    with torch.no_grad():
        scores = model.scores(images)
        parts = [
            model.fuse({name: s if name == kept else torch.zeros_like(s) for name, s in scores.items()}, (50, 70))
            for kept in scores
        ]
        torch.testing.assert_close(sum(parts), model(images)["out"], rtol=0, atol=1e-5)
    assert list(scores) == ["conv7", "pool4", "pool3"]


def test_at_once_scales_the_features():
    model, images = small(), torch.randn(1, 3, 64, 64)
    at_once = small(at_once=True)
    at_once.load_state_dict(model.state_dict())
    features = model.trunk(images)
    for name, scores in at_once.scores(images).items():
        torch.testing.assert_close(scores, model.score[name](features[name] * AT_ONCE_SCALES[name]))


@pytest.mark.parametrize("learn_upsampling", [False, True])
def test_every_parameter_gets_a_gradient(learn_upsampling):
    model = small(learn_upsampling=learn_upsampling).train()
    model(torch.randn(2, 3, 64, 96))["out"].square().mean().backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]


def test_layouts_and_autocast_agree():
    model, images = small(), torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        plain = model(images)["out"]
        last = model.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))["out"]
        with torch.autocast("cpu", torch.bfloat16):
            half = model(images)["out"]
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(half.float(), plain, rtol=0.05, atol=0.05 * plain.abs().max().item())


def test_compiles_without_graph_breaks():
    model = small()
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    with torch.no_grad():
        for size in ((64, 96), (41, 50)):
            images = torch.randn(2, 3, *size)
            assert torch.equal(compiled(images)["out"], model(images)["out"])


def wkentaro_state(classes: int) -> dict[str, Tensor]:
    """Random FCN-8s weights under wkentaro's names, with dense bilinear upsampling as in the release."""
    state = {}
    width = 3
    for stage, (convs, channels) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for conv in range(1, convs + 1):
            state[f"conv{stage}_{conv}.weight"] = torch.randn(channels, width, 3, 3) * (2 / (9 * width)) ** 0.5
            state[f"conv{stage}_{conv}.bias"] = torch.randn(channels) * 0.1
            width = channels
    for name, out, inside, kernel in [
        ("fc6", 4096, 512, 7),
        ("fc7", 4096, 4096, 1),
        ("score_fr", classes, 4096, 1),
        ("score_pool4", classes, 512, 1),
        ("score_pool3", classes, 256, 1),
    ]:
        state[f"{name}.weight"] = torch.randn(out, inside, kernel, kernel) * (2 / (inside * kernel**2)) ** 0.5
        state[f"{name}.bias"] = torch.randn(out) * 0.1
    for name, factor in (("upscore2", 2), ("upscore_pool4", 2), ("upscore8", 8)):
        dense = torch.zeros(classes, classes, 2 * factor, 2 * factor)
        dense[range(classes), range(classes)] = bilinear_kernel(factor)
        state[f"{name}.weight"] = dense
    return state


def released_fcn8s(state: dict[str, Tensor], image: Tensor) -> Tensor:
    """The release's forward pass, step by step: pad 100, unpadded fc6, dense upsampling, crops of 5, 9 and 31."""

    def conv(x: Tensor, name: str, padding: int = 0) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding)

    x, pools = image, {}
    for stage, convs in enumerate((2, 2, 3, 3, 3), 1):
        for index in range(1, convs + 1):
            x = conv(x, f"conv{stage}_{index}", padding=100 if stage == index == 1 else 1).relu()
        x = pools[stage] = F.max_pool2d(x, 2, 2, ceil_mode=True)
    x = conv(conv(x, "fc6").relu(), "fc7").relu()
    x = F.conv_transpose2d(conv(x, "score_fr"), state["upscore2.weight"], stride=2)
    x = x + conv(pools[4], "score_pool4")[..., 5 : 5 + x.shape[-2], 5 : 5 + x.shape[-1]]
    x = F.conv_transpose2d(x, state["upscore_pool4.weight"], stride=2)
    x = x + conv(pools[3], "score_pool3")[..., 9 : 9 + x.shape[-2], 9 : 9 + x.shape[-1]]
    x = F.conv_transpose2d(x, state["upscore8.weight"], stride=8)
    return x[..., 31 : 31 + image.shape[-2], 31 : 31 + image.shape[-1]]


@pytest.mark.slow
def test_wkentaro_weights_load_and_give_the_releases_numbers():
    state = wkentaro_state(3)
    with torch.device("meta"):
        fixed = create("fcn8s", 3, padding=100)
        learnt = create("fcn8s", 3, padding=100, learn_upsampling=True)
    image = torch.randn(1, 3, 37, 50)
    with torch.no_grad():
        expected = released_fcn8s(state, image)
        for model in (fixed, learnt):
            model = model.to_empty(device="cpu").eval()
            load_wkentaro_fcn(model, state)
            torch.testing.assert_close(model(image)["out"], expected, rtol=1e-4, atol=1e-4 * expected.abs().max())


def test_wkentaro_loader_says_what_is_wrong():
    with torch.device("meta"):
        fcn16s, fcn8s, mini = create("fcn16s", 3), create("fcn8s", 3), create("fcn8s", 3, backbone="vgg_mini")
        learnt = create("fcn8s", 3, learn_upsampling=True)
        state = {name: torch.empty_like(value) for name, value in wkentaro_state(3).items()}
    for name in ("upscore2.weight", "upscore_pool4.weight", "upscore8.weight"):
        state[name] = torch.ones(state[name].shape, device="cpu")
    with pytest.raises(ValueError, match=r"no 'upscore16\.weight'"):
        load_wkentaro_fcn(fcn16s, state)
    with pytest.raises(ValueError, match=r"holds? 'fc8\.weight', for which FCN-8s"):
        load_wkentaro_fcn(fcn8s, state | {"fc8.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="another backbone"):
        load_wkentaro_fcn(mini, state)
    with pytest.raises(ValueError, match="mixes classes"):
        load_wkentaro_fcn(learnt, state)
    for name in ("upscore2.weight", "upscore_pool4.weight", "upscore8.weight"):
        state[name] = torch.eye(3)[:, :, None, None].expand(state[name].shape)
    with pytest.raises(ValueError, match="is not the bilinear kernel"):
        load_wkentaro_fcn(fcn8s, state)
    with pytest.raises(ValueError, match=r"'upscore2\.weight' has shape \(3, 1, 4, 4\)"):
        load_wkentaro_fcn(learnt, state | {"upscore2.weight": torch.zeros(3, 1, 4, 4)})
    with pytest.raises(ValueError, match=r"'score\.conv7\.weight' has shape"):
        load_wkentaro_fcn(learnt, state | {"score_fr.weight": torch.zeros(5, 4096, 1, 1)})


def test_release_geometry_starts_at_the_release_crop():
    with torch.device("meta"):
        model = create("fcn32s", 2, backbone="alexnet", padding=100)
        assert model.trunk.grids["conv7"] == Grid(32, 13.0)
        assert model(torch.zeros(1, 3, 30, 40))["out"].shape == (1, 2, 30, 40)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "fcn4s"}, "no model 'fcn4s'"),
        ({"name": "fcn8s", "backbone": "vgg"}, "no backbone 'vgg'"),
        ({"name": "fcn8s", "num_classes": 0}, "num_classes is 0"),
        ({"name": "fcn8s", "weights": "coco"}, "weights is 'coco'"),
        ({"name": "fcn8s", "backbone": "vgg_mini", "weights": "imagenet"}, "no ImageNet weights"),
        ({"name": "fcn8s", "backbone": "googlenet", "padding": 100}, "padding=100 over googlenet"),
        ({"name": "fcn8s", "padding": 3}, "padding=3 over vgg16"),
    ],
)
def test_errors_name_what_came(arguments, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        create(**arguments)
