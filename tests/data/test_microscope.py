"""The real cell data sets: files in, pairs of the house contract out, and a sentence where they are not whole."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors

from segedu.data import ISBI, Nuclei, available, load
from segedu.data.microscope import stretched
from segedu.data.separation import separated
from segedu.instances import components


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def nuclei(tmp_path):
    """Two pictures, of other sizes, in which two nuclei touch."""
    random = np.random.default_rng(0)
    for name, side in (("b", 12), ("a", 16)):
        ids = np.zeros((side, 20), np.uint8)
        ids[2:9, 2:8], ids[2:9, 8:15], ids[10:, 17:] = 1, 2, 3
        colours = random.integers(0, 90, (side, 20, 4), dtype=np.uint8)
        write(tmp_path / "dsb2018/train/images" / f"{name}.png", colours)
        write(tmp_path / "dsb2018/train/labels" / f"{name}.png", ids)
    return tmp_path


@pytest.fixture
def isbi(tmp_path):
    blank = np.zeros((512, 512), np.uint8)
    blank[100:300, 40:200] = 200
    for number in range(27):
        blank[0, 0] = number
        write(tmp_path / f"isbi2012/train/images/{number:02}.png", blank)
        write(tmp_path / f"isbi2012/train/labels/{number:02}.png", np.where(blank > 50, 255, 0).astype(np.uint8))
    return tmp_path


def test_nuclei_are_grey_stretched_and_parted(nuclei):
    data = Nuclei(nuclei)
    assert [path.stem for path in data.images] == ["a", "b"]
    image, mask = data[0]
    assert isinstance(image, tv_tensors.Image)
    assert isinstance(mask, tv_tensors.Mask)
    grey = np.array(Image.open(data.images[0]).convert("L"))
    assert torch.equal(image.as_subclass(Tensor), stretched(torch.from_numpy(grey)).expand(3, -1, -1))
    ids = torch.from_numpy(np.array(Image.open(data.labels[0]))).long()
    assert torch.equal(data.instances(0), separated(ids[None])[0])
    assert torch.equal(mask.as_subclass(Tensor), (data.instances(0) > 0).long())
    assert int(components(mask.as_subclass(Tensor)[None]).max()) == 3  # one less in the annotation's own mask
    assert int(components(ids[None]).max()) == 2
    assert (data.classes, data.ignore_index) == (("Background", "Cell"), 255)


def test_stretching_spans_the_levels_but_for_a_thousandth():
    grey = torch.arange(2000).div(40).floor().view(40, 50).byte()  # 0..49, and one speck
    grey[0, 0] = 255
    bright = stretched(grey)
    assert torch.equal(bright[1:], (grey[1:].double() * 255 / 49).round().byte())
    assert torch.equal(stretched(torch.full((3, 3), 7, dtype=torch.uint8)), torch.zeros(3, 3, dtype=torch.uint8))


def test_wide_ids_are_read(nuclei):
    path = nuclei / "dsb2018/train/labels/a.png"
    write(path, np.array(Image.open(path)).astype(np.uint16) * 300)
    assert set(Nuclei(nuclei).instances(0).unique().tolist()) == {0, 300, 600, 900}


def test_sections_are_held_out_in_one_block(isbi):
    train, val = ISBI(isbi), ISBI(isbi, "val")
    assert [path.stem for path in train.images] == [f"{number:02}" for number in range(20)]
    assert [path.stem for path in val.labels] == ["20", "21", "22", "23", "24"]
    image, mask = val[2]
    assert image[0, 0, 0] == 22
    assert torch.equal(mask.as_subclass(Tensor), (image[0] > 50).long().as_subclass(Tensor))


def test_house_transforms(nuclei, isbi):
    for name, size in (("nuclei", (16, 20)), ("isbi", (512, 512))):
        image, mask = load(name, root=nuclei)[0]
        assert (image.dtype, image.shape, mask.dtype, mask.shape) == (torch.float32, (3, *size), torch.int64, size)
        assert load(name, "train", (24, 31), augment=True, root=isbi)[1][0].shape == (3, 24, 31)
        assert available(name, root=nuclei)
        assert not available(name, "test", root=nuclei)
        with pytest.raises(ValueError, match="split is 'test', expected one of 'train', 'val'"):
            load(name, "test", root=nuclei)
    assert available("isbi", "val", root=nuclei)
    assert not available("nuclei", "val", root=nuclei)


@pytest.mark.parametrize(("name", "source"), [("nuclei", "BBBC038"), ("isbi", "Cardona")])
def test_an_absent_set_says_where_it_comes_from(name, source, tmp_path):
    assert not available(name, root=tmp_path)
    with pytest.raises(FileNotFoundError, match=f"no download: .*{source}") as error:
        load(name, root=tmp_path)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_whole_is_named(nuclei, isbi):
    (isbi / "isbi2012/train/images/07.png").unlink()
    with pytest.raises(ValueError, match="has no picture named 07"):
        ISBI(isbi)
    (isbi / "isbi2012/train/labels/07.png").unlink()
    with pytest.raises(ValueError, match="has no section 07"):
        ISBI(isbi)
    assert len(ISBI(isbi, "val")) == 5
    write(isbi / "isbi2012/train/labels/20.png", np.full((512, 512), 3, np.uint8))
    with pytest.raises(ValueError, match=r"20\.png holds other values than 0 and 255"):
        ISBI(isbi, "val")[0]
    write(nuclei / "dsb2018/train/labels/a.png", np.zeros((5, 5), np.uint8))
    with pytest.raises(ValueError, match="expected one size"):
        Nuclei(nuclei)[0]
    (nuclei / "dsb2018/train/labels/b.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"b\.png is not a whole picture"):
        Nuclei(nuclei).instances(1)
    for path in (nuclei / "dsb2018/train").rglob("*.png"):
        path.unlink()
    with pytest.raises(ValueError, match="holds no picture"):
        Nuclei(nuclei)


@pytest.mark.parametrize(("split", "pairs", "found"), [("train", 80, 2610), ("val", 20, 647)])
def test_real_nuclei(real_data, split, pairs, found):
    if not available("nuclei", split, root=real_data):
        pytest.skip("no dsb2018 beside camvid")
    data = Nuclei(real_data, split)
    assert len(data) == pairs
    assert sum(int(np.array(Image.open(path)).max()) for path in data.labels) == found
    kept = sum(len(data.instances(index).unique()) - 1 for index in range(pairs))
    assert 0.995 * found < kept <= found  # the line takes a few slivers whole


def test_real_sections_have_the_stated_statistics(real_data):
    if not available("isbi", root=real_data):
        pytest.skip("no isbi2012 beside camvid")
    pixels = torch.stack([ISBI(real_data, split)[i][0][0] for split, i in (("train", 0), ("train", 10), ("val", 2))])
    assert abs(float(pixels.double().mean() / 255) - ISBI.mean[0]) < 0.03
    assert abs(float(pixels.double().std() / 255) - ISBI.std[0]) < 0.03
