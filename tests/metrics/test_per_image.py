"""Means over images against one confusion matrix for each image."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.metrics import ConfusionMatrix, PerImageIoU


def measured(predictions, target, classes):
    metric = PerImageIoU(classes)
    metric.update(predictions, target)
    return metric.scores()


@settings(max_examples=15)
@given(
    st.integers(1, 5),
    st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 7)),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(0, 2**31),
)
def test_equals_a_confusion_matrix_for_each_image(classes, shape, void, seed):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, classes, shape, generator=generator)
    predictions = torch.randint(0, (classes + 1) // 2, shape, generator=generator)
    target[torch.rand(shape, generator=generator) < void] = 255
    images = []
    for called, truth in zip(predictions, target, strict=True):
        confusion = ConfusionMatrix(classes)
        confusion.update(called, truth)
        images.append(confusion.scores())
    scores = measured(predictions.to(torch.uint8), target, classes)
    iou, f1 = (torch.stack([getattr(image, name) for image in images]) for name in ("iou", "f1"))
    expected = {
        "image_mean_iou": iou.nanmean(1).nanmean(),
        "image_mean_f1": f1.nanmean(1).nanmean(),
        "class_mean_iou": iou.nanmean(0).nanmean(),
        "pair_mean_iou": iou.nanmean(),
        "iou": iou.nanmean(0),
        "f1": f1.nanmean(0),
    }
    for name, value in expected.items():
        torch.testing.assert_close(torch.as_tensor(getattr(scores, name)).double(), value, equal_nan=True)
    assert scores.images == int((target != 255).flatten(1).any(1).sum())


def test_the_two_means_differ_as_they_should():
    """A large object that is half found and a small one that is found: pooled pixels say one half, images three
    quarters."""
    target, predictions = torch.zeros(2, 100, 100).long(), torch.zeros(2, 100, 100).long()
    target[0, :80], predictions[0, :40] = 1, 1
    target[1, 0, 0], predictions[1, 0, 0] = 1, 1
    confusion = ConfusionMatrix(2)
    confusion.update(predictions, target)
    assert float(measured(predictions, target, 2).iou[1]) == 0.75
    assert float(confusion.scores().iou[1]) == pytest.approx(0.5, abs=1e-3)


def test_one_image_has_one_mean():
    target, predictions = torch.randint(0, 3, (1, 9, 9)), torch.randint(0, 3, (1, 9, 9))
    confusion = ConfusionMatrix(3)
    confusion.update(predictions, target)
    scores = measured(predictions, target, 3)
    assert scores.image_mean_iou == pytest.approx(confusion.scores().mean_iou)
    assert scores.image_mean_f1 == pytest.approx(confusion.scores().mean_f1)


def test_streams_merges_and_forgets():
    target, logits = torch.randint(0, 3, (5, 6, 7)), torch.randn(5, 3, 6, 7)
    whole, first, second = (PerImageIoU(3) for _ in range(3))
    whole.update(logits, target)
    first.update(logits[:2].argmax(1), target[:2])
    second.update(logits[2:], target[2:])
    assert (first + second).scores().image_mean_iou == pytest.approx(whole.scores().image_mean_iou)
    whole.reset()
    assert whole.scores().images == 0
    assert math.isnan(whole.scores().image_mean_iou)


def test_refuses():
    labels = torch.zeros(1, 4, 4).long()
    with pytest.raises(ValueError, match="target labels hold 16 pixels"):
        PerImageIoU(3).update(labels, labels + 3)
    with pytest.raises(ValueError, match=r"expected \(N, H, W\)"):
        PerImageIoU(3).update(labels[0], labels[0])
    with pytest.raises(ValueError, match="cannot add a PerImageIoU with num_classes=4"):
        PerImageIoU(3) + PerImageIoU(4)


def test_counting_stays_on_the_device_of_the_data():
    with FakeTensorMode(), torch.device("cuda"):
        metric = PerImageIoU(12)
        metric.update(torch.randn(2, 12, 33, 47), torch.zeros(2, 33, 47, dtype=torch.long))
        assert {kept.device.type for kept in metric._sums.values()} == {"cuda"}
