import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import datasets, tv_tensors
from torchvision.models.segmentation import FCN_ResNet50_Weights

from segedu.data.adapt import CITYSCAPES, IMAGENET_MEAN, IMAGENET_STD, VOC, Adapted
from segedu.data.transforms import denormalise, evaluation, training

SIZE = (24, 32)
STORED = np.random.default_rng(0).integers(0, 256, SIZE, dtype=np.uint8)
PICTURE = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def voc(root, stored):
    base = root / "VOCdevkit" / "VOC2012"
    (base / "ImageSets" / "Segmentation").mkdir(parents=True)
    (base / "ImageSets" / "Segmentation" / "train.txt").write_text("one\ntwo\n")
    for name in ("one", "two"):
        save(PICTURE, base / "JPEGImages" / f"{name}.jpg")
        picture = Image.fromarray(stored).convert("P")
        picture.putdata(stored.flatten().tolist())  # the real files are paletted
        (base / "SegmentationClass").mkdir(exist_ok=True)
        picture.save(base / "SegmentationClass" / f"{name}.png")
    return datasets.VOCSegmentation(root)


def pets(root, stored, target_types="segmentation"):
    base = root / "oxford-iiit-pet"
    (base / "annotations").mkdir(parents=True)
    (base / "annotations" / "trainval.txt").write_text("Beagle_1 1 2 1\nBeagle_2 1 2 1\n")
    for name in ("Beagle_1", "Beagle_2"):
        save(PICTURE, base / "images" / f"{name}.jpg")
        save(stored, base / "annotations" / "trimaps" / f"{name}.png")
    return datasets.OxfordIIITPet(root, target_types=target_types)


def cityscapes(root, stored, target_type="semantic"):
    for name in ("one_000000_000019", "two_000000_000019"):
        save(PICTURE, root / "leftImg8bit" / "train" / "bonn" / f"{name}_leftImg8bit.png")
        for kind in ("labelIds", "instanceIds"):
            save(stored, root / "gtFine" / "train" / "bonn" / f"{name}_gtFine_{kind}.png")
    return datasets.Cityscapes(root, target_type=target_type)


# Label ids of the 19 scored classes in the order of their training ids, from the data set's paper's own scripts.
SCORED = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
EXPECTED = {
    voc: {value: value for value in range(21)},
    pets: {1: 1, 2: 0},
    cityscapes: {value: index for index, value in enumerate(SCORED)},
}


@pytest.mark.parametrize("make", EXPECTED)
def test_stored_values_become_classes_or_void(tmp_path, make):
    data = Adapted(make(tmp_path, STORED))
    image, mask = data[1]
    assert len(data) == 2
    assert isinstance(image, tv_tensors.Image)
    assert isinstance(mask, tv_tensors.Mask)
    assert (image.dtype, image.shape) == (torch.uint8, (3, *SIZE))
    expected = np.vectorize(lambda value: EXPECTED[make].get(value, 255))(STORED)
    assert torch.equal(mask.as_subclass(Tensor), torch.from_numpy(expected))
    assert len(data.classes) == len(data.palette) == len(EXPECTED[make])


@pytest.mark.parametrize("make", EXPECTED)
@pytest.mark.parametrize("augment", [False, True])
def test_batch_of_the_house_contract(tmp_path, make, augment):
    joint = (training if augment else evaluation)((20, 28), IMAGENET_MEAN, IMAGENET_STD)
    data = Adapted(make(tmp_path, STORED), joint)
    images, labels = next(iter(DataLoader(data, batch_size=2)))
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert images.shape == (2, 3, 20, 28)
    assert labels.shape == (2, 20, 28)
    assert set(labels.unique().tolist()) <= {*range(len(data.classes)), data.ignore_index}
    logits = torch.randn(2, len(data.classes), 20, 28)
    assert torch.nn.functional.cross_entropy(logits, labels, ignore_index=data.ignore_index).isfinite()


def test_transforms_given_to_the_data_set_itself_still_run(tmp_path):
    inner = voc(tmp_path, STORED)
    inner.transforms = evaluation((12, 16), IMAGENET_MEAN, IMAGENET_STD)
    image, mask = Adapted(inner)[0]
    assert image.shape == (3, 12, 16)
    assert mask.shape == (12, 16)


def test_names_are_torchvisions():
    names = FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1.meta["categories"]
    assert VOC.palette.classes[1:] == tuple(names[1:])


def test_colours_of_voc():
    known = {0: (0, 0, 0), 1: (128, 0, 0), 8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128)}
    for label, colour in known.items():
        assert tuple(VOC.palette.colours[label].tolist()) == colour


def test_names_of_cityscapes_are_in_training_order():
    assert CITYSCAPES.palette.classes[:3] == ("road", "sidewalk", "building")
    assert CITYSCAPES.palette.classes[-1] == "bicycle"


@pytest.mark.parametrize(("make", "kind"), [(pets, "category"), (cityscapes, "instance")])
def test_other_targets_are_refused_with_the_way_out(tmp_path, make, kind):
    data = Adapted(make(tmp_path, STORED, kind))
    with pytest.raises(TypeError, match=r'target_type="semantic".*target_types="segmentation"'):
        data[0]


def test_other_data_sets_are_refused():
    with pytest.raises(TypeError, match="is a FakeData, expected torchvision's VOCSegmentation"):
        Adapted(datasets.FakeData())


def test_normalisation_is_imagenets(tmp_path):
    image, _ = Adapted(pets(tmp_path, STORED), evaluation(None, IMAGENET_MEAN, IMAGENET_STD))[0]
    raw, _ = Adapted(datasets.OxfordIIITPet(tmp_path, target_types="segmentation"))[0]
    torch.testing.assert_close(denormalise(image, IMAGENET_MEAN, IMAGENET_STD), raw.as_subclass(Tensor) / 255)
