"""Predictions against the model's own scores, and pictures read back from their files."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision import tv_tensors

from segedu.data import CAMVID
from segedu.models import create
from segedu.predict import overlay, predict, predict_tiled, read_image, write_labels, write_picture
from segedu.profile import peak_memory

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


class ByBrightness(nn.Module):
    """Scores class 0 by the red channel and class 1 by the blue one, so that a label says which is larger."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[1.0, 0, 0], [0, 0, 1.0]]).view(2, 3, 1, 1))

    def forward(self, images):
        return {"out": nn.functional.conv2d(images, self.weight)}


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_each_pixel_gets_its_most_likely_class(height, width, seed):
    pixels = torch.randint(0, 256, (2, 3, height, width), generator=torch.Generator().manual_seed(seed))
    pixels = pixels.to(torch.uint8)
    normalised = (pixels.double() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    expected = (normalised[:, 2] > normalised[:, 0]).long()
    clear = (normalised[:, 2] - normalised[:, 0]).abs() > 1e-5
    labels = predict(ByBrightness(), pixels, MEAN, STD)
    assert labels.dtype == torch.int64
    assert torch.equal(labels[clear], expected[clear])
    assert torch.equal(predict(ByBrightness(), pixels.float() / 255, MEAN, STD)[clear], expected[clear])
    single = predict(ByBrightness(), tv_tensors.Image(pixels[0]), MEAN, STD)
    assert type(single) is torch.Tensor
    assert torch.equal(single, labels[0])
    picture = Image.fromarray(pixels[0].permute(1, 2, 0).numpy())
    assert torch.equal(predict(ByBrightness(), picture, MEAN, STD), labels[0])


def test_the_model_predicts_in_evaluation_mode_and_gets_its_modes_back():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.9)).train()
    model[1].eval()
    pixels = torch.rand(3, 8, 8)
    assert torch.equal(predict(model, pixels, MEAN, STD), predict(model, pixels, MEAN, STD))
    assert [module.training for module in model] == [True, False, True]


def test_pictures_go_where_the_model_lies():
    with FakeTensorMode():
        with torch.device("cuda"):
            model = ByBrightness()
        labels = predict(model, torch.zeros(3, 4, 5, dtype=torch.uint8), MEAN, STD)
        assert labels.device.type == "cuda"


