"""SegNet against published counts, torchvision's encoder, and what its decoder may and may not know."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.layers.way_back import WAYS_BACK
from segedu.models import SegNet, SegNetBasic, create
from segedu.models.segnet import load_vgg16_bn
from segedu.profile import macs, parameters, retained_bytes

MIB = 2**20


def small(way_back="offsets", num_classes=4) -> SegNet:
    return SegNet(num_classes, WAYS_BACK[way_back], widths=(4, 8, 8), depths=(1, 2, 1)).eval()


@pytest.mark.parametrize(
    ("name", "classes", "count"),
    [
        ("segnet", 11, 29_449_355),
        ("segnet", 12, 29_449_932),
        ("segnet", 19, 29_453_971),
        ("segnet", 21, 29_455_125),
        ("segnet", 37, 29_464_357),
        ("segnet_basic", 11, 1_416_587),
    ],
)
def test_parameter_counts(name, classes, count):
    with torch.device("meta"):
        assert parameters(create(name, classes)) == count


def test_the_encoder_has_half_of_the_arithmetic():
    with torch.device("meta"):
        model = create("segnet", 11)
        assert round(macs(model, (360, 480)) / 1e9, 1) == 106.7
        model.stages = torch.nn.ModuleList(torch.nn.Identity() for _ in model.stages)
        model.decode = lambda deepest, kept: deepest
        assert round(macs(model, (360, 480)) / 1e9, 1) == 53.0


def test_sizes_of_the_paper():
    with torch.device("meta"):
        deepest, kept = create("segnet", 11).encode(torch.zeros(1, 3, 360, 480))
    assert deepest.shape == (1, 512, 12, 15)
    assert [one.size for one in kept] == [(360, 480), (180, 240), (90, 120), (45, 60), (23, 30)]


@pytest.mark.parametrize(
    ("way_back", "mebibytes"),
    [("indices", 40.3), ("offsets", 5.0), ("packed offsets", 1.3), ("pooled skip", 20.2), ("full skip", 80.4)],
)
def test_bytes_that_go_to_the_decoder(way_back, mebibytes):
    with torch.device("meta"):
        model = create("segnet", 11, way_back=WAYS_BACK[way_back])
        _, kept = model.encode(torch.zeros(1, 3, 360, 480))
    assert sum(one.memory.nbytes for one in kept) / MIB == pytest.approx(mebibytes, abs=0.05)


def test_training_keeps_the_indices_less_the_offsets():
    """The rest that autograd keeps is the same: the designs differ by seven bytes a window."""
    images = torch.randn(1, 3, 36, 48)
    indices, offsets = (retained_bytes(small(name).train(), images) for name in ("indices", "offsets"))
    windows = 4 * 18 * 24 + 8 * 9 * 12 + 8 * 5 * 6
    assert indices - offsets == 7 * windows


@settings(max_examples=10)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 2), st.sampled_from(sorted(WAYS_BACK)))
def test_any_size_any_batch_any_way_back(height, width, batch, way_back):
    out = small(way_back)(torch.randn(batch, 3, height, width))["out"]
    assert out.shape == (batch, 4, height, width)
    assert out.isfinite().all()


def test_ways_that_keep_the_same_places_give_the_same_scores():
    models = {name: small(name) for name in ("indices", "offsets", "packed offsets", "nearest")}
    images = torch.randn(2, 3, 37, 29)
    for model in models.values():
        model.load_state_dict(models["indices"].state_dict())  # of equal names: a way back has no parameters
    outs = {name: model(images)["out"] for name, model in models.items()}
    assert torch.equal(outs["indices"], outs["offsets"])
    assert torch.equal(outs["indices"], outs["packed offsets"])
    assert not torch.equal(outs["indices"], outs["nearest"])


def test_the_decoder_knows_the_places_and_the_deepest_map_alone():
    """The network written out with PyTorch's own pooling and unpooling; only bytes go across."""
    model, image = small(), torch.randn(1, 3, 37, 29)
    x, places = image, []
    for name, layer in model.features.named_children():
        if name in model.pools:
            size = x.shape[-2:]
            x, indices = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
            places.append((indices, size))
        else:
            x = layer(x)
    for stage in model.stages:
        indices, size = places.pop()
        x = stage(F.max_unpool2d(x, indices, 2, output_size=size))
    assert torch.equal(model(image)["out"], x)
    assert {one.memory.dtype for one in model.encode(image)[1]} == {torch.uint8}


