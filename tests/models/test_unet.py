"""Both U-Nets against the paper's figure, published counts, and an independent pass over another project's layout."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.models import UNet, UNetOriginal, create
from segedu.models.keymaps import load_milesial_unet
from segedu.models.unet import Expansion, centre_crop, crop_skip, extend_up, padded_convs, valid_convs
from segedu.receptive_field import receptive_field

NAMES = ("unet", "unet_original")
SIDES = {"unet": (37, 50), "unet_original": (188, 204)}


def small(name: str, **options) -> nn.Module:
    return create(name, 3, width=2, **options).eval()


def image(name: str, batch: int = 1) -> Tensor:
    return torch.randn(batch, 3, *SIDES[name])


@pytest.mark.parametrize(
    ("name", "channels", "classes", "count"),
    [
        ("unet_original", 1, 2, 31_030_658),
        ("unet_original", 3, 21, 31_033_045),
        ("unet_original", 3, 19, 31_032_915),
        ("unet", 1, 2, 31_036_546),
        ("unet", 3, 2, 31_037_698),
        ("unet", 3, 21, 31_038_933),
        ("unet", 3, 19, 31_038_803),
    ],
)
def test_unet_parameter_counts(name, channels, classes, count):
    with torch.device("meta"):
        model = create(name, classes, in_channels=channels)
    assert sum(p.numel() for p in model.parameters()) == count


def test_the_papers_figure_size_by_size():
    """Figure 1: what leaves each level going down, what each up-convolution makes, and 572 to 388."""
    with torch.device("meta"):
        model = create("unet_original", 2, in_channels=1)
        ups = []
        for step in model.expand:
            step.up.register_forward_hook(lambda module, given, up: ups.append(up.shape[-1]))
        features = model.encode(torch.zeros(1, 1, 572, 572))
        scores = model.decode(features)
    assert [(f.shape[1], f.shape[-1]) for f in features] == [(64, 568), (128, 280), (256, 136), (512, 64), (1024, 28)]
    assert ups == [56, 104, 200, 392]
    assert [(fine.shape[-1] - up) // 2 for fine, up in zip(features[3::-1], ups, strict=True)] == [4, 16, 40, 88]
    assert scores.shape == (1, 2, 388, 388)
    assert sum(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in model.modules()) == 23  # section 2


def halves(side: int) -> int | None:
    """The paper's network by hand, along one axis: the side of its scores, or None where a pooling meets an odd map."""
    skips = []
    for _ in range(4):
        side -= 4
        if side < 2 or side % 2:
            return None
        skips.append(side)
        side //= 2
    side -= 4
    for skip in reversed(skips):
        if side < 1 or 2 * side > skip or 2 * side <= 4:
            return None
        side = 2 * side - 4
    return side


def test_sizes_that_tile_are_those_that_pool_evenly():
    """Every side against the walk through the network; `input_size` finds the first that covers, errors the nearest."""
    with torch.device("meta"):
        model = small("unet_original")
    fitting = {side: out for side in range(1, 700) if (out := halves(side)) is not None}
    assert min(fitting) == 188
    for side in range(1, 650):
        if side in fitting:
            assert model.output_size((side, 572)) == (fitting[side], 388)
        else:
            near = [max((s for s in fitting if s < side), default=None), min(s for s in fitting if s > side)]
            words = " or ".join(str(one) for one in near if one is not None)
            with pytest.raises(ValueError, match=f"images are 572x{side}, .* are 572 high and {words} wide"):
                model.output_size((572, side))
        first = next(s for s in fitting if fitting[s] >= side) if side <= max(fitting.values()) else None
        assert first is None or model.input_size((side, 1)) == (first, 188)


def test_an_image_that_does_not_tile_is_refused_before_any_work():
    with torch.device("meta"):
        with pytest.raises(ValueError, match="572 high and 492 or 508 wide"):
            small("unet_original")(torch.zeros(1, 3, 572, 500))
        with pytest.raises(ValueError, match=r"images are 40x15; .* at least 16x16"):
            small("unet")(torch.zeros(1, 3, 40, 15))


