"""Scores near outlines, against dilation and against DeepLab's definition with its ring of void."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.metrics import ConfusionMatrix, TrimapIoU

VOID = 255


def counted(predictions, target, chosen, classes):
    confusion = ConfusionMatrix(classes)
    confusion.update(predictions, torch.where(chosen, target, VOID))
    return confusion.matrix


def dilated(masks, width):
    return torch.from_numpy(np.stack([binary_dilation(mask, np.ones((3, 3)), width) for mask in masks.numpy()]))


@settings(max_examples=15)
@given(
    st.integers(1, 4),
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    st.lists(st.integers(1, 12), min_size=1, max_size=3, unique=True).map(sorted),
    st.sampled_from([0.0, 0.05, 1.0]),
    st.integers(0, 2**31),
)
def test_a_band_is_what_other_labels_reach_when_dilated(classes, shape, widths, void, seed):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, classes, shape, generator=generator).repeat_interleave(3, 1).repeat_interleave(2, 2)
    predictions = torch.where(torch.rand(target.shape, generator=generator) < 0.2, target.flip(1), target)
    target[torch.rand(target.shape, generator=generator) < void] = VOID
    metric = TrimapIoU(classes, widths)
    metric.update(predictions.to(torch.uint8), target.to(torch.uint8))
    for width in widths:
        band = torch.zeros_like(target, dtype=torch.bool)
        for label in target.unique():
            band |= (target == label) & dilated(target != label, width)
        assert torch.equal(metric.matrices[width], counted(predictions, target, band, classes))


def test_with_objects_ringed_by_void_it_is_deeplabs():
    target = torch.zeros(1, 40, 50).long()
    target[:, 10:25, 12:30] = 1
    target[dilated(target == 1, 2) & (target == 0)] = VOID
    predictions = target.where(target != VOID, 0).roll(3, 2)
    metric = TrimapIoU(2, (1, 5, 20))
    metric.update(predictions, target)
    for width, matrix in metric.matrices.items():
        near_void = dilated(target == VOID, width)
        assert torch.equal(matrix, counted(predictions, target, near_void, 2))


def test_a_wide_band_is_the_picture_and_a_narrow_one_holds_the_errors():
    target = (torch.arange(64) >= 32).long().expand(1, 48, 64)
    predictions = (torch.arange(64) >= 34).long().expand(1, 48, 64)
    metric, whole = TrimapIoU(2, (1, 2, 4, 64)), ConfusionMatrix(2)
    metric.update(predictions, target)
    whole.update(predictions, target)
    scores = metric.scores()
    assert [scores[width].pixel_accuracy for width in (1, 2, 4)] == [1 / 2, 1 / 2, 3 / 4]
    assert torch.equal(metric.matrices[64], whole.matrix)


def test_streaming_merging_and_an_even_picture():
    target = torch.randint(0, 3, (3, 8, 9))
    scores = torch.randn(3, 3, 8, 9)
    whole, first, second = (TrimapIoU(3, [1, 3]) for _ in range(3))
    whole.update(scores, target)
    first.update(scores[:1].argmax(1), target[:1])
    second.update(scores[1:], target[1:])
    assert torch.equal((first + second).matrices[3], whole.matrices[3])
    whole.reset()
    whole.update(torch.ones(1, 5, 5).long(), torch.ones(1, 5, 5).long())  # without any outline
    assert math.isnan(whole.scores()[1].mean_iou)


@pytest.mark.parametrize("widths", [(), (0, 1), (2, 1), (1, 1)])
def test_unfit_widths_are_refused(widths):
    with pytest.raises(ValueError, match="in rising order"):
        TrimapIoU(3, widths)


def test_strays_are_refused_wherever_they_lie():
    metric = TrimapIoU(3, (1,))
    with pytest.raises(ValueError, match="target labels hold 25 pixels"):
        metric.update(torch.zeros(1, 5, 5).long(), torch.full((1, 5, 5), 3))
    assert int(metric.matrices[1].sum()) == 0


def test_measuring_stays_on_the_device_of_the_data():
    with FakeTensorMode(), torch.device("cuda"):
        metric = TrimapIoU(12)
        metric.update(torch.randn(2, 12, 33, 47), torch.zeros(2, 33, 47, dtype=torch.long))
        assert metric._sums["pairs"].device.type == "cuda"