def agree(model, image, labels):
    """Labels equal those of one pass, wherever its two best scores are not all but equal."""
    size = (image.shape[-2], image.shape[-1])
    inside = tuple(slice(0, side) for side in size)
    margin = getattr(model, "margin", 0)
    pixels = (image.double() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    if margin:
        height, width = model.input_size(size)
        around = ((margin, height - size[0] - margin), (margin, width - size[1] - margin))
        pixels = torch.from_numpy(np.pad(pixels.numpy(), ((0, 0), *around), mode="reflect"))
    with torch.no_grad():
        best = model.double()(pixels[None])["out"][0][:, inside[0], inside[1]].topk(2, dim=0)
    model.float()
    clear = best.values[0] - best.values[1] > 1e-4 * best.values.abs().max()
    assert clear.float().mean() > 0.5
    assert torch.equal(labels.long()[clear], best.indices[0][clear])


@pytest.mark.parametrize("name", ["unet", "unet_original"])
def test_tiles_and_one_pass_label_alike(name):
    """An image of odd sides, in one pass and in many; the paper's U-Net sees it mirrored, as numpy does."""
    model, image = create(name, 3, width=2).eval(), torch.randint(0, 256, (3, 221, 23)).to(torch.uint8)
    agree(model, image, predict(model, image, MEAN, STD))
    labels = predict_tiled(model, image, MEAN, STD, tile=(32, 23))
    assert (labels.dtype, labels.shape) == (torch.uint8, (221, 23))
    agree(model, image, labels)
    wide = torch.full((23, 240), -1).T[:221]  # not contiguous
    assert predict_tiled(model, image, MEAN, STD, tile=(32, 23), out=wide) is wide
    assert torch.equal(wide, labels.long())


def test_a_picture_in_one_channel():
    model = create("unet", 2, in_channels=1, width=2).eval()
    image = torch.rand(1, 40, 33)
    labels = predict(model, image, [0.5], [0.2])
    assert torch.equal(predict_tiled(model, image, [0.5], [0.2], tile=400).long(), labels)


class Shallow(ByBrightness):
    """Sees 5 pixels, so that tiles are small; keeps the mode it is run in."""

    def __init__(self):
        super().__init__()
        self.blur = nn.Conv2d(3, 3, 5, padding=2, groups=3)

    def forward(self, images):
        self.seen = self.training, torch.is_grad_enabled()
        return super().forward(self.blur(images))


def test_memory_is_that_of_a_tile():
    """Four times the image asks for no more, and for less than the image in floating point."""
    model, peaks = Shallow(), []
    for side in (512, 1024):
        image = torch.zeros(3, side, side, dtype=torch.uint8)
        out = torch.empty(side, side, dtype=torch.uint8)
        peaks.append(peak_memory(lambda: predict_tiled(model, image, MEAN, STD, tile=256, out=out), "cpu"))  # noqa: B023
    assert peaks[1] < 1.05 * peaks[0] < 1024 * 1024 * 3 * 4


def test_tiled_prediction_leaves_the_model_as_it_was_and_shows_a_bar(capsys):
    model = Shallow().train()
    predict_tiled(model, torch.zeros(3, 40, 40, dtype=torch.uint8), MEAN, STD, tile=20, progress=True)
    assert model.seen == (False, False)
    assert model.training
    assert "4/4" in capsys.readouterr().err


def test_tiles_go_where_the_model_lies():
    with FakeTensorMode():
        with torch.device("cuda"):
            model = ByBrightness()
        image, out = torch.zeros(3, 40, 50, dtype=torch.uint8), torch.zeros(40, 50, dtype=torch.int64)
        assert predict_tiled(model, image, MEAN, STD, tile=64, out=out).device.type == "cpu"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"image": torch.zeros(2, 3, 8, 8)}, ValueError, r"image has shape \(2, 3, 8, 8\), expected one image"),
        ({"image": np.zeros((8, 8, 3))}, TypeError, "is a ndarray"),
        ({"tile": 0}, ValueError, r"tile is \(0, 0\)"),
        ({"out": torch.zeros(8, 9)}, ValueError, r"out is torch.float32 of shape \(8, 9\), expected integers"),
        ({"out": torch.zeros(9, 8).long()}, ValueError, r"expected integers of shape \(8, 9\)"),
    ],
)
def test_unfit_arguments_of_tiles_are_refused(arguments, error, words):
    given = {"image": torch.zeros(3, 8, 9), "mean": MEAN, "std": STD} | arguments
    with pytest.raises(error, match=words):
        predict_tiled(ByBrightness(), **given)


def test_labels_need_room_for_their_classes():
    model, image = nn.Conv2d(3, 300, 1), torch.rand(3, 5, 5)
    with pytest.raises(ValueError, match=r"out is torch\.uint8, which does not hold 300 classes"):
        predict_tiled(model, image, MEAN, STD)
    out = torch.empty(5, 5, dtype=torch.int16)
    assert torch.equal(predict_tiled(model, image, MEAN, STD, out=out).long(), predict(model, image, MEAN, STD))


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (torch.zeros(4, 8, 8), ValueError, r"expected \(3, H, W\) or \(N, 3, H, W\)"),
        (torch.zeros(8, 8), ValueError, r"has shape \(8, 8\)"),
        (torch.zeros(3, 8, 8).long(), TypeError, "expected uint8 in 0..255"),
        (np.zeros((8, 8, 3)), TypeError, "is a ndarray"),
    ],
)
def test_unfit_images_are_refused(images, error, words):
    with pytest.raises(error, match=words):
        predict(ByBrightness(), images, MEAN, STD)