@settings(max_examples=15)
@given(st.integers(16, 70), st.integers(16, 70), st.integers(1, 2), st.sampled_from([1, 3]))
def test_the_padded_unet_takes_any_size(height, width, batch, channels):
    model = small("unet", in_channels=channels)
    out = model(torch.randn(batch, channels, height, width))["out"]
    assert out.shape == (batch, 3, height, width)
    assert out.isfinite().all()


def deltas(convs: nn.Sequential) -> None:
    """Make the two convolutions hand on their first channel as it is."""
    for layer in convs:
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
            layer.weight.data[0, 0, 1, 1] = 1


@pytest.mark.parametrize(("convs", "meet"), [(valid_convs, crop_skip), (padded_convs, extend_up)])
@pytest.mark.parametrize("source", ["skip", "up"])
def test_skip_and_upsampled_map_land_on_each_other(convs, meet, source):
    """With delta kernels a level hands on one of its two maps; it must come out at its place; the skip is first."""
    step = Expansion(2, 1, convs, meet).eval()
    for name, parameter in step.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
    deltas(step.convs)
    if source == "up":
        step.convs[0].weight.data = step.convs[0].weight.data.flip(1)
    nn.init.ones_(step.up.weight)
    coarse = torch.rand(1, 2, 9, 9)
    skip = torch.rand(1, 1, 24, 24) if meet is crop_skip else torch.rand(1, 1, 19, 18)
    out = step(coarse, skip)
    nearest = F.interpolate(coarse.sum(1, keepdim=True), scale_factor=2)
    if meet is crop_skip:  # 24 -> 18 takes 3 off each side, the two convolutions 2 more
        expected = skip[..., 5:19, 5:19] if source == "skip" else nearest[..., 2:16, 2:16]
    else:
        expected = skip if source == "skip" else F.pad(nearest, (0, 0, 0, 1))
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-5)  # batch norm's epsilon


def test_the_skips_of_the_original_lie_where_its_scores_lie():
    """Through the whole net with delta kernels and only the finest skip: out comes the image without its margin."""
    model = small("unet_original")
    for name, module in model.named_modules():
        if isinstance(module, nn.Sequential) and not name.startswith("expand.0"):
            deltas(module)
    nn.init.zeros_(model.score.weight)
    model.score.weight.data[0, 0] = 1
    images = torch.rand(1, 3, *SIDES["unet_original"])
    with torch.no_grad():
        features = model.encode(images)
        out = model.decode([features[0], *map(torch.zeros_like, features[1:])])
    margin = model.margin
    torch.testing.assert_close(out[:, 0], images[:, 0, margin:-margin, margin:-margin])


@pytest.mark.parametrize("name", NAMES)
def test_forward_is_decode_after_encode(name):
    model, images = small(name), image(name)
    with torch.no_grad():
        features = model.encode(images)
        assert torch.equal(model.decode(features), model(images)["out"])
        assert [f.shape[1] for f in features] == [2, 4, 8, 16, 32]
        for level in range(5):  # every level tells
            changed = [f * (at != level) for at, f in enumerate(features)]
            assert not torch.equal(model.decode(changed), model.decode(features))
        with pytest.raises(ValueError, match="shorter"):
            model.decode(features[1:])


def test_centre_crop_cuts_both_sides():
    maps = torch.arange(35).view(1, 5, 7)
    assert centre_crop(maps, (1, 3)).tolist() == [[[16, 17, 18]]]
    assert centre_crop(maps, (4, 4)).tolist() == maps[:, 0:4, 1:5].tolist()
    with pytest.raises(ValueError, match="cannot crop 5x7 to 5x8"):
        centre_crop(maps, (5, 8))


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_of_a_unet_gets_a_gradient(name):
    model = small(name).train()
    model(image(name, 2))["out"].square().mean().backward()
    assert not [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]


