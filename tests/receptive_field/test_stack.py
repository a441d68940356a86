"""A stack is read as the network that it describes, and along a single path as the recurrence of the notes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segedu.receptive_field import Layer, StackNet, receptive_field, stacked
from segedu.receptive_field.presets import PRESETS


def recurrence(layers):
    """Claim D4: R += (k - 1) d J, then J *= s."""
    size = jump = 1
    for layer in layers:
        size += (layer.kernel - 1) * layer.dilation * jump
        jump *= layer.stride
    return size, jump


windows = st.builds(Layer, st.just("conv"), st.integers(1, 5), st.integers(1, 3), st.integers(1, 4), st.integers(0, 4))


@given(layers=st.lists(windows, min_size=1, max_size=6))
def test_along_one_path_it_is_the_recurrence(layers):
    levels = stacked(layers, 4000)
    for count, level in enumerate(levels, 1):
        assert (level.field.size, level.field.stride) == recurrence(layers[:count])


def test_the_notes_example():
    first, second = stacked(PRESETS["the notes' 5x5 example"], 5)
    assert (first.units, first.field.size) == (3, 3)
    assert (second.units, second.field.size) == (2, 7)


PUBLISHED = {
    "AlexNet to fc6": (355, 32),  # FCN, table 1
    "VGG16": (212, 32),
    "VGG16 to fc6": (404, 32),  # FCN, table 1
    "GoogLeNet": (715, 32),  # without the pooling at its end; with it FCN's 907
    "ResNet-50, output stride 32": (427, 32),
    "ResNet-50, output stride 16": (427, 16),
    "ResNet-50, output stride 8": (427, 8),
    "ResNet-50 and ASPP": (1003, 16),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_presets_have_the_published_fields(name):
    field = stacked(PRESETS[name], 512)[-1].field
    assert (field.size, field.stride) == PUBLISHED[name]


HALF = Layer("pool", kernel=2, stride=2)
WIDE_POOL = Layer("pool", kernel=3, stride=2, padding=1)
LARGE_FOV = [  # DeepLab v1 as released: 3x3 pooling, the last two without stride, rate 2, then rate 12
    *[Layer(padding=1), Layer(padding=1), WIDE_POOL] * 2,
    *[Layer(padding=1)] * 3,
    WIDE_POOL,
    *[Layer(padding=1)] * 3,
    Layer("pool", kernel=3, padding=1),
    *[Layer(padding=2, dilation=2)] * 3,
    Layer("pool", kernel=3, padding=1),
]
PAPERS = {
    "SegNet-Basic after its fourth pooling": ([Layer(kernel=7, padding=3), HALF] * 4, 106, 16),
    "U-Net at its bottom": ([Layer(), Layer(), HALF] * 4 + [Layer(), Layer()], 140, 16),
    "VGG16's classifier, decimated to 4x4": ([*PRESETS["VGG16"], Layer(kernel=4, padding=3)], 308, 32),
    "DeepLab v1, fc6": ([*LARGE_FOV, Layer(padding=12, dilation=12)], 419, 8),
    "BiSeNet's spatial path": ([Layer(stride=2, padding=1)] * 3, 15, 8),
    "two dilated layers": ([Layer(padding=2, dilation=2)] * 2, 9, 1),
}


@pytest.mark.parametrize("name", PAPERS)
def test_fields_that_papers_give(name):
    layers, size, stride = PAPERS[name]
    field = stacked(layers, 572)[-1].field
    assert (field.size, field.stride) == (size, stride)


def test_googlenet_reaches_907_only_with_the_pooling_that_fcn_dropped():
    assert stacked([*PRESETS["GoogLeNet"], Layer("pool", kernel=7)], 512)[-1].field.size == 907


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_read_as_their_networks(name):
    layers = PRESETS[name]
    pixels = 5 if "notes" in name else 160
    mine = stacked(layers, pixels)[-1]
    theirs = receptive_field(StackNet(layers, pixels, channels=1), (pixels, pixels)).output
    assert theirs.shape[-1] == mine.units
    assert (theirs.sizes, theirs.stride, theirs.start) == (mine.field.sizes, mine.field.stride, mine.field.start)
    for unit in (0, mine.units // 2, mine.units - 1):
        assert theirs.box_in_image(unit, unit)[0] == mine.field.axis.bounded.at(unit)


any_layer = st.one_of(
    windows,
    st.builds(
        lambda k, s, p: Layer("pool", k, s, 1, min(p, k // 2)), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2)
    ),
    st.builds(
        lambda k, s, d: Layer("transposed", k + s, s, d), st.integers(0, 2), st.integers(1, 3), st.integers(1, 1)
    ),
    st.builds(lambda d: Layer("ASPP", dilation=d), st.integers(1, 3)),
)


@given(layers=st.lists(any_layer, min_size=1, max_size=4))
def test_the_network_of_a_stack_makes_the_maps_that_it_says(layers):
    try:
        levels = stacked(layers, 19)
    except ValueError:
        return
    with torch.no_grad():
        x = torch.zeros(1, 3, 19, 19)
        for layer, level in zip(StackNet(layers, 19).layers, levels, strict=True):
            x = layer(x)
            assert tuple(x.shape[2:]) == (level.units, level.units)


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        (lambda: [Layer(kernel=0)], "at least 1"),
        (lambda: [Layer("sum")], "kind is 'sum'"),  # type: ignore[arg-type]
        (lambda: [Layer("pool", kernel=2, padding=2)], "more than half"),
        (lambda: [Layer("ASPP", kernel=2)], "odd kernel"),
        (lambda: [Layer(), Layer("skip")], "layer 2, a skip, finds no earlier map of stride 1"),
        (lambda: [Layer(kernel=9), Layer(kernel=9)], "layer 2, nn.Conv2d.C, C, 9., has nothing left"),
        (
            lambda: [Layer(kernel=5), Layer("pool", 2, 2), Layer("transposed", 8, 2), Layer("skip")],
            "layer 4, a skip, cannot crop the 8 cells after layer 1 to 14",
        ),
    ],
)
def test_an_impossible_stack_is_refused(layers, says):
    with pytest.raises(ValueError, match=says):
        stacked(layers(), 12)


@pytest.mark.parametrize(
    ("layer", "code"),
    [
        (Layer(), "nn.Conv2d(C, C, 3)"),
        (Layer(stride=2, padding=6, dilation=6), "nn.Conv2d(C, C, 3, stride=2, padding=6, dilation=6)"),
        (Layer("pool", kernel=2, stride=2), "nn.MaxPool2d(2, stride=2)"),
        (Layer("pool", kernel=2, stride=1), "nn.MaxPool2d(2, stride=1)"),
        (Layer("transposed", kernel=4, stride=2, padding=1), "nn.ConvTranspose2d(C, C, 4, stride=2, padding=1)"),
        (Layer("ASPP", dilation=6), "ASPP(C, rates=(6, 12, 18))"),
        (Layer("skip"), "torch.cat([skip, x], 1)"),
    ],
)
def test_the_line_of_pytorch(layer, code):
    assert layer.code() == code