@pytest.mark.parametrize("model", [small(), SegNetBasic(4, width=6, levels=2)])
def test_every_parameter_gets_a_gradient(model):
    model.train()
    model(torch.randn(2, 3, 21, 30))["out"].square().mean().backward()
    # Batch norm takes a constant away again, so the bias before it has a gradient of rounding errors only
    dead = [name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()]
    assert not [name for name in dead if not name.endswith("bias")]


def test_basic_has_relus_in_the_encoder_only():
    model = SegNetBasic(4, width=6, levels=3)
    assert sum(isinstance(layer, torch.nn.ReLU) for layer in model.features) == 3
    assert not any(isinstance(layer, torch.nn.ReLU) for layer in model.stages.modules())
    assert model.eval()(torch.randn(1, 3, 45, 30))["out"].shape == (1, 4, 45, 30)


@pytest.fixture
def published(monkeypatch):
    """Random numbers in place of the download."""
    weights = torchvision.models.get_model_weights("vgg16_bn").DEFAULT
    with torch.device("meta"):
        reference = torchvision.models.vgg16_bn(weights=None)
    features = reference.features.to_empty(device="cpu").eval()
    state = {name: (torch.rand(t.shape) * 0.1).to(t.dtype) for name, t in features.state_dict().items()}
    features.load_state_dict(state)
    whole = {f"features.{name}": value for name, value in state.items()} | {"classifier.0.bias": torch.zeros(4096)}
    monkeypatch.setattr(type(weights), "get_state_dict", lambda self, *args, **kwargs: whole)
    return features


def test_vgg16_bn_loads_and_gives_equal_features(published):
    with torch.device("meta"):
        model = create("segnet", 2)
    model = model.to_empty(device="cpu").eval()
    load_vgg16_bn(model)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model.encode(images)[0], published(images))


def test_weights_that_do_not_fit_are_refused(published):
    with pytest.raises(ValueError, match="leave widths and depths as they are"):
        create("segnet", 2, weights="imagenet", widths=(4, 8), depths=(1, 1))
    with pytest.raises(ValueError, match="backbone 'vgg16_bn' takes VGG16_BN_Weights"):
        create("segnet", 2, weights=torchvision.models.AlexNet_Weights.DEFAULT, widths=(4,), depths=(1,))


@pytest.mark.parametrize("name", ["segnet", "segnet_basic"])
def test_runs_on_fake_cuda(name):
    with FakeTensorMode(), torch.device("cuda"):
        out = create(name, 12)(torch.zeros(2, 3, 45, 61))["out"]
    assert out.shape == (2, 12, 45, 61)
    assert out.device.type == "cuda"


def test_layouts_and_autocast_agree():
    model, images = small(), torch.randn(2, 3, 37, 29)
    with torch.no_grad():
        plain = model(images)["out"]
        last = model.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))["out"]
        with torch.autocast("cpu", torch.bfloat16):
            half = model(images)["out"]
    torch.testing.assert_close(last, plain, rtol=1e-4, atol=1e-4)
    assert (half.float() - plain).abs().mean() < 0.1 * plain.abs().mean()  # rounding may move a maximum


def test_compiles_without_graph_breaks():
    model = small()
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    with torch.no_grad():
        images = torch.randn(2, 3, 37, 29)
        assert torch.equal(compiled(images)["out"], model(images)["out"])


@pytest.mark.parametrize(("widths", "depths"), [((4, 8), (1,)), ((), ()), ((4, 0), (1, 1))])
def test_errors_name_what_came(widths, depths):
    with pytest.raises(ValueError, match="widths is"):
        SegNet(3, widths=widths, depths=depths)