def test_weights_start_with_two_over_n():
    """Section 3: variance 2 / N; an output of the up-convolution has one tap in each of its input channels."""
    model = UNetOriginal(64, in_channels=16, width=16)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            inputs = module.in_channels * (9 if module.kernel_size == (3, 3) else 1)
            spread = 5 / module.weight.numel() ** 0.5  # of a sample's variance, with room
            assert module.weight.var().item() * inputs / 2 == pytest.approx(1, abs=spread)
            assert not module.bias.any()


def test_dropout_ends_the_contracting_path():
    model, images = small("unet_original").train(), image("unet_original")
    with torch.no_grad():
        *skips, bottom = model.encode(images)
        *skips2, bottom2 = model.encode(images)
    assert all(map(torch.equal, skips, skips2))
    assert not torch.equal(bottom, bottom2)


@pytest.mark.parametrize("name", NAMES)
def test_unet_layouts_and_autocast_agree(name):
    model, images = small(name), image(name, 2)
    with torch.no_grad():
        plain = model(images)["out"]
        last = model.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))["out"]
        with torch.autocast("cpu", torch.bfloat16):
            half = model(images)["out"]
    scale = plain.abs().max().item()
    torch.testing.assert_close(last, plain, rtol=0, atol=1e-5 * scale)
    torch.testing.assert_close(half.float(), plain, rtol=0.05, atol=0.05 * scale)


@pytest.mark.parametrize("name", NAMES)
def test_unet_compiles_without_graph_breaks(name):
    model = small(name)
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager", dynamic=False)
    images = image(name)
    with torch.no_grad():
        assert torch.equal(compiled(images)["out"], model(images)["out"])


@pytest.mark.parametrize("name", NAMES)
def test_unet_runs_on_fake_cuda(name):
    with FakeTensorMode(), torch.device("cuda"):
        out = create(name, 12, in_channels=1)(torch.zeros(2, 1, 188, 572))["out"]
    assert out.shape == ((2, 12, 188, 572) if name == "unet" else (2, 12, 4, 388))
    assert out.device.type == "cuda"


def test_receptive_fields_of_both():
    """140 pixels at stride 16 at the bottom. The scores of the original see no padding: from 0 to the last pixel."""
    original, padded = (receptive_field(small(name), (204, 204)) for name in ("unet_original", "unet"))
    bottom, same = original["contract.4.2"], padded["contract.4.3"]
    assert (bottom.size, bottom.stride, bottom.start) == (140, 16, 0)
    assert (same.size, same.stride) == (140, 16)
    assert original.output.sizes == padded.output.sizes
    boxes = [original.output.box(unit, unit)[0] for unit in range(20)]
    assert min(first for first, _ in boxes) == 0
    assert max(last for _, last in boxes) == 203
    assert all(first <= unit + 92 <= last for unit, (first, last) in enumerate(boxes))


def milesial_state(width: int, channels: int, classes: int) -> dict[str, Tensor]:
    """Random weights under milesial's names."""
    state: dict[str, Tensor] = {}

    def double(name: str, inside: int, out: int) -> None:
        for conv, norm, taken in ((0, 1, inside), (3, 4, out)):
            state[f"{name}.{conv}.weight"] = torch.randn(out, taken, 3, 3) * (2 / (9 * taken)) ** 0.5
            for kind in ("weight", "running_var"):
                state[f"{name}.{norm}.{kind}"] = torch.rand(out) + 0.5
            for kind in ("bias", "running_mean"):
                state[f"{name}.{norm}.{kind}"] = torch.randn(out) * 0.1
            state[f"{name}.{norm}.num_batches_tracked"] = torch.tensor(7)

    widths = [width * 2**level for level in range(5)]
    double("inc.double_conv", channels, width)
    for step in range(1, 5):
        double(f"down{step}.maxpool_conv.1.double_conv", widths[step - 1], widths[step])
        below, own = widths[5 - step], widths[4 - step]
        state[f"up{step}.up.weight"] = torch.randn(below, own, 2, 2) * (2 / below) ** 0.5
        state[f"up{step}.up.bias"] = torch.randn(own) * 0.1
        double(f"up{step}.conv.double_conv", below, own)
    state["outc.conv.weight"], state["outc.conv.bias"] = torch.randn(classes, width, 1, 1), torch.randn(classes)
    return state


