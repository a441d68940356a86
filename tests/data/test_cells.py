"""The painter of cells: a dish is a function of its number, touching cells are parted, a dial moves what it names."""

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision import tv_tensors

from segedu.data import Cells
from segedu.data.separation import separated
from segedu.instances import components

MANY = range(40)


@pytest.fixture(scope="module")
def usual():
    return Cells().batch(MANY)


def levels(images):
    return (images[:, 0].double() * Cells.std[0] + Cells.mean[0]) * 255


@settings(max_examples=6)
@given(indices=st.lists(st.integers(0, 999), min_size=1, max_size=3), seed=st.integers(0, 2**32 - 1))
def test_a_dish_depends_on_seed_and_index_alone(indices, seed):
    data = Cells(size=(37, 45), seed=seed)
    images, labels = data.batch(indices)
    ids = data.instances(indices)
    for row, index in enumerate(indices):
        image, mask = data[index]
        assert torch.equal(image, images[row])
        assert torch.equal(mask, labels[row])
        assert torch.equal(data.instances([index])[0], ids[row])


def test_parts_of_a_batch_change_nothing(usual):
    more = Cells(length=64).batch(range(64))  # painted in two parts
    assert torch.equal(more[0][:40], usual[0])
    image, mask = Cells(length=64)[39]
    assert torch.equal(image, usual[0][39])
    assert torch.equal(mask, more[1][39])
    assert len(torch.unique(usual[1].flatten(1), dim=0)) == len(MANY)


def test_instances_are_the_components_of_the_labels(usual):
    ids = Cells().instances(MANY)
    assert ids.dtype == torch.int64
    for connectivity in (4, 8):
        assert torch.equal(components(usual[1], connectivity), ids)
    areas = torch.stack([(ids == cell).sum((1, 2)) for cell in range(1, int(ids.max()) + 1)])
    assert areas[areas > 0].min() >= 16
    assert 6 < ids.amax((1, 2)).double().mean() < 14


def touching(**dials):
    """The share of cell pixels that a line takes from touching cells, and the cells that would merge without it."""
    data = Cells(**dials)
    ids = data.instances(MANY)
    closed = torch.nn.functional.max_pool2d((ids > 0).float(), 3, 1, 1) > 0  # grown by a pixel: lines of two close
    return ids.amax((1, 2)).double().mean(), components(closed).amax((1, 2)).double().mean()


def test_lines_cost_few_pixels_and_count_a_lot(usual):
    apart, merged = touching()
    assert merged < 0.75 * apart
    dish = next(Cells().paintings(MANY, "cpu"))
    line = (dish._owner > 0) & (separated(dish._owner) == 0)
    assert line.double().mean() < 0.2 * (dish.labels() > 0).double().mean()
    assert line.double().mean() < 0.05


def test_touching_and_density_turn_what_they_name():
    loose, tight = (touching(touching=value) for value in (0.0, 1.0))
    assert tight[1] / tight[0] < loose[1] / loose[0] - 0.1
    counts = [touching(density=value)[0] for value in (0.0, 0.4, 1.0)]
    assert counts[0] == 0 < counts[1] < 0.7 * counts[2]


@pytest.mark.parametrize("dial", ["seam", "noise", "unevenness"])
def test_dials_of_appearance_leave_the_labels(dial, usual):
    images, labels = Cells(**{dial: 0.0}).batch(range(8))
    assert torch.equal(labels, usual[1][:8])
    assert not torch.equal(images, usual[0][:8])


def test_noise_unevenness_and_seam_turn_what_they_name():
    background = Cells().batch(MANY)[1] == 0
    rough = [levels(Cells(noise=value).batch(MANY)[0]).diff(dim=2).abs().median() for value in (0, 1, 4)]
    assert rough[0] <= 1 < 3 <= rough[1] < rough[2] / 2
    empty = [Cells(density=0.0, noise=0.0, unevenness=value).batch(MANY)[0] for value in (0, 1)]
    assert levels(empty[0]).std() < 0.01
    assert levels(empty[1]).std() > 5
    line = (next(Cells().paintings(MANY, "cpu"))._owner > 0) & background
    dark = [levels(Cells(seam=value, noise=0.0).batch(MANY)[0])[line].mean() for value in (0, 1)]
    assert dark[1] < dark[0] - 20


def test_images_are_grey_whole_levels_with_the_stated_statistics(usual):
    assert torch.equal(usual[0][:, 0], usual[0][:, 2])
    pixels = levels(usual[0])
    assert (pixels - pixels.round()).abs().max() < 1e-3
    assert pixels.min() > -0.5
    assert pixels.max() < 255.5
    assert usual[0].mean().abs() < 0.1
    assert abs(usual[0].std() - 1) < 0.1


@settings(max_examples=5)
@given(height=st.integers(32, 70), width=st.integers(32, 150))
def test_any_size(height, width):
    images, labels = Cells(size=(height, width)).batch([7, 8])
    assert images.shape == (2, 3, height, width)
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert labels.shape == (2, height, width)
    assert set(labels.unique().tolist()) <= {0, 1}


def test_the_widest_picture_has_cells_from_end_to_end():
    labels = Cells(size=(32, 1600)).batch([0])[1]  # farther across than 32 bits hold the square of
    assert labels.view(32, 16, 100).sum((0, 2)).min() > 0


def test_runs_on_the_device_it_is_given():
    with FakeTensorMode(), torch.device("cuda"):
        dish = next(Cells().paintings(range(4), None))
        assert {dish.images().device.type, dish.labels().device.type, dish.instances().device.type} == {"cuda"}


def test_is_a_torchvision_style_data_set():
    data = pickle.loads(pickle.dumps(Cells(size=(48, 64), length=5, noise=2.0)))
    image, mask = data[4]
    assert isinstance(image, tv_tensors.Image)
    assert isinstance(mask, tv_tensors.Mask)
    assert (len(data), data.classes, data.ignore_index) == (5, ("Background", "Cell"), 255)
    assert repr(data) == "Cells(size=(48, 64), length=5, seed=0, noise=2.0)"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"size": (96, 31)}, ValueError, "width in size is 31"),
        ({"texture": 1.0}, TypeError, "'texture' is not a dial of Cells, expected one of density"),
        ({"noise": -1}, ValueError, "noise=-1 is out of range, expected 0"),
        ({"seam": "dark"}, TypeError, "seam is 'dark', expected a number"),
    ],
)
def test_refuses_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        Cells(**arguments)


@given(seed=st.integers(0, 999), dtype=st.sampled_from([torch.int16, torch.int64]))
def test_separated_leaves_no_neighbours_and_takes_nothing_else(seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 4, (2, 5, 6), generator=generator).repeat_interleave(4, 1).repeat_interleave(4, 2).to(dtype)
    parted = separated(ids)
    padded = torch.nn.functional.pad(ids, (1, 1, 1, 1))
    around = torch.stack([padded[:, y : y + 20, x : x + 24] for y in range(3) for x in range(3)])
    beside_another = ((around != ids) & (around > 0)).any(0)
    assert torch.equal(parted, torch.where(beside_another, 0, ids))
