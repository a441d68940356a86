import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import tv_tensors

from segedu import data
from segedu.data import CAMVID, CamVid, available, denormalise, load

SPLITS = ["train", "val", "test"]


def meets_the_contract(dataset, size):
    image, mask = dataset[0]
    assert isinstance(image, tv_tensors.Image)
    assert isinstance(mask, tv_tensors.Mask)
    assert (image.dtype, mask.dtype) == (torch.float32, torch.int64)
    assert image.shape == (3, *size)
    assert mask.shape == size
    assert set(mask.unique().tolist()) <= {*range(11), 255}
    assert dataset.ignore_index == 255
    assert dataset.classes == CAMVID.classes
    assert torch.equal(dataset.palette, CAMVID.colours)
    seen = denormalise(image, dataset.mean, dataset.std)
    again = (seen - torch.tensor(dataset.mean).view(3, 1, 1)) / torch.tensor(dataset.std).view(3, 1, 1)
    torch.testing.assert_close(again, image.as_subclass(Tensor), rtol=0, atol=1e-4)  # nothing was out of range
    images, labels = next(iter(DataLoader(dataset, batch_size=2)))
    assert images.shape == (2, 3, *size)
    assert labels.shape == (2, *size)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("augment", [False, True])
def test_streets(split, augment):
    if not augment or split == "train":
        meets_the_contract(load("streets", split, augment=augment, length=2), (96, 128))
        meets_the_contract(load("streets", split, (51, 77), augment=augment, length=2), (51, 77))


@pytest.mark.parametrize("split", ["train", "val"])
def test_camvid(real_data, split):
    meets_the_contract(load("camvid", split, root=real_data), (360, 480))
    meets_the_contract(load("camvid", split, (90, 121), root=real_data), (90, 121))


def test_camvid_augmented(real_data):
    torch.manual_seed(0)
    augmented = load("camvid", "train", (90, 120), augment=True, root=real_data)
    first, second = augmented[0], augmented[0]
    assert first[0].shape == (3, 90, 120)
    assert not torch.equal(first[0], second[0])
    assert load("camvid", "train", augment=True, root=real_data)[0][0].shape == (3, 360, 480)


def test_camvid_as_it_is(real_data):
    image, mask = load("camvid", "val", root=real_data)[7]
    raw, labels = CamVid(real_data, "val")[7]
    torch.testing.assert_close(denormalise(image, CamVid.mean, CamVid.std), raw.as_subclass(Tensor) / 255)
    assert torch.equal(mask, labels)


@pytest.mark.parametrize("name", ["streets", "cells"])
def test_no_scene_is_in_two_splits_or_two_seeds(name):
    painted = [load(name, split, (48, 64), length=1, seed=seed)[0] for split in SPLITS for seed in range(4)]
    for index, (image, mask) in enumerate(painted):
        for other_image, other_mask in painted[:index]:
            assert not torch.equal(image, other_image)
            assert not torch.equal(mask, other_mask)


def test_streets_come_out_the_same_each_time_and_in_batches():
    first, second = (load("streets", "val", (48, 64), length=4, seed=3) for _ in range(2))
    images, labels = first.batch([2, 3])
    assert torch.equal(labels[1], second[3][1].as_subclass(Tensor))
    assert torch.equal(images[1], second[3][0].as_subclass(Tensor))


def test_cells_have_the_form_of_streets():
    cells = load("cells", "train", (48, 64), augment=True, length=3, noise=2.0)
    images, labels = cells.batch(range(3))
    assert (images.shape, labels.shape) == ((3, 3, 48, 64), (3, 48, 64))
    assert cells.classes == ("Background", "Cell")
    assert available("cells", "test")


@pytest.mark.parametrize("seed", [-1, 2**30, 0.5, "one"])
def test_bad_seed_is_named(seed):
    with pytest.raises(ValueError, match="seed is"):
        load("streets", seed=seed)


def test_unknown_name_lists_the_names():
    for ask in (load, available):
        with pytest.raises(
            ValueError, match="name is 'cityscapes', expected one of 'streets', 'cells', 'camvid', 'nuclei', 'isbi'"
        ):
            ask("cityscapes")


@pytest.mark.parametrize("name", ["streets", "camvid"])
def test_unknown_split_lists_the_splits(name):
    for ask in (load, available):
        with pytest.raises(ValueError, match="split is 'eval', expected one of 'train', 'val', 'test'"):
            ask(name, "eval")


@pytest.mark.parametrize("name", ["streets", "camvid"])
def test_only_the_training_split_is_augmented(name):
    with pytest.raises(ValueError, match="augment is True for split 'val'"):
        load(name, "val", augment=True)


def test_available_says_what_load_will_find(tmp_path, monkeypatch, real_data):
    monkeypatch.setenv("SEGEDU_DATA", str(tmp_path))
    assert available("streets")
    assert not available("camvid")
    with pytest.raises(FileNotFoundError):
        load("camvid")
    assert available("camvid", root=real_data)
    assert not available("camvid", "test", root=tmp_path)
    monkeypatch.setenv("SEGEDU_DATA", str(real_data))
    assert available("camvid", "val")
    assert list(tmp_path.iterdir()) == []


def test_everything_listed_is_there():
    assert all(hasattr(data, name) for name in data.__all__)
