"""The painter of streets: a scene is a function of its number, a dial moves what it names, each picture is a street."""

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import v2

from segedu.data.palette import CAMVID
from segedu.data.street_scene.objects import _far_to_near
from segedu.data.streets import Streets

SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST = range(11)
VOID = 255
MANY = range(120)


def levels(data, images):
    """Undo the normalisation: whole levels 0..255."""
    mean, std = torch.tensor(data.mean)[:, None, None], torch.tensor(data.std)[:, None, None]
    return (images * std + mean) * 255


def shares(**dials):
    """The share of each label 0..255 over many scenes."""
    return shares_of(Streets(**dials).batch(MANY)[1])


def shares_of(labels):
    return torch.bincount(labels.flatten(), minlength=256).double() / labels.numel()


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Two test workers on two cores: a second thread each would wait for the other's turn."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def usual(_one_thread):
    return Streets().batch(MANY)


@pytest.fixture(scope="module")
def borderless(_one_thread):
    """The labels of the usual scenes without their void outlines."""
    return Streets(void_border=0).batch(MANY)[1]


# What a scene depends on


@settings(max_examples=10)
@given(indices=st.lists(st.integers(0, 999), min_size=1, max_size=4), seed=st.integers(0, 2**32 - 1))
def test_a_scene_depends_on_seed_and_index_alone(indices, seed):
    data = Streets(size=(37, 45), seed=seed)
    images, labels = data.batch(indices)
    for row, index in enumerate(indices):
        image, mask = data[index]
        assert torch.equal(image, images[row])
        assert torch.equal(mask, labels[row])


def test_batches_larger_than_the_cache_are_the_same_scenes(usual):
    data = Streets(length=200)
    for index in (0, 31, 32, 33, 119):
        image, mask = data[index]
        assert torch.equal(image, usual[0][index])
        assert torch.equal(mask, usual[1][index])


def test_indices_come_in_any_form():
    data = Streets(size=(40, 40))
    expected = data.batch([5, 2, 5])
    for indices in ((5, 2, 5), torch.tensor([5, 2, 5]), torch.tensor([5, 2, 5], dtype=torch.int32).numpy()):
        assert all(map(torch.equal, data.batch(indices), expected))
    assert data.batch([])[0].shape == (0, 3, 40, 40)
    assert data.batch(range(3, 0, -1))[1].shape == (3, 40, 40)


def test_threads_and_float_settings_change_nothing(usual):
    data, few = Streets(), range(4)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        torch.set_float32_matmul_precision("medium")
        torch.set_default_dtype(torch.float64)
        images, labels = data.batch(few)
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
        torch.set_default_dtype(torch.float32)
    assert images.dtype == torch.float32
    assert torch.equal(labels, usual[1][:4])
    assert torch.equal(images, usual[0][:4])


def test_seeds_and_indices_give_different_scenes(usual):
    assert len(torch.unique(usual[1].flatten(1), dim=0)) == len(MANY)
    other = Streets(seed=1).batch(range(8))[1]
    assert all((other != usual[1][:8]).flatten(1).double().mean(1) > 0.2)


def test_runs_on_the_device_it_is_given():
    with FakeTensorMode():
        (scene,) = Streets(unknown_object=0.5).paintings([1], "cuda")  # painting takes long there: once for all three
        assert {read().device.type for read in (scene.images, scene.labels, scene.unknown)} == {"cuda"}


@settings(max_examples=8)
@given(height=st.integers(32, 110), width=st.integers(32, 110))
def test_any_size(height, width):
    images, labels = Streets(size=(height, width)).batch([7, 8])
    assert images.shape == (2, 3, height, width)
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert images.isfinite().all()
    assert labels.shape == (2, height, width)
    assert set(labels.unique().tolist()) <= {*range(11), VOID}


def test_the_scene_grows_with_the_picture():
    small = Streets(size=(96, 128), void_border=0).batch(range(24))[1]
    large = Streets(size=(288, 384), void_border=0).batch(range(24))[1]
    assert (large[:, 1::3, 1::3] == small).double().mean() > 0.9


# What is in a scene


def test_classes_are_as_common_as_in_camvid(usual):
    camvid = (16.8, 23.3, 0.98, 31.7, 4.5, 9.7, 1.17, 1.13, 5.9, 0.64, 0.29)  # percent of the training pixels
    found = torch.bincount(usual[1].flatten(), minlength=256) / usual[1].numel() * 100
    for label, share in enumerate(camvid):
        assert share / 2.5 < found[label] < share * 2.5, CAMVID.classes[label]
    assert 2 < found[VOID] < 7  # 3.9 in CamVid


def test_most_scenes_show_most_classes(usual):
    shown = torch.stack([(usual[1] == label).flatten(1).any(1) for label in range(11)])
    assert shown.double().mean(1).min() > 0.3
    assert shown.sum(0).double().mean() > 8


