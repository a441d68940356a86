"""Boundary IoU against erosion mask by mask, as its authors define it, and against closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.metrics import BoundaryIoU, ConfusionMatrix
from segedu.metrics.bands import corners, within

VOID = 255


def rim(mask, distance):
    """The mask less its erosion by ``distance`` steps of a 3x3 square, outside the picture being no mask."""
    return mask & ~binary_erosion(mask, np.ones((3, 3)), distance, border_value=0)


def oracle(predictions, target, classes, ratio, void=VOID):
    """Intersections and unions of the rims, ``(N, K)`` each."""
    common, union = np.zeros((2, len(target), classes), int)
    for n, (called, truth) in enumerate(zip(predictions.numpy(), target.numpy(), strict=True)):
        distance = max(1, int(np.round(ratio * np.hypot(*truth.shape))))
        for c in range(classes):
            found, true = rim((called == c) & (truth != void), distance), rim(truth == c, distance)
            common[n, c], union[n, c] = (found & true).sum(), (found | true).sum()
    return common, union


@settings(max_examples=15)
@given(
    st.integers(1, 4),
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 11)),
    st.sampled_from([0.0, 0.05, 0.1, 0.25, 1.0]),
    st.sampled_from([0.0, 0.05, 1.0]),
    st.sampled_from([torch.uint8, torch.int64]),
    st.integers(0, 2**31),
)
def test_equals_erosion_of_each_mask(classes, shape, ratio, void, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, classes, shape, generator=generator).repeat_interleave(3, 1).repeat_interleave(2, 2)
    predictions = torch.where(torch.rand(target.shape, generator=generator) < 0.03, target.flip(0, 2), target)
    target[torch.rand(target.shape, generator=generator) < void] = VOID
    metric = BoundaryIoU(classes, ratio)
    metric.update(predictions.to(dtype), target.to(dtype))
    scores = metric.scores()
    common, union = oracle(predictions, target, classes, ratio)
    with np.errstate(invalid="ignore"):
        images = [np.nanmean(iou) for iou in common / union if not np.isnan(iou).all()]
        np.testing.assert_allclose(scores.iou.numpy(), common.sum(0) / union.sum(0), rtol=1e-12)
    assert scores.images == len(images)
    np.testing.assert_allclose(scores.image_mean_iou, np.mean(images) if images else math.nan, rtol=1e-12)


@settings(max_examples=15)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31))
def test_a_square_holds_two_labels_where_it_holds_a_corner_between_them(distance, height, width, seed):
    labels = torch.randint(0, 5, (1, height, width), generator=torch.Generator().manual_seed(seed)).clamp(min=3)
    found = within(corners({4: labels}), distance)
    for y in range(height):
        for x in range(width):
            square = labels[0, max(0, y - distance) : y + distance + 1, max(0, x - distance) : x + distance + 1]
            assert int(found[0, y, x]) == 4 * (len(square.unique()) > 1)


def test_a_shift_by_hand():
    """A 40x40 square shifted by 3: with rims of 4 pixels, what two rims share are bands and corners."""
    target = torch.zeros(1, 150, 150).long()
    target[:, 50:90, 50:90] = 1
    metric = BoundaryIoU(2, 4 / math.hypot(150, 150))
    metric.update(target.roll(3, 2), target)
    rim_area = 40**2 - 32**2
    common = 2 * 4 * 37 + 2 * 1 * 32  # rows above and below, and one column at each side of the two holes' rows
    assert float(metric.scores().iou[1]) == pytest.approx(common / (2 * rim_area - common))


def test_rims_as_wide_as_the_masks_make_it_plain_iou():
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 3, (2, 9, 11), generator=generator)
    predictions = torch.randint(0, 3, (2, 9, 11), generator=generator)
    boundary, confusion = BoundaryIoU(3, 1.0), ConfusionMatrix(3)
    boundary.update(predictions, target)
    confusion.update(predictions, target)
    torch.testing.assert_close(boundary.scores().iou, confusion.scores().iou)
    assert boundary.scores().mean_iou == pytest.approx(confusion.scores().mean_iou)


@pytest.mark.parametrize("classes", [256, 300])
def test_classes_beyond_a_byte(classes):
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, classes, (1, 24, 26), generator=generator)
    target[:, :12], target[:, 12:] = 0, classes - 1
    predictions = target.roll(2, 1)
    target[:, :, :3] = -1
    metric = BoundaryIoU(classes, 0.05, ignore_index=-1)
    metric.update(predictions, target)
    common, union = oracle(predictions, target, classes, 0.05, void=-1)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(metric.scores().iou.numpy(), (common / union)[0])


@settings(max_examples=5)
@given(st.integers(0, 2**31))
def test_streaming_merging_and_scores_agree(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, 3, 9, 10, generator=generator).bfloat16()
    target = torch.randint(0, 3, (4, 9, 10), generator=generator)
    whole, first, second = BoundaryIoU(3), BoundaryIoU(3), BoundaryIoU(3)
    whole.update(logits, target)
    first.update(logits[:1].float().argmax(1).to(torch.uint8), target[:1].to(torch.uint8))
    second.update(logits[1:].contiguous(memory_format=torch.channels_last), target[1:])
    total = (second + first).scores()
    torch.testing.assert_close(total.iou, whole.scores().iou, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(total.image_iou, whole.scores().image_iou, equal_nan=True)


@pytest.mark.parametrize(
    ("predictions", "target", "words"),
    [
        (torch.zeros(1, 2, 2).long(), torch.full((1, 2, 2), 3), "target labels hold 4 pixels"),
        (torch.full((1, 2, 2), -1), torch.zeros(1, 2, 2).long(), "predictions hold 4 pixels"),
        (torch.zeros(2, 2).long(), torch.zeros(2, 2).long(), r"expected \(N, H, W\)"),
    ],
)
def test_unfit_input_is_refused(predictions, target, words):
    metric = BoundaryIoU(3)
    with pytest.raises(ValueError, match=words):
        metric.update(predictions, target)
    assert metric.scores().images == 0


def test_unfit_settings_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        BoundaryIoU(3, dilation_ratio=2)
    with pytest.raises(ValueError, match=r"cannot add a BoundaryIoU with num_classes=3, dilation_ratio=0.005"):
        BoundaryIoU(3) + BoundaryIoU(3, 0.005)


def test_measuring_stays_on_the_device_of_the_data():
    with FakeTensorMode(), torch.device("cuda"):
        metric = BoundaryIoU(12)
        metric.update(torch.randn(2, 12, 33, 47), torch.zeros(2, 33, 47, dtype=torch.long))
        assert {kept.device.type for kept in metric._sums.values()} == {"cuda"}
