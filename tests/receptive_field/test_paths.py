"""Expected gradients add up over paths: autograd through averages, and random networks by the dozen, find the same."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segedu.receptive_field import Layer, StackNet, expected_heat, gridding, stacked
from segedu.receptive_field.presets import PRESETS


def linear(layers, pixels, fill):
    """The network of a stack without ReLUs or biases, pools made sums; ``fill(weight, fan)`` sets weights."""
    net = StackNet(layers, pixels, channels=1).double()
    for name, module in list(net.named_modules()):
        if isinstance(module, nn.MaxPool2d):
            before = layers[: int(name.split(".")[1])]
            width = 3 if all(layer.kind == "pool" for layer in before) else 1
            window = (module.kernel_size, module.stride, module.padding, module.dilation)
            net.set_submodule(name, nn.Conv2d(width, width, *window, groups=width).double())
        elif isinstance(module, nn.ReLU):
            net.set_submodule(name, nn.Identity())
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.zeros_(module.bias)
            stride = module.stride[0] if isinstance(module, nn.ConvTranspose2d) else 1
            fill(module.weight, (module.kernel_size[0] / stride) ** 2)
    return net


def gradient(net, pixels, unit):
    image = torch.zeros(1, 3, pixels, pixels, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(net(image)[0, 0, unit[0], unit[1]], image)
    return found[0, 0]


any_layer = st.one_of(
    st.builds(Layer, st.just("conv"), st.integers(1, 4), st.integers(1, 2), st.integers(1, 3), st.integers(0, 3)),
    st.builds(lambda k, s: Layer("pool", k, s, 1, k // 2), st.integers(1, 3), st.integers(1, 2)),
    st.builds(lambda k, s: Layer("transposed", k + s, s), st.integers(0, 2), st.integers(1, 2)),
    st.builds(lambda d: Layer("ASPP", dilation=d), st.integers(1, 2)),
)


@settings(max_examples=40)
@given(layers=st.lists(any_layer, min_size=1, max_size=4), data=st.data())
def test_it_is_the_gradient_where_every_weight_is_its_variance(layers, data):
    try:
        levels = stacked(layers, 17)
    except ValueError:
        return
    unit = tuple(data.draw(st.integers(0, levels[-1].units - 1)) for _ in range(2))
    net = linear(layers, 17, lambda weight, fan: nn.init.constant_(weight, 1 / fan))
    paths = gradient(net, 17, unit)
    if not paths.any():
        with pytest.raises(ValueError, match="sees padding only"):
            expected_heat(levels, 17, unit)
        return
    found = torch.from_numpy(expected_heat(levels, 17, unit))
    torch.testing.assert_close(found, paths.sqrt() / paths.sqrt().sum())


SMALL_UNET = (
    Layer(padding=1), Layer("pool", 2, 2), Layer(padding=1), Layer("pool", 2, 2), Layer(padding=1),
    Layer("transposed", 2, 2), Layer("skip"), Layer(), Layer("transposed", 2, 2), Layer("skip"), Layer(),
)  # fmt: skip


@pytest.mark.parametrize("unit", [(0, 0), (3, 5), (7, 7)])
def test_skips_add_their_paths_cropped_or_not(unit):
    levels = stacked(SMALL_UNET, 20)
    paths = gradient(linear(SMALL_UNET, 20, lambda weight, fan: nn.init.constant_(weight, 1 / fan)), 20, unit)
    torch.testing.assert_close(torch.from_numpy(expected_heat(levels, 20, unit)), paths.sqrt() / paths.sqrt().sum())


@pytest.mark.parametrize("layers", [[Layer(padding=1)] * 3, SMALL_UNET, [Layer(padding=1), Layer("ASPP")]])
def test_random_networks_agree_on_average(layers):
    """The mean squared gradient over many draws of He's weights; the heat map is the root of its expectation."""
    squares = torch.zeros(20, 20, dtype=torch.float64)
    net = linear(layers, 20, lambda weight, fan: None)
    kernels = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for _ in range(1500):
        for module in kernels:
            stride = module.stride[0] if isinstance(module, nn.ConvTranspose2d) else 1
            nn.init.normal_(module.weight, std=stride / module.kernel_size[0])
        squares += gradient(net, 20, (6, 5)) ** 2
    found = expected_heat(stacked(layers, 20), 20, (6, 5)) ** 2
    difference = abs(found / found.sum() - (squares / squares.sum()).numpy()).sum()
    assert difference < 0.25  # it would be 2 if they had nothing in common


@given(rates=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_dilated_layers_give_the_path_counts_of_gridding(rates):
    counts = np.array(gridding(rates).paths)
    layers = [Layer(dilation=rate) for rate in rates]
    found = expected_heat(stacked(layers, len(counts)), len(counts), (0, 0)) ** 2
    np.testing.assert_allclose(found / found.sum(), counts / counts.sum(), atol=1e-12)


def test_many_branches_stay_as_small_as_the_map():
    """Four ASPPs in a row have 256 paths of layers, over a map of 15 units; so have their networks."""
    layers = [Layer("ASPP")] * 4
    paths = gradient(linear(layers, 15, lambda weight, fan: nn.init.constant_(weight, 1 / fan)), 15, (7, 2))
    found = torch.from_numpy(expected_heat(stacked(layers, 15), 15, (7, 2)))
    torch.testing.assert_close(found, paths.sqrt() / paths.sqrt().sum())


@pytest.mark.parametrize("name", PRESETS)
def test_no_path_leads_from_outside_the_theoretical_box(name):
    pixels = 5 if "notes" in name else 128
    level = stacked(PRESETS[name], pixels)[-1]
    unit = (level.units // 2, level.units - 1)
    heat = expected_heat(stacked(PRESETS[name], pixels), pixels, unit)
    rows, columns = (np.flatnonzero(heat.any(1 - axis)) for axis in (0, 1))
    for seen, place in zip((rows, columns), unit, strict=True):
        assert (seen[0], seen[-1]) == level.field.axis.bounded.at(place)
    assert heat.sum() == pytest.approx(1)


def test_a_stack_of_nothing_is_the_pixel_itself():
    heat = expected_heat([], 6, (2, 4))
    assert heat[2, 4] == heat.sum() == 1


def test_a_unit_that_is_not_there_is_refused():
    levels = stacked([Layer(stride=2)], 9)
    with pytest.raises(ValueError, match=r"unit is \(4, 0\), but the map has 4 rows"):
        expected_heat(levels, 9, (4, 0))
    with pytest.raises(ValueError, match=r"unit is \(0, -1\)"):
        expected_heat(levels, 9, (0, -1))
