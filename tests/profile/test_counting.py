"""Parameters and multiply-adds against closed forms, and against the figures that papers and torchvision state."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.segmentation import fcn_resnet50

from segedu.models import create
from segedu.profile import macs, parameters

sides = st.integers(5, 40)


@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 3),
    sides,
    sides,
)
def test_a_convolution_multiplies_its_kernel_at_every_output(groups, inputs, outputs, kernel, stride, padding, h, w):
    layer = nn.Conv2d(groups * inputs, groups * outputs, kernel, stride, padding, groups=groups)
    out_h, out_w = ((side + 2 * padding - kernel) // stride + 1 for side in (h, w))
    expected = groups * outputs * inputs * kernel**2 * out_h * out_w
    assert macs(layer, (h, w), channels=groups * inputs) == expected
    assert macs(layer, (h, w), channels=groups * inputs, batch_size=3) == 3 * expected
    assert parameters(layer) == groups * outputs * (inputs * kernel**2 + 1)


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), sides, sides)
def test_a_transposed_convolution_multiplies_its_kernel_at_every_input(groups, inputs, outputs, kernel, stride, h, w):
    layer = nn.ConvTranspose2d(groups * inputs, groups * outputs, kernel, stride, groups=groups)
    assert macs(layer, (h, w), channels=groups * inputs) == groups * outputs * inputs * kernel**2 * h * w


def test_a_linear_layer_is_a_matrix_product():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 5, 7))
    assert macs(model, (4, 5)) == 60 * 7


def test_published_figures():
    with torch.device("meta"):
        assert macs(fcn_resnet50(weights=None, weights_backbone=None, aux_loss=False), (520, 520)) == 142_725_772_800
        vgg = create("fcn8s", num_classes=21, backbone="vgg16")
    assert parameters(vgg) == 134_362_751


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fcn8s", {"backbone": "vgg_mini"}),
        ("unet", {"width": 4}),
        ("segnet_basic", {}),
        ("deeplabv3", {"backbone": "resnet_mini", "width": 8}),
        ("bisenet", {"backbone": "resnet_mini"}),
    ],
)
def test_as_torch_counts(name, options):
    with torch.device("meta"):
        model = create(name, 3, **options).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(torch.empty(1, 3, 64, 96))
    assert macs(model, (64, 96)) == counter.get_total_flops() // 2


def test_size_costs_no_time_because_nothing_is_computed():
    with torch.device("meta"):
        model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 2, 1))
    # A picture of four thousand million pixels would fill any memory with numbers.
    assert macs(model, (65536, 65536)) == 2**32 * (27 * 8 + 8 * 2)


def test_shared_and_frozen_parameters():
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.BatchNorm1d(3))
    model.append(model[0])
    assert parameters(model) == 9 + 6
    model[0].weight.requires_grad_(False)
    assert parameters(model, trainable_only=True) == 6


def test_counting_leaves_the_model_alone():
    model = create("fcn8s", num_classes=3, backbone="vgg_mini").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert macs(model, (64, 64)) > 0
    assert all(module.training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
