"""The crops of the CRF explorer: a photograph traced by hand, painted streets, and unaries made from their truth."""

from dataclasses import replace

import matplotlib
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from segedu import data
from segedu.classroom.explorers import crf_unaries
from segedu.classroom.explorers.crf_crops import STREETS, Crop, example_crops
from segedu.classroom.explorers.crf_photograph import photograph_crop

PALETTE = torch.tensor([(9, 9, 9), (99, 99, 99)], dtype=torch.uint8)


def crop_of(labels):
    return Crop("halves", torch.zeros(3, *labels.shape, dtype=torch.uint8), labels, ("Left", "Right"), PALETTE)


@settings(deadline=None, max_examples=15)
@given(
    stride=st.sampled_from([4, 8, 16, 32]), rows=st.integers(1, 40), cols=st.integers(1, 40), seed=st.integers(0, 99)
)
def test_unaries_are_the_interpolated_shares_of_cells_plus_the_same_noise(stride, rows, cols, seed):
    labels = torch.randint(0, 2, (rows, cols), generator=torch.Generator().manual_seed(seed))
    noise = crf_unaries.unaries(crop_of(torch.full_like(labels, 255)), stride)
    grid = torch.zeros(1, 2, -(-rows // stride), -(-cols // stride))
    for label, down, right in ((k, y, x) for k in range(2) for y in range(grid.shape[2]) for x in range(grid.shape[3])):
        cell = labels[stride * down : stride * (down + 1), stride * right : stride * (right + 1)]
        grid[0, label, down, right] = (cell == label).float().mean()
    shares = F.interpolate(grid, scale_factor=stride, mode="bilinear", align_corners=False)[0, :, :rows, :cols]
    torch.testing.assert_close(crf_unaries.unaries(crop_of(labels), stride) - noise, crf_unaries.SHARPNESS * shares)


def test_the_noise_has_its_standard_deviation():
    noise = crf_unaries.unaries(crop_of(torch.full((192, 256), 255)), 4)
    # A pixel beside the centre of a cell takes 7/8 of it and 1/8 of the next one, down as across.
    spread = (7 / 8) ** 2 + (1 / 8) ** 2
    assert float(noise[:, 5::4, 5::4].std()) == pytest.approx(crf_unaries.NOISE * spread, rel=0.05)


def test_a_crop_of_a_data_set_has_its_pixels_and_the_classes_that_appear():
    streets = data.load("streets", split="val", size=(192, 256))
    index, (row, col) = STREETS["thin poles"]
    crop = Crop.of("poles", streets, index, (row, col))
    image, labels = streets[index]
    image, labels = image[:, row : row + 96, col : col + 128], labels[row : row + 96, col : col + 128]
    levels = 255 * data.denormalise(image, streets.mean, streets.std)
    torch.testing.assert_close(crop.image.float(), levels.as_subclass(torch.Tensor), atol=0.01, rtol=0)
    assert len(crop.classes) == len(labels[labels != 255].unique())
    for label, name in enumerate(crop.classes):
        number = streets.classes.index(name)
        assert torch.equal(crop.labels == label, labels.as_subclass(torch.Tensor) == number)
        assert torch.equal(crop.palette[label], streets.palette[number])
    assert torch.equal(crop.labels == 255, labels.as_subclass(torch.Tensor) == 255)


def test_the_outlines_of_the_photograph_fit_its_colours():
    ((image, labels, classes, palette),) = photograph_crop()
    assert (image.shape, labels.shape, palette.shape) == ((3, 96, 128), (96, 128), (4, 3))
    grey = image.float().mean(0)
    shirt, uniform = (grey[labels == classes.index(name)] for name in ("Shirt", "Uniform"))
    assert shirt.median() > 230
    assert uniform.median() < 30
    red, _, blue = image.float()
    head, backdrop = ((red - blue)[labels == classes.index(name)] for name in ("Head", "Backdrop"))
    assert head.median() > 60 > 0 > backdrop.median()
    # Within the jacket a traced pixel is dark; a contour misplaced by three pixels would take in the blue beside it.
    assert float((uniform < 60).float().mean()) > 0.97


def test_without_matplotlibs_samples_there_are_streets(monkeypatch, tmp_path):
    assert [crop.name for crop in example_crops()] == ["photograph", *STREETS]
    monkeypatch.setattr(matplotlib, "get_data_path", lambda: str(tmp_path))
    assert [crop.name for crop in example_crops()] == [*STREETS]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image": torch.zeros(3, 8, 8)}, "in torch.float32"),
        ({"image": torch.zeros(3, 8, 9, dtype=torch.uint8)}, r"\(3, 8, 9\)"),
        ({"labels": torch.zeros(8, 8)}, "expected .* int64"),
        ({"image": torch.zeros(3, 1, 8, 8).byte(), "labels": torch.zeros(1, 8, 8).long()}, r"labels \(1, 8, 8\)"),
        ({"labels": torch.full((8, 8), 2)}, "has the label 2, but its 2 classes are 0..1 and void is 255"),
        ({"labels": torch.full((8, 8), -1)}, "has the label -1"),
        ({"classes": ("Only",), "palette": PALETTE[:1]}, "at least two classes"),
        ({"palette": PALETTE[:1]}, "at least two classes"),
    ],
)
def test_a_crop_whose_parts_do_not_fit_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        replace(crop_of(torch.zeros(8, 8, dtype=torch.int64)), **changes)


def test_a_crop_too_large_to_answer_at_once_is_refused():
    with pytest.raises(ValueError, match=r"is \(193, 8\); take a part of at most \(192, 256\)"):
        crop_of(torch.zeros(193, 8, dtype=torch.int64))