def milesial_forward(state: dict[str, Tensor], images: Tensor) -> Tensor:
    """The same network straight from the state dict, in float64."""
    state = {name: value.double() for name, value in state.items()}

    def double(name: str, x: Tensor) -> Tensor:
        for conv, norm in ((0, 1), (3, 4)):
            x = F.conv2d(x, state[f"{name}.{conv}.weight"], padding=1)
            mean, var, scale, shift = (
                state[f"{name}.{norm}.{kind}"].view(-1, 1, 1)
                for kind in ("running_mean", "running_var", "weight", "bias")
            )
            x = ((x - mean) / (var + 1e-5).sqrt() * scale + shift).relu()
        return x

    maps = [double("inc.double_conv", images.double())]
    for step in range(1, 5):
        maps.append(double(f"down{step}.maxpool_conv.1.double_conv", F.max_pool2d(maps[-1], 2)))
    x = maps[4]
    for step in range(1, 5):
        skip = maps[4 - step]
        x = F.conv_transpose2d(x, state[f"up{step}.up.weight"], state[f"up{step}.up.bias"], stride=2)
        x = F.pad(x, (0, skip.shape[-1] - x.shape[-1], 0, skip.shape[-2] - x.shape[-2]))
        x = double(f"up{step}.conv.double_conv", torch.cat([skip, x], 1))
    return F.conv2d(x, state["outc.conv.weight"], state["outc.conv.bias"])


@pytest.mark.parametrize("channels", [1, 3])
def test_milesial_weights_load_and_give_its_numbers(channels):
    state, images = milesial_state(4, channels, 2), torch.randn(2, channels, 35, 50)
    model = UNet(2, in_channels=channels, width=4).eval()
    load_milesial_unet(model, state | {"mask_values": [0, 255]})
    with torch.no_grad():
        expected = milesial_forward(state, images)
        torch.testing.assert_close(model(images)["out"].double(), expected, rtol=1e-4, atol=1e-4)
    assert sorted(tuple(t.shape) for t in state.values()) == sorted(tuple(t.shape) for t in model.state_dict().values())


def test_milesial_loader_says_what_is_wrong():
    model, state = UNet(2, width=2), milesial_state(2, 3, 2)
    with pytest.raises(ValueError, match=r"no 'up1\.up\.bias'; they are not those of a U-Net with up-convolutions"):
        load_milesial_unet(model, {name: value for name, value in state.items() if ".up." not in name})
    with pytest.raises(ValueError, match=r"hold 'outc\.scale', for which a U-Net with up-convolutions has no place"):
        load_milesial_unet(model, state | {"outc.scale": torch.zeros(1)})
    with pytest.raises(
        ValueError, match=r"'score\.weight' has shape \(2, 2, 1, 1\), but the weights hold \(5, 2, 1, 1"
    ):
        load_milesial_unet(model, state | {"outc.conv.weight": torch.zeros(5, 2, 1, 1)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "vgg16"}, "backbone is 'vgg16', but unet stands on no backbone; leave backbone out"),
        ({"weights": "imagenet"}, "weights is 'imagenet', but unet stands on no backbone"),
        ({"width": 0}, "width 0; each must be at least 1"),
        ({"in_channels": 0}, "in_channels 0"),
    ],
)
def test_unet_errors_name_what_came(arguments, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        create("unet", **arguments)
