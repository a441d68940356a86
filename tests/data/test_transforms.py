import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

from segedu.data.transforms import denormalise, evaluation, resize, training

MEAN, STD = (0.4, 0.5, 0.6), (0.3, 0.2, 0.25)
sizes = st.tuples(st.integers(1, 50), st.integers(1, 50))
targets = st.tuples(st.integers(2, 50), st.integers(2, 50))


def pair(height, width, seed=0):
    """A picture whose grey is 20 times its label, so that the two can be compared wherever they end up."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 12, (-(-height // 10), -(-width // 10)), generator=generator)
    labels = labels.repeat_interleave(10, 0).repeat_interleave(10, 1)[:height, :width]
    return tv_tensors.Image((20 * labels).to(torch.uint8).expand(3, -1, -1).contiguous()), tv_tensors.Mask(labels)


def uniform(mask, reach=2):
    """Where all labels within ``reach`` pixels agree, and interpolation mixes nothing; none agree past the edge."""
    labels = torch.nn.functional.pad(mask.as_subclass(Tensor).float()[None], (reach,) * 4, value=-1)
    highest, lowest = (torch.nn.functional.max_pool2d(sign * labels, 2 * reach + 1, 1)[0] for sign in (1, -1))
    return highest == -lowest


@given(sizes, targets)
def test_evaluation_yields_the_contract(size, target):
    image, mask = evaluation(target, MEAN, STD)(*pair(*size))
    assert isinstance(image, tv_tensors.Image)
    assert isinstance(mask, tv_tensors.Mask)
    assert (image.dtype, mask.dtype) == (torch.float32, torch.int64)
    assert image.shape == (3, *target)
    assert mask.shape == target
    assert set(mask.unique().tolist()) <= set(pair(*size)[1].unique().tolist())  # no label is made up


@given(sizes)
def test_evaluation_without_a_size_only_normalises(size):
    before, labels = pair(*size)
    image, mask = evaluation(None, MEAN, STD)(before, labels)
    assert torch.equal(mask, labels)
    expected = (before.as_subclass(Tensor) / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    torch.testing.assert_close(image.as_subclass(Tensor), expected)


@given(sizes, targets)
def test_image_is_resized_bilinearly_with_antialiasing(size, target):
    image, _ = pair(*size)
    exact = torch.nn.functional.interpolate(
        image.as_subclass(Tensor).double()[None], target, mode="bilinear", antialias=True
    )[0]
    assert (resize(image, target).as_subclass(Tensor) - exact).abs().max() <= 1.01  # whole levels


@given(sizes, targets)
def test_mask_takes_the_label_at_the_centre(size, target):
    _, mask = pair(*size)
    rows, columns = (
        ((torch.arange(new, dtype=torch.float64) + 0.5) * (old / new)).floor().long().clamp_(max=old - 1)
        for old, new in zip(size, target, strict=True)
    )
    found = resize(mask, target)
    # Where a centre falls on the line between two pixels the rounding of the factor decides; skip those.
    sure_rows, sure_columns = (
        ((torch.arange(new, dtype=torch.float64) + 0.5) * (old / new) % 1 > 1e-3)
        | (old % new == 0) & (old // new % 2 == 1)
        for old, new in zip(size, target, strict=True)
    )
    sure = sure_rows[:, None] & sure_columns
    assert torch.equal(found[sure], mask[rows][:, columns][sure])


@pytest.mark.parametrize("factor", [3, 5])
def test_mask_does_not_drift_from_the_image(factor):
    """A bar one cell wide stays where it is in both, where torchvision's own rule moves the mask's sample."""
    labels = torch.zeros(9 * factor, 9 * factor, dtype=torch.int64)
    centre = 4 * factor + factor // 2
    labels[:, centre] = 1  # seen by the sample at the centre of its cell alone
    mask = resize(tv_tensors.Mask(labels), (9, 9))
    assert mask.sum(0).tolist() == [0, 0, 0, 0, 9, 0, 0, 0, 0]
    assert functional.resize(tv_tensors.Mask(labels), [9, 9]).sum() == 0


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_labels_up_to_void_survive_resizing(dtype):
    labels = torch.arange(256, dtype=dtype).view(16, 16)
    resized = resize(tv_tensors.Mask(labels), (48, 48))
    assert resized.dtype == dtype
    assert torch.equal(resized[1::3, 1::3].as_subclass(Tensor), labels)


@given(sizes, targets, st.integers(0, 1000))
def test_training_yields_the_contract(size, target, seed):
    torch.manual_seed(seed)
    image, mask = training(target, MEAN, STD)(*pair(*size))
    assert (image.dtype, mask.dtype) == (torch.float32, torch.int64)
    assert image.shape == (3, *target)
    assert mask.shape == target
    assert set(mask.unique().tolist()) <= {*range(12), 255}


@given(st.integers(0, 1000))
def test_image_and_labels_move_together(seed):
    torch.manual_seed(seed)
    image, mask = training((60, 80), MEAN, STD)(*pair(90, 110, seed))
    grey = denormalise(image, MEAN, STD).mean(0) * 255
    # Colour jitter is one monotonous map of the grey levels, up to rounding, so labels and greys stay in one order.
    inside = uniform(mask) & (mask != 255)
    means = [grey[inside & (mask == label)] for label in range(12)]
    for values in means:
        if len(values):
            assert values.max() - values.min() < 4
    levels = [values.mean() for values in means if len(values)]
    assert all(low <= high + 2 for low, high in itertools.pairwise(levels))


def test_what_the_crop_adds_is_void_and_the_mean_colour():
    torch.manual_seed(0)
    image, mask = training((64, 64), MEAN, STD, scale=(0.5, 0.5))(*pair(40, 40))
    void = mask == 255
    assert void.sum() == 64 * 64 - 32 * 32
    torch.testing.assert_close(image[:, void], torch.zeros(3, int(void.sum())), rtol=0, atol=0.51 / 255 / min(STD))


@pytest.mark.parametrize(("scale", "covered"), [((1.0, 1.0), 32 * 64), ((2.0, 2.0), 64 * 64)])
def test_scale_is_relative_to_the_fitting_size(scale, covered):
    _, mask = training((64, 64), MEAN, STD, scale=scale)(*pair(50, 100))
    assert (mask != 255).sum() == covered


def test_augmentation_varies_and_repeats_with_the_seed():
    joint, sample = training((32, 32), MEAN, STD), pair(60, 60)
    first, second = joint(*sample), joint(*sample)
    assert not torch.equal(first[0], second[0])
    torch.manual_seed(0)
    again = joint(*sample)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


@given(sizes, st.integers(0, 2))
def test_denormalise_undoes_the_normalisation(size, batch):
    before, labels = pair(*size)
    image, _ = evaluation(None, MEAN, STD)(before, labels)
    images = image.expand(batch, 3, *size) if batch else image
    expected = before.as_subclass(Tensor) / 255
    torch.testing.assert_close(denormalise(images, MEAN, STD), expected.expand(images.shape))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_denormalise_is_float32_in_range(dtype):
    images = 10 * torch.randn(2, 3, 5, 7, dtype=dtype).to(memory_format=torch.channels_last)
    seen = denormalise(images, MEAN, STD)
    assert seen.dtype == torch.float32
    assert seen.min() == 0
    assert seen.max() == 1


@pytest.mark.parametrize("size", [(0, 5), (5, 1), (5,), (5, 5, 5), (5, -1), (2.5, 5), 5])
def test_bad_size_is_named(size):
    for build in (training, evaluation):
        with pytest.raises(ValueError, match="size is"):
            build(size, MEAN, STD)


@pytest.mark.parametrize("scale", [(0, 1), (2, 1), (-1, 1)])
def test_bad_scale_is_named(scale):
    with pytest.raises(ValueError, match="scale is"):
        training((5, 5), MEAN, STD, scale=scale)