def test_heaven_is_above_and_road_below(usual):
    rows = torch.arange(usual[1].shape[1])[:, None].expand_as(usual[1][0])
    middle = [rows.expand_as(usual[1])[usual[1] == label].double().mean() for label in (SKY, BUILDING, PAVEMENT, ROAD)]
    assert middle == sorted(middle)
    assert (usual[1][:, 0] == ROAD).sum() == 0


def test_poles_are_a_few_pixels_wide(usual):
    widths = runs(usual[1] == POLE)
    assert widths.median() in (1, 2)
    assert (widths <= 4).double().mean() > 0.8


def runs(mask):
    """Lengths of all horizontal runs of a mask ``(N, H, W)``."""
    padded = torch.nn.functional.pad(mask.int(), (1, 1)).flatten()
    change = padded.diff()
    return (change == -1).nonzero().flatten() - (change == 1).nonzero().flatten()


def heights(labels, label):
    """Heights of the connected pieces of a class."""
    found = []
    for mask in (labels == label).numpy():
        found += [piece[0].stop - piece[0].start for piece in ndimage.find_objects(ndimage.label(mask)[0])]
    return torch.tensor(found).double()


def test_images_are_whole_levels_with_the_stated_statistics(usual):
    data = Streets()
    pixels = levels(data, usual[0].double())
    assert (pixels - pixels.round()).abs().max() < 1e-3
    assert pixels.min() > -0.5
    assert pixels.max() < 255.5
    assert usual[0].mean((0, 2, 3)).abs().max() < 0.1
    assert (usual[0].std((0, 2, 3)) - 1).abs().max() < 0.1


def test_nearer_is_painted_later():
    depth = torch.tensor([[500, 900, 500, 700]])
    owner, number = torch.tensor([0, 0, 1, 2, 2, 3]), torch.tensor([0, 1, 0, 0, 1, 0])
    order, owner, number = _far_to_near(depth, owner, number)
    assert depth[0, owner[0]].tolist() == [900, 700, 500, 500, 500, 500]
    assert order.tolist() == [[1, 2, 3, 3, 4, 4]]
    assert number[0, 2:].tolist() == [0, 1, 0, 1]  # ties do not mix two objects' parts


# What the dials do


@pytest.mark.parametrize(("dial", "value"), [("texture", 0.0), ("texture", 2.0), ("context", 0.0), ("context", 1.0)])
def test_dials_of_appearance_leave_the_labels(dial, value, usual):
    images, labels = Streets(**{dial: value}).batch(range(32))
    assert torch.equal(labels, usual[1][:32])
    assert not torch.equal(images, usual[0][:32])


def test_thinness_narrows_poles_and_signs_only(borderless):
    thick, thin = (Streets(thinness=value, void_border=0).batch(MANY)[1] for value in (0.4, 3))
    middle = borderless
    for label in (POLE, SIGN):
        means = [runs(labels == label).double().mean() for labels in (thin, middle, thick)]
        assert 1.2 * means[0] < means[1] < means[2] / 1.2
    changed = thick != middle
    assert (
        torch.isin(torch.where(changed, thick, POLE), torch.tensor([POLE, SIGN]))
        .logical_or(torch.isin(middle, torch.tensor([POLE, SIGN])))
        .all()
    )


def test_imbalance_makes_small_classes_rare():
    found = [shares(imbalance=value) for value in (0, 1, 4)]
    for label in (POLE, SIGN, FENCE, PEDESTRIAN, BICYCLIST):
        assert found[0][label] > 1.3 * found[1][label] > 1.3 * 1.3 * found[2][label]
    for label in (SKY, BUILDING, ROAD, TREE):
        assert found[2][label] > 0.8 * found[0][label]


def test_scale_spread_spreads_sizes():
    spread = []
    for value in (0, 1, 2):
        labels = Streets(scale_spread=value, imbalance=0, void_border=0).batch(range(96))[1]
        typical, largest = heights(labels, PEDESTRIAN).quantile(torch.tensor([0.5, 0.98]).double())
        spread.append(largest / typical)
    assert spread[0] < 1.6  # people of all heights at one distance
    assert 2 * spread[0] < spread[1] < spread[2] / 1.3


def test_texture_adds_fine_detail():
    strength = []
    for value in (0, 1, 2):
        data = Streets(texture=value)
        pixels = levels(data, data.batch(range(32))[0])
        strength.append((pixels[..., 1:] - pixels[..., :-1]).abs().median())
    assert strength[0] <= 1 < 2 <= strength[1] < strength[2]


def separation(context):
    """How far pavement's mean level lies from the road's in the same picture, in standard deviations of the road's."""
    data = Streets(context=context)
    images, labels = data.batch(range(96))
    found = []
    for picture, label in zip(images.mean(1), labels, strict=True):
        road, pavement = picture[label == ROAD], picture[label == PAVEMENT]
        if len(road) > 200 and len(pavement) > 200:
            found.append(((pavement.mean() - road.mean()) / road.std()).abs())
    return torch.stack(found).median()


