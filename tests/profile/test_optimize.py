"""Faster copies against the models they were made from."""

import shutil
from functools import partial

import pytest
import torch
from torch import nn

from segedu.inference import inference
from segedu.layers.aspp import AtrousConv
from segedu.models import ARCHITECTURES, RESNETS, DeepLabV2, create
from segedu.models.bisenet_coincheung import bisenet_coincheung
from segedu.models.torchvision_layout import torchvision_deeplabv3, torchvision_fcn
from segedu.predict import predict
from segedu.profile import optimize as optimize_module
from segedu.profile import optimize_for_inference

CLASSES = 5
SMALL = {
    **{name: partial(create, name, backbone="vgg_mini") for name in ("fcn32s", "fcn16s", "fcn8s")},
    **{name: partial(create, name, backbone="resnet_mini") for name in ("deeplabv3", "bisenet")},
    "unet": partial(create, "unet", width=2),
    "unet_original": partial(create, "unet_original", width=2),
    "segnet": partial(create, "segnet", widths=(4, 8, 8), depths=(1, 2, 1)),
    "segnet_basic": partial(create, "segnet_basic", width=4),
    "deeplabv1": partial(create, "deeplabv1"),
    "deeplabv2": lambda classes: DeepLabV2(classes, RESNETS["resnet_mini"](output_stride=8)),
    "bisenet_coincheung": lambda classes: bisenet_coincheung(classes, RESNETS["resnet_mini"](), width=8),
    "deeplabv3_torchvision": lambda classes: torchvision_deeplabv3(classes, RESNETS["resnet_mini"](output_stride=8)),
    "fcn_torchvision": lambda classes: torchvision_fcn(classes, RESNETS["resnet_mini"](output_stride=8)),
}


def trained(name="fcn8s"):
    """A small model whose statistics, norms and scores are not those of its first moment, in training mode."""
    torch.manual_seed(0)
    model = SMALL[name](CLASSES)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.2, 0.2)
        for parameter in model.parameters():
            if not parameter.any():
                parameter.uniform_(-0.1, 0.1)
    return model.train()


def images(height=33, width=47, batch=1):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(1))


def answers(model, x):
    with inference(model):
        return model(x)["out"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_in_float32_only_rounding_differs(name):
    model = trained(name)
    x = images(188, 204) if name == "unet_original" else images()
    expected = answers(model, x)
    candidates = list(optimize_module._candidates(model, x, [torch.float32], compiler=False))
    assert len(candidates) == 2
    for _, optimized in candidates:
        kept = [key for key, module in optimized.named_modules() if isinstance(module, nn.BatchNorm2d)]
        assert all("aux" in key for key in kept)  # heads for training, which inference does not pass
        found = optimized(x)["out"]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))


def test_the_model_is_left_as_it_was():
    model = trained("bisenet")
    model.head.eval()
    before = {name: (tensor, tensor.clone(), tensor.stride()) for name, tensor in model.state_dict().items()}
    modes, random = [module.training for module in model.modules()], torch.get_rng_state()
    optimize_for_inference(model, images(), dtype=torch.bfloat16, repeats=1)
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)
    for name, tensor in model.state_dict().items():
        same, value, stride = before[name]
        assert tensor.data_ptr() == same.data_ptr()
        assert torch.equal(tensor, value)
        assert tensor.stride() == stride


@pytest.mark.parametrize(
    ("name", "dtype", "tolerance"),
    [
        *((name, torch.float32, 1e-4) for name in ("deeplabv3", "bisenet", "segnet", "fcn8s")),
        *((name, torch.bfloat16, 0.1) for name in ("deeplabv3", "bisenet", "fcn8s")),  # SegNet may unpool elsewhere
    ],
)
def test_the_copy_answers_in_evaluation_for_every_size(name, dtype, tolerance):
    model = trained(name)
    optimized = optimize_for_inference(model, images(), dtype=dtype, repeats=1).model
    assert not any(module.training for module in optimized.modules())
    for x in (images(), images(64, 31), images(40, 40, batch=3)):
        expected, found = answers(model, x), optimized(x)["out"]
        assert found.dtype == torch.float32
        assert not found.requires_grad
        torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * float(expected.abs().max()))


def test_deviation_is_what_can_be_measured_again():
    model, x = trained("deeplabv3").eval(), images(65, 97)
    result = optimize_for_inference(model, x, dtype=torch.bfloat16, repeats=1)
    expected, found = answers(model, x), result.model(x)["out"]
    assert result.deviation == float((found - expected).abs().max())
    assert result.largest_score == float(expected.abs().max())
    assert result.changed == float((found.argmax(1) != expected.argmax(1)).double().mean())
    # Half precision keeps eight bits: no deviation at all would be as wrong as a large one.
    assert 2**-11 < result.deviation / result.largest_score < 2**-3
    assert "bfloat16" in result.applied
    exact = optimize_for_inference(model, x, dtype=torch.float32, repeats=1)
    assert exact.deviation < 1e-4 * result.deviation
    assert "bfloat16" not in str(exact)


