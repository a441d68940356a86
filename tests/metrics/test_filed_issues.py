"""What users of other libraries filed, and what was measured of them: each that concerns a metric is a test here."""

import pytest
import torch

from segedu.metrics import BoundaryIoU, ConfusionMatrix, PerImageIoU
from segedu.profile import peak_memory


def scored(metric, predictions, labels):
    metric.update(predictions, labels)
    return metric.scores()


def test_torchmetrics_2866_2558_2747_void_of_255_is_counted_nowhere():
    labels = torch.tensor([[[0, 1, 255, 255]]])
    predictions = torch.tensor([[[0, 1, 0, 1]]])
    assert scored(ConfusionMatrix(2), predictions, labels).mean_iou == 1
    assert scored(PerImageIoU(2), predictions, labels).image_mean_iou == 1
    assert scored(BoundaryIoU(2), predictions, labels).mean_iou == 1


def test_torchmetrics_2441_a_mean_does_not_divide_by_a_class_that_is_nowhere():
    labels = torch.tensor([[[0, 0, 1, 1]]])
    scores = scored(ConfusionMatrix(5), labels, labels)
    assert scores.mean_iou == scores.mean_f1 == scores.mean_accuracy == 1
    assert scores.iou[2:].isnan().all()


def test_torchmetrics_312_what_is_predicted_at_void_leaves_the_union():
    labels, predictions = torch.tensor([[[1, 1, 255]]]), torch.tensor([[[1, 1, 1]]])
    assert scored(ConfusionMatrix(2), predictions, labels).iou[1] == 1


def test_torchmetrics_708_counts_beyond_what_float32_can_hold():
    metric = ConfusionMatrix(2)
    one = torch.zeros(1, 1, 1, dtype=torch.int64)
    metric.update(one, one)
    for _ in range(25):
        metric = metric + metric
    metric.update(one, one)
    assert metric.matrix[0, 0] == 2**25 + 1


def test_m9_torchmetrics_880_deterministic_mode_counts_in_the_same_memory():
    labels = torch.randint(0, 19, (1, 200, 200))
    usual = peak_memory(lambda: ConfusionMatrix(19).update(labels, labels), torch.device("cpu"))
    torch.use_deterministic_algorithms(True)
    try:
        metric = ConfusionMatrix(19)
        strict = peak_memory(lambda: metric.update(labels, labels), torch.device("cpu"))
    finally:
        torch.use_deterministic_algorithms(False)
    assert strict < 2 * usual + 2**20  # a mesh of pixels and pairs of classes would take 100 MiB
    assert metric.matrix.diagonal().sum() == labels.numel()


def test_m10_the_mean_over_images_and_the_pooled_one_have_their_names():
    labels = torch.tensor([[[1, 0, 0, 0]], [[1, 1, 1, 1]]])
    predictions = torch.tensor([[[0, 0, 0, 0]], [[1, 1, 1, 1]]])
    pooled, by_image = (scored(metric, predictions, labels) for metric in (ConfusionMatrix(2), PerImageIoU(2)))
    assert pooled.mean_iou == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert by_image.image_mean_iou == pytest.approx(((3 / 4 + 0) / 2 + 1) / 2)
    assert by_image.pair_mean_iou == pytest.approx((3 / 4 + 0 + 1) / 3)


def test_monai_7504_a_class_in_neither_map_is_no_zero():
    blank = torch.zeros(1, 4, 4, dtype=torch.int64)
    scores = scored(PerImageIoU(2), blank, blank)
    assert scores.image_mean_iou == scores.image_mean_f1 == 1
    assert scores.f1[1].isnan()


def test_vision_7704_gaussian_grouping_62_boundary_iou_of_a_thin_mask_is_its_iou():
    labels, predictions = torch.zeros(2, 1, 64, 64, dtype=torch.int64)
    labels[:, 20:22], predictions[:, 21:23] = 1, 1
    thin = scored(BoundaryIoU(2), predictions, labels).iou[1]
    assert thin == scored(ConfusionMatrix(2), predictions, labels).iou[1]


def test_simpleitk_455_the_frame_of_the_picture_is_a_boundary():
    labels = torch.ones(1, 40, 40, dtype=torch.int64)
    hollow = labels.clone()
    hollow[:, 10:30, 10:30] = 0  # far from the frame, so the rims along it agree
    scores = scored(BoundaryIoU(2, dilation_ratio=0.02), hollow, labels)
    assert 0 < scores.iou[1] < 1