def test_context_hides_pavement_in_the_road():
    distinct, usual_, hidden = (separation(value) for value in (0, 0.8, 1))
    assert distinct > 2 * usual_ > 2 * hidden
    assert usual_ < 1  # the distributions overlap: a window on the surface alone cannot decide


def test_void_border_widens(usual, borderless):
    none, one, three = (
        shares_of(labels)[VOID] for labels in (borderless, usual[1], Streets(void_border=3).batch(MANY)[1])
    )
    assert 0.005 < none < one - 0.005 < three - 0.01
    kept = usual[1] != VOID
    assert torch.equal(usual[1][kept], borderless[kept])
    wide = Streets(void_border=3).batch(range(8))[1]
    assert (wide[usual[1][:8] == VOID] == VOID).all()


def test_unknown_object_is_void_and_nothing_else_moves(usual):
    data = Streets(unknown_object=1.0)
    images, labels = data.batch(MANY)
    mask = data.unknown_mask(MANY)
    assert mask.dtype == torch.bool
    assert (labels[mask] == VOID).all()
    assert mask.flatten(1).any(1).double().mean() > 0.8  # the others are hidden behind something nearer
    assert 0.003 < mask.double().mean() < 0.05
    away = torch.nn.functional.max_pool2d(mask.double(), 3, 1, 1) == 0
    assert torch.equal(labels[away], usual[1][away])
    assert (images != usual[0]).any(1)[mask].double().mean() > 0.95
    assert not Streets().unknown_mask(range(16)).any()
    some = Streets(unknown_object=0.5).unknown_mask(MANY).flatten(1).any(1)
    assert 0.25 < some.double().mean() < 0.65


# The data set around it


def test_is_a_torchvision_style_data_set():
    data = Streets(size=(48, 64), length=5)
    assert len(data) == len(list(data)) == 5
    image, mask = data[4]
    assert isinstance(image, tv_tensors.Image)
    assert isinstance(mask, tv_tensors.Mask)
    assert data.classes == CAMVID.classes
    assert torch.equal(data.palette, CAMVID.colours)
    assert data.ignore_index == VOID
    again = pickle.loads(pickle.dumps(data))
    assert torch.equal(again[4][1], mask)


def test_transforms_see_image_and_mask_together():
    plain = Streets(size=(48, 64))
    turned = Streets(size=(48, 64), transforms=v2.RandomHorizontalFlip(1.0))
    assert torch.equal(turned[3][0], plain[3][0].flip(-1))
    assert torch.equal(turned[3][1], plain[3][1].flip(-1))


def test_loader_paints_a_batch_at_once():
    data = Streets(size=(48, 64), length=6)
    images, labels = next(iter(DataLoader(data, batch_size=6)))
    expected = data.batch(range(6))
    assert torch.equal(images, expected[0])
    assert torch.equal(labels, expected[1])


def test_repr_shows_what_is_turned():
    assert repr(Streets()) == "Streets(size=(96, 128), length=1000, seed=0)"
    assert repr(Streets(seed=2, thinness=2.0)) == "Streets(size=(96, 128), length=1000, seed=2, thinness=2.0)"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"size": 96}, TypeError, "size is 96"),
        ({"size": (31, 64)}, ValueError, "height in size is 31, expected 32"),
        ({"size": (64, 5000)}, ValueError, "width in size is 5000"),
        ({"size": (64.0, 64)}, TypeError, "height in size is 64.0"),
        ({"length": 0}, ValueError, "length is 0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"seed": 0.5}, TypeError, "seed is 0.5"),
        ({"thicknes": 1}, TypeError, "'thicknes' is not a dial"),
        ({"thinness": 0}, ValueError, "thinness=0"),
        ({"thinness": "thin"}, TypeError, "thinness is 'thin'"),
        ({"imbalance": -1}, ValueError, "imbalance=-1"),
        ({"scale_spread": 3}, ValueError, "scale_spread=3"),
        ({"texture": float("nan")}, ValueError, "texture=nan"),
        ({"context": 1.1}, ValueError, "context=1.1"),
        ({"void_border": 1.0}, TypeError, "void_border is 1.0"),
        ({"void_border": True}, TypeError, "void_border is True"),
        ({"unknown_object": 2}, ValueError, "unknown_object=2"),
    ],
)
def test_refuses_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message) as caught:
        Streets(**arguments)
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize(("index", "error"), [(-1, IndexError), (10, IndexError), (1.5, TypeError), ("a", TypeError)])
def test_refuses_bad_indices(index, error):
    data = Streets(size=(32, 32), length=10)
    for ask in (lambda: data[index], lambda: data.batch([0, index]), lambda: data.unknown_mask([index])):
        with pytest.raises(error, match="scenes 0 to 9"):
            ask()
