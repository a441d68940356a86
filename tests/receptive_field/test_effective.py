"""The effective field is the gradient: path counts where weights are ones, finite differences everywhere else."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segedu.receptive_field import Layer, StackNet, effective_receptive_field
from segedu.receptive_field.effective import EffectiveField, gradient_heat
from segedu.receptive_field.presets import PRESETS


def ones(kernel, count, *, channels=1, **options):
    """``count`` convolutions of ones, without a ReLU between them."""
    net = nn.Sequential(*[nn.Conv2d(channels, channels, kernel, bias=False, **options) for _ in range(count)])
    for parameter in net.parameters():
        nn.init.ones_(parameter)
    return net.double()


def binomials(count):
    return torch.tensor([math.comb(count, at) for at in range(count + 1)], dtype=torch.float64)


@settings(max_examples=8)
@given(count=st.integers(1, 8))
def test_ones_of_two_taps_give_binomials(count):
    size = count + 5
    field = effective_receptive_field(ones(2, count), torch.rand(1, 1, size, size, dtype=torch.float64), unit=(1, 3))
    row, column = (torch.zeros(size, dtype=torch.float64) for _ in range(2))
    row[1 : count + 2], column[3 : count + 4] = binomials(count), binomials(count)
    torch.testing.assert_close(field.heat, torch.outer(row, column) / 4**count)
    assert field.box == ((1, count + 1), (3, count + 3))


@given(count=st.integers(1, 5), row=st.integers(0, 6), column=st.integers(0, 8))
def test_at_a_border_the_paths_through_padding_are_missing(count, row, column):
    steps = torch.eye(9, dtype=torch.float64) + torch.diag(torch.ones(8), 1) + torch.diag(torch.ones(8), -1)
    counts = (torch.linalg.matrix_power(steps[:size, :size], count)[at] for size, at in ((7, row), (9, column)))
    paths = torch.outer(*counts)
    images = torch.rand(1, 1, 7, 9, dtype=torch.float64)
    field = effective_receptive_field(ones(3, count, padding=1), images, unit=(row, column))
    torch.testing.assert_close(field.heat, paths / paths.sum())
    assert field.box == ((row - count, row + count), (column - count, column + count))


class Smooth(nn.Module):
    """A network with no kink; ``wrapped`` returns its maps as segmentation models do."""

    def __init__(self, *, wrapped=True):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, stride=2), nn.Conv2d(4, 5, 2)
        self.norm, self.drop = nn.BatchNorm2d(4), nn.Dropout2d()
        self.wrapped = wrapped

    def forward(self, images):
        maps = self.second(self.drop(self.norm(self.first(images)).tanh()))
        return {"aux": maps[:, :1], "out": maps} if self.wrapped else maps


def test_it_is_what_finite_differences_find():
    model = Smooth().double()
    images = torch.rand(3, 3, 9, 11, dtype=torch.float64)
    heat = torch.zeros(9, 11, dtype=torch.float64)
    model.eval()
    with torch.no_grad():
        for image in images:
            highest = model(image[None])["out"][0, :, 1, 2].argmax()
            for channel in range(3):
                for row in range(9):
                    for column in range(11):
                        nudged = image.repeat(2, 1, 1, 1)
                        nudged[:, channel, row, column] += torch.tensor([1e-5, -1e-5], dtype=torch.float64)
                        above, below = model(nudged)["out"][:, highest, 1, 2]
                        heat[row, column] += (above - below).abs() / 2e-5
    found = effective_receptive_field(model, images, unit=(1, 2))
    torch.testing.assert_close(found.heat, heat / heat.sum(), atol=1e-9, rtol=1e-6)


def test_a_tensor_and_a_dictionary_answer_alike_and_the_unit_is_the_middle_one():
    model, images = Smooth(), torch.rand(2, 3, 13, 16)
    wrapped = effective_receptive_field(model, images)
    model.wrapped = False
    plain = effective_receptive_field(model, images)
    assert wrapped.unit == plain.unit == (2, 3)  # of 5 rows and 6 columns
    assert torch.equal(wrapped.heat, plain.heat)
    assert wrapped.heat.dtype == torch.float64
    assert float(wrapped.heat.sum()) == pytest.approx(1)


def test_the_model_is_left_as_it_was():
    model, images = Smooth().train(), torch.rand(2, 3, 13, 16)
    model.drop.eval()
    model.first.weight.grad = torch.full_like(model.first.weight, 7)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        first = effective_receptive_field(model, images)
    with torch.inference_mode():
        second = effective_receptive_field(model.requires_grad_(False), images.clone())
    assert torch.equal(first.heat, second.heat)
    assert model.training
    assert not model.drop.training
    assert model.first.weight.grad.eq(7).all()
    assert model.second.weight.grad is None
    assert images.grad is None
    assert not images.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_first_layer_may_work_in_place():
    net = nn.Sequential(nn.ReLU(inplace=True), *ones(2, 2))
    images = torch.ones(1, 1, 5, 5, dtype=torch.float64)
    assert torch.equal(effective_receptive_field(net, images).heat, effective_receptive_field(net[1:], images).heat)


@pytest.mark.parametrize("name", ["the notes' 5x5 example", "AlexNet to fc6", "VGG16", "U-Net"])
def test_the_theoretical_box_holds_all_of_it(name):
    pixels = 5 if "notes" in name else 96
    net = StackNet(PRESETS[name], pixels, channels=8)
    for weight in net.parameters():
        nn.init.kaiming_normal_(weight) if weight.dim() > 1 else nn.init.zeros_(weight)
    field = effective_receptive_field(net, torch.randn(2, 3, pixels, pixels))
    assert field.inside(1) == pytest.approx(1)
    shares = [field.inside(share) for share in (0, 0.25, 0.5, 0.75, 1)]
    assert shares == sorted(shares)
    assert field.inside_half == shares[2]


@given(first=st.integers(-3, 4), size=st.integers(1, 12), share=st.floats(0, 1.5))
def test_a_pixel_is_inside_when_its_centre_is(first, size, share):
    last = first + size - 1
    field = EffectiveField(torch.full((10, 10), 0.01, dtype=torch.float64), (0, 0), ((first, last), (-50, 60)))
    middle, half = first + (size - 1) / 2, share * size / 2
    rows = sum(middle - half <= row <= middle + half for row in range(10))
    columns = sum(abs(column - 5) <= share * 111 / 2 for column in range(10))
    assert field.inside(share) == pytest.approx(rows * columns / 100)


def test_half_of_seven_pixels_are_three_and_of_eight_four():
    for size, half in ((7, 3), (8, 4)):
        heat = torch.full((size, size), 1 / size**2, dtype=torch.float64)
        field = EffectiveField(heat, (0, 0), ((0, size - 1), (0, size - 1)))
        assert field.inside_half == pytest.approx((half / size) ** 2)


def test_the_effective_field_of_a_deep_stack_is_small():
    """Along one axis, n 3-tap layers of ones spread as a Gaussian of variance 2n/3: half the size holds most of it."""
    shares = [
        effective_receptive_field(ones(3, n, padding=1), torch.rand(1, 1, 99, 99, dtype=torch.float64)).inside_half
        for n in (2, 8, 32)
    ]
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 0.99


class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images):
        maps = self.conv(images)
        return maps + maps.mean((2, 3), keepdim=True)


class Foreign(nn.Module):
    """Reads the map backwards, for which there is no rule."""

    def forward(self, images):
        return images.cumsum(2)


def test_an_infinite_field_and_an_unknown_one_have_no_half():
    images = torch.rand(1, 3, 8, 8)
    pooled = effective_receptive_field(Pooled(), images)
    assert pooled.box == ((-math.inf, math.inf), (-math.inf, math.inf))
    assert math.isnan(pooled.inside_half)
    assert (pooled.heat > 0).all()
    unknown = effective_receptive_field(Foreign(), images)
    assert unknown.box is None
    assert math.isnan(unknown.inside_half)


def test_images_are_averaged_by_their_gradients():
    """The average is of gradients, not of heat maps: an image that moves the unit more counts for more."""

    class Product(nn.Module):
        def forward(self, images):
            return images[..., :1] * images[..., 1:]

    images = torch.tensor([[1.0, 2.0], [30.0, 10.0]]).reshape(2, 1, 1, 2)
    heat, unit = gradient_heat(Product(), images)
    assert unit == (0, 0)
    torch.testing.assert_close(heat, torch.tensor([[2 + 10, 1 + 30]], dtype=torch.float64) / 43)


def dead():
    net = StackNet([Layer()], 8)
    nn.init.constant_(net.layers[0][0].bias, -1e6)
    return net


@pytest.mark.parametrize(
    ("model", "images", "unit", "says"),
    [
        (lambda: Smooth(), torch.rand(3, 9, 9), None, r"images has shape \(3, 9, 9\) and dtype torch.float32"),
        (lambda: Smooth(), torch.rand(0, 3, 9, 9), None, "N of at least 1"),
        (lambda: Smooth(), torch.zeros(1, 3, 9, 9, dtype=torch.uint8), None, "floating-point"),
        (lambda: Smooth(), torch.rand(1, 3, 9, 9), (3, 0), r"unit is \(3, 0\), but the output has 3 rows and 3"),
        (lambda: Smooth(), torch.rand(1, 3, 9, 9), (0, -1), r"unit is \(0, -1\)"),
        (dead, torch.rand(1, 3, 8, 8), None, r"gradient of unit \(3, 3\) is zero everywhere"),
        (lambda: Smooth(), torch.full((1, 3, 9, 9), torch.nan), None, "not finite"),
        (lambda: nn.Flatten(), torch.rand(1, 3, 8, 8), None, r"returns shape \(1, 192\), expected maps"),
        (lambda: nn.Unflatten(1, (1, 3)), torch.rand(1, 3, 8, 8), None, r"returns shape \(1, 1, 3, 8, 8\)"),
    ],
)
def test_what_cannot_be_answered_is_refused(model, images, unit, says):
    with pytest.raises(ValueError, match=says):
        effective_receptive_field(model(), images, unit=unit)


def test_a_dictionary_without_out_is_refused():
    model = Smooth()
    model.forward = lambda images: {"scores": images}
    with pytest.raises(ValueError, match="returns dict, expected maps"):
        effective_receptive_field(model, torch.rand(1, 3, 9, 9))