def test_of_one_score_the_sign_is_the_label():
    model = nn.Sequential(nn.Conv2d(3, 256, 3), nn.Tanh(), nn.Conv2d(256, 1, 3))
    with torch.no_grad():
        model[2].bias -= model(images())[0].median()  # as many pixels on either side
        result = optimize_for_inference(model, images(256, 256), dtype=torch.bfloat16, repeats=1)
        found, expected = result.model(images(256, 256))["out"], model(images(256, 256))
    assert result.changed == float(((found > 0) != (expected > 0)).double().mean())
    assert 0 < result.changed < 0.1


@pytest.mark.parametrize(
    ("fastest", "applied"),
    [
        (0, ("6 batch norms folded",)),
        (1, ("6 batch norms folded", "channels_last")),
        (2, ("6 batch norms folded", "bfloat16", "channels_last")),
    ],
)
def test_the_fastest_is_taken(monkeypatch, fastest, applied):
    monkeypatch.setattr(optimize_module, "_fast_in_bfloat16", lambda device: True)
    times = [10.0, *(2.5 if place == fastest else 20.0 for place in range(3))]
    monkeypatch.setattr(optimize_module, "_medians", lambda models, x, repeats: times)
    result = optimize_for_inference(trained(), images())
    assert result.applied == applied
    assert result.model.dtype == (torch.bfloat16 if "bfloat16" in applied else torch.float32)
    last = "channels_last" in applied
    convolutions = [module for module in result.model.modules() if isinstance(module, nn.Conv2d)]
    assert all(c.weight.is_contiguous(memory_format=torch.channels_last) for c in convolutions) == last
    assert (result.before_ms, result.after_ms) == (10, 2.5)
    assert list(result.left_out.values()) == ["20.0 ms"] * 2
    assert "time: 10.0 ms before, 2.5 ms after: 4.00 times as fast" in str(result)
    assert f"applied: {', '.join(applied)}\n" in str(result)


def test_half_precision_is_not_tried_where_it_is_slow(monkeypatch):
    monkeypatch.setattr(optimize_module, "_fast_in_bfloat16", lambda device: False)
    assert "bfloat16" not in str(optimize_for_inference(trained(), images(), repeats=1))


def test_wide_rates_become_products_in_half_precision():
    model = nn.Sequential(nn.Conv2d(3, 1024, 1), AtrousConv(1024, CLASSES, 6))
    with torch.no_grad():
        expected = model(images())
    half, exact = (
        optimize_for_inference(model, images(), dtype=dtype, repeats=1) for dtype in (torch.bfloat16, torch.float32)
    )
    assert half.applied == ("bfloat16", "channels_last", "1 wide-rate convolutions as products")
    assert "products" not in str(exact)
    torch.testing.assert_close(half.model(images())["out"], expected, rtol=0, atol=0.02 * float(expected.abs().max()))


def test_a_network_without_padding_still_labels_every_pixel():
    model = trained("unet_original").eval()
    optimized = optimize_for_inference(model, images(188, 188), dtype=torch.float32, repeats=1).model
    picture = torch.rand(3, 50, 60)
    labels = [predict(network, picture, (0.5,) * 3, (0.25,) * 3) for network in (model, optimized)]
    assert labels[1].shape == (50, 60)
    assert (labels[0] == labels[1]).double().mean() > 0.99
    assert optimized.margin == 92
    assert not hasattr(optimized, "no_such_thing")


def test_without_a_compiler_the_rest_is_done(monkeypatch):
    def missing(*args, **kwargs):
        raise RuntimeError("No working C++ compiler found\nwith many more lines")

    monkeypatch.setattr(torch, "compile", lambda model, **options: missing)
    result = optimize_for_inference(trained(), images(), dtype=torch.float32, compiler=True, repeats=1)
    assert "6 batch norms folded" in result.applied
    reason = result.left_out["6 batch norms folded, channels_last, torch.compile"]
    assert reason == "RuntimeError: No working C++ compiler found"


def test_other_failures_are_not_hidden():
    with pytest.raises(ValueError, match="needs at least 16x16"):
        optimize_for_inference(trained("unet"), images(8, 8))


@pytest.mark.processes
@pytest.mark.skipif(shutil.which("c++") is None, reason="no C++ compiler")
def test_compiled_it_answers_the_same():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, CLASSES, 1)).eval()
    candidates = list(optimize_module._candidates(model, images(16, 16), [torch.float32], compiler=True))
    applied, compiled = candidates[-1]
    assert applied == ("1 batch norms folded", "channels_last", "torch.compile")
    for x in (images(16, 16), images(24, 16)):
        with torch.no_grad():
            torch.testing.assert_close(compiled(x)["out"], model(x), rtol=0, atol=1e-5)


def test_unfit_requests_are_refused():
    model = trained()
    for example in (images()[0], images().byte(), "image"):
        with pytest.raises(ValueError, match=r"expected a batch of images .* floats \(N, C, H, W\)"):
            optimize_for_inference(model, example)
    with pytest.raises(ValueError, match=r"on meta but the model on cpu: move it with example.to\('cpu'\)"):
        optimize_for_inference(model, images().to("meta"))
    with pytest.raises(ValueError, match="nothing can be timed"):
        optimize_for_inference(trained().to("meta"), images().to("meta"))
    with pytest.raises(ValueError, match=r"dtype is torch\.int8; leave it out, or choose torch\.float32"):
        optimize_for_inference(model, images(), dtype=torch.int8)
    with pytest.raises(ValueError, match="repeats is 0, expected at least 1"):
        optimize_for_inference(model, images(), repeats=0)
