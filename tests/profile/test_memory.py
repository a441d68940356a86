"""Peak and retained memory against sums that can be done by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.models import create
from segedu.profile import Profile, peak_memory, profile, retained_bytes
from segedu.profile.timing import Latency

MIB = 2**20


def test_peak_is_the_most_at_one_time():
    def run():
        first = torch.empty(MIB, dtype=torch.uint8)
        second = torch.empty(2 * MIB, dtype=torch.uint8)
        del first
        third = torch.empty(2 * MIB, dtype=torch.uint8)
        return second, third

    assert peak_memory(run, "cpu") == 4 * MIB


def test_what_was_there_before_does_not_count():
    old = [torch.empty(8 * MIB, dtype=torch.uint8)]

    def run():
        old.clear()
        torch.empty(MIB, dtype=torch.uint8)

    assert peak_memory(run, "cpu") == MIB
    assert peak_memory(lambda: None, "cpu") == 0


def test_peak_sees_inside_an_operation():
    values = torch.rand(1000, 1000)
    # The sorted values, their indices, and the transposed work of the sort: more than the result alone.
    assert peak_memory(lambda: values.sort(dim=0), "cpu") >= 1000 * 1000 * (4 + 8)


def test_peak_needs_an_allocator_that_tells():
    with pytest.raises(ValueError, match="cuda and cpu only"):
        peak_memory(lambda: None, "meta")


def image(channels=3, height=16, width=16):
    return torch.randn(1, channels, height, width)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(3, 20), st.integers(3, 20))
def test_convolutions_keep_their_inputs(width, classes, h, w):
    model = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, classes, 1))
    # The images for the first gradient; the rectified map once, though both ReLU and the second layer keep it.
    assert retained_bytes(model, torch.randn(2, 3, h, w)) == 2 * (3 + width) * h * w * 4


def test_in_place_and_views_add_nothing():
    plain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 256, 2))
    in_place = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 256, 2))
    assert retained_bytes(plain, image()) == retained_bytes(in_place, image()) == (3 + 4) * 256 * 4


def test_pooling_keeps_its_input_and_the_indices():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2))
    assert retained_bytes(model, image()) == (3 + 4) * 256 * 4 + 4 * 64 * 8


def test_training_mode_keeps_what_evaluation_does_not():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout(0.5)).train()
    mask = retained_bytes(model, image()) - retained_bytes(model.eval(), image())
    assert mask in (4 * 256, 4 * 256 * 4)  # a byte or a float for each element, by the kernel that drew it


def test_half_precision_halves_it():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 3))
    assert retained_bytes(model.bfloat16(), image().bfloat16()) * 2 == retained_bytes(model.float(), image())


def test_a_branch_without_output_is_not_kept():
    class Abandoned(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Conv2d(3, 2, 1), nn.Sequential(nn.Conv2d(3, 64, 1), nn.Tanh())

        def forward(self, images):
            self.unused(images)
            return {"out": self.used(images)}

    assert retained_bytes(Abandoned(), image()) == 3 * 256 * 4


def test_nothing_is_kept_where_nothing_is_learnt():
    assert retained_bytes(nn.Conv2d(3, 4, 3).requires_grad_(False), image()) == 0


def test_measuring_leaves_no_trace():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout()).train()
    before, images = {name: tensor.clone() for name, tensor in model.state_dict().items()}, image()
    random = torch.get_rng_state()
    with torch.no_grad():
        assert retained_bytes(model, images) > 0
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_fake_tensors_tell_the_same_without_computing():
    real = create("fcn8s", num_classes=5, backbone="vgg_mini").eval()
    expected = retained_bytes(real, image(height=64, width=80))
    with FakeTensorMode(), torch.device("cuda"):
        fake = create("fcn8s", num_classes=5, backbone="vgg_mini").eval()
        assert retained_bytes(fake, torch.randn(1, 3, 64, 80)) == pytest.approx(expected, rel=0.05)


def test_profile_is_one_row_under_its_heading():
    row = profile(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1)), (32, 48), name="one layer", repeats=2)
    assert (row.parameters, row.macs, row.retained_bytes) == (224, 27 * 8 * 32 * 48, 3 * 32 * 48 * 4)
    assert row.peak_bytes >= 8 * 32 * 48 * 4
    assert str(row).startswith("one layer")
    wide = Profile("fcn8s vgg16", (1024, 2048), 134_362_751, 893_825_581_056, Latency(1e4, 9e3, 2e4), 2**33, 2**34)
    assert len(str(row)) == len(str(wide)) == len(Profile.heading())