def test_overlay_blends_by_hand_and_leaves_void():
    image = torch.full((3, 1, 3), 100, dtype=torch.uint8)
    labels = torch.tensor([[0, 255, 9]])  # Sky, void, Pedestrian
    blended = overlay(image, labels, CAMVID, opacity=0.25)
    assert blended[:, 0, 0].tolist() == [107] * 3  # 100 + 0.25 * (128 - 100)
    assert blended[:, 0, 1].tolist() == [100] * 3
    assert blended[:, 0, 2].tolist() == [91, 91, 75]
    assert torch.equal(overlay(image, labels, CAMVID, opacity=0), image)
    with pytest.raises(ValueError, match="of the labels' size"):
        overlay(image[:, :, :2], labels, CAMVID)


def test_a_large_overlay_is_blended_band_by_band():
    image = torch.randint(0, 256, (3, 700, 5)).to(torch.uint8)
    labels = torch.randint(0, 12, (700, 5)).to(torch.uint8)
    parts = [overlay(image[:, rows], labels[rows], CAMVID) for rows in (slice(0, 100), slice(100, 700))]
    assert torch.equal(overlay(image, labels, CAMVID), torch.cat(parts, 1))
    peak = peak_memory(lambda: overlay(image.repeat(1, 4, 20), labels.repeat(4, 20), CAMVID), "cpu")
    assert peak < 3 * 2800 * 100 * 8  # two float pictures and the result would be 9 bytes a value


def test_a_label_file_holds_the_labels_and_shows_the_palette(tmp_path):
    labels = torch.randint(0, 11, (13, 17))
    labels[0] = 255
    write_labels(tmp_path / "labels.png", labels, CAMVID)
    with Image.open(tmp_path / "labels.png") as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.array(picture), labels.numpy())
        shown = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
    known = torch.cat([CAMVID.colours, torch.zeros(245, 3, dtype=torch.uint8)])
    assert torch.equal(shown, known[labels].permute(2, 0, 1))
    with pytest.raises(ValueError, match="one label map a file"):
        write_labels(tmp_path / "labels.png", labels[None], CAMVID)


def test_a_picture_file_reads_back(tmp_path):
    pixels = torch.randint(0, 256, (3, 7, 9)).to(torch.uint8)
    write_picture(tmp_path / "picture.png", pixels)
    assert torch.equal(read_image(tmp_path / "picture.png"), pixels)


def test_a_camera_held_upright_is_turned(tmp_path):
    picture = Image.fromarray(np.zeros((10, 20, 3), dtype=np.uint8))
    orientation = picture.getexif()
    orientation[0x0112] = 6
    picture.save(tmp_path / "upright.jpg", exif=orientation)
    assert read_image(tmp_path / "upright.jpg").shape == (3, 20, 10)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no image .*absent\.png"):
        read_image(tmp_path / "absent.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(ValueError, match=r"text\.png cannot be read as a picture"):
        read_image(tmp_path / "text.png")
    write_picture(tmp_path / "cut.png", torch.randint(0, 256, (3, 99, 99)).to(torch.uint8))
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut\.png cannot be read"):
        read_image(tmp_path / "cut.png")


def test_a_failed_write_leaves_the_earlier_file_and_no_rest(tmp_path, monkeypatch):
    write_picture(tmp_path / "picture.png", torch.zeros(3, 4, 4, dtype=torch.uint8))
    before = (tmp_path / "picture.png").read_bytes()

    def full(self, file, format):
        file.write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match=r"picture\.png could not be written .*No space"):
        write_picture(tmp_path / "picture.png", torch.ones(3, 4, 4, dtype=torch.uint8))
    assert (tmp_path / "picture.png").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "picture.png"]


def test_smallest_picture():
    assert predict(ByBrightness(), torch.zeros(3, 1, 1), MEAN, STD).shape == (1, 1)
    assert not math.isnan(
        float(overlay(torch.zeros(3, 1, 1, dtype=torch.uint8), torch.zeros(1, 1).long(), CAMVID).sum())
    )
