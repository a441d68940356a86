"""Void pixels: found where the labels can hold the ignore index, and nowhere else."""

import pytest
import torch

from segedu.labels import is_void
from segedu.losses import binary_cross_entropy
from segedu.metrics import (
    BoundaryF1,
    BoundaryIoU,
    Calibration,
    ConfusionMatrix,
    InstanceCounts,
    PerImageIoU,
    Ranking,
    TrimapIoU,
)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
@pytest.mark.parametrize("ignore_index", [255, 0, -1, -100, 1000, 70_000, -(2**40)])
def test_as_python_compares(dtype, ignore_index):
    labels = torch.arange(256).to(dtype).view(4, 64)
    assert is_void(labels, ignore_index).tolist() == [
        [label == ignore_index for label in row] for row in labels.tolist()
    ]


METRICS = [
    ConfusionMatrix(200, -100),
    PerImageIoU(200, -100),
    BoundaryF1(200, ignore_index=-100),
    BoundaryIoU(200, ignore_index=-100),
    TrimapIoU(200, (1, 2), -100),
    Calibration(200, ignore_index=-100),
    InstanceCounts(156, ignore_index=-100),
    Ranking(ignore_index=-255),
]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: type(metric).__name__)
def test_a_byte_is_not_taken_for_void_that_it_cannot_hold(metric):
    generator = torch.Generator().manual_seed(0)
    if isinstance(metric, Ranking):  # the byte of -255 is 1
        predictions, target = (
            torch.rand(2, 8, 9, generator=generator),
            torch.randint(0, 2, (2, 8, 9), generator=generator),
        )
    else:  # that of -100 is 156
        predictions = torch.randn(2, 200, 8, 9, generator=generator)
        target = torch.randint(155, 158, (2, 8, 9), generator=generator)
    found = []
    for labels in (target, target.to(torch.uint8)):
        metric.reset()
        metric.update(predictions, labels)
        found.append(numbers_in(metric.scores()))
    torch.testing.assert_close(*found, rtol=0, atol=0, equal_nan=True)


def numbers_in(scores):
    """All that scores hold, also those of each width of a trimap."""
    if isinstance(scores, dict):
        return [numbers_in(each) for each in scores.values()]
    return list(vars(scores).values())


def test_a_binary_loss_refuses_a_byte_that_is_neither_class_nor_void():
    target = torch.tensor([[[0, 1, 255]]], dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"class 255.*ignore_index=-1"):
        binary_cross_entropy(torch.zeros(1, 1, 3), target, ignore_index=-1)
