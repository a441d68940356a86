"""The confusion matrix against a plain loop and numpy; its scores against closed forms and identities."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision import tv_tensors

from segedu.metrics import ConfusionMatrix, Scores

VOID = 255


@st.composite
def label_pairs(draw, void=True):
    """Predictions, target and class count, with any share of void, absent classes and integer types."""
    classes = draw(st.integers(1, 6))
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    used = draw(st.integers(1, classes))
    predictions = torch.randint(0, used, shape, generator=generator)
    target = torch.randint(0, classes, shape, generator=generator)
    if void:
        target[torch.rand(shape, generator=generator) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = VOID
    dtypes = st.sampled_from([torch.uint8, torch.int16, torch.int32, torch.int64])
    return predictions.to(draw(dtypes)), target.to(draw(dtypes)), classes


def count(predictions, target, classes):
    confusion = ConfusionMatrix(classes)
    confusion.update(predictions, target)
    return confusion


@given(label_pairs())
def test_counts_equal_a_plain_loop(case):
    predictions, target, classes = case
    expected = torch.zeros(classes, classes, dtype=torch.int64)
    for called, truth in zip(predictions.flatten().tolist(), target.flatten().tolist(), strict=True):
        if truth != VOID:
            expected[truth, called] += 1
    matrix = count(predictions, target, classes).matrix
    assert matrix.dtype == torch.int64
    assert torch.equal(matrix, expected)


def test_counts_equal_numpy_over_several_chunks():
    generator = torch.Generator().manual_seed(0)
    predictions = torch.randint(0, 19, (3, 211, 307), generator=generator)
    target = torch.randint(0, 21, (3, 211, 307), generator=generator).where(torch.rand(3, 211, 307) < 0.9, 255)
    target[target > 18] = VOID
    kept = (target != VOID).numpy()
    keys = 19 * target.numpy()[kept] + predictions.numpy()[kept]
    expected = np.bincount(keys, minlength=19 * 19).reshape(19, 19)
    assert np.array_equal(count(predictions, target, 19).matrix.numpy(), expected)


@given(label_pairs(), st.sampled_from([torch.float32, torch.float64, torch.bfloat16]), st.booleans())
def test_scores_count_as_their_argmax(case, dtype, channels_last):
    _, target, classes = case
    logits = torch.randn(target.shape[0], classes, *target.shape[1:]).to(dtype)
    if channels_last:
        logits = logits.contiguous(memory_format=torch.channels_last)
    logits.requires_grad_()
    by_logits, by_labels = count(logits, target, classes), count(logits.argmax(1), target, classes)
    assert torch.equal(by_logits.matrix, by_labels.matrix)


@given(label_pairs(), st.randoms(use_true_random=False))
def test_batches_may_come_in_any_order_and_be_merged(case, random):
    predictions, target, classes = case
    whole = count(predictions, target, classes).matrix
    pieces = [count(p[None], t[None], classes) for p, t in zip(predictions, target, strict=True)]
    random.shuffle(pieces)
    assert torch.equal(sum(pieces, ConfusionMatrix(classes)).matrix, whole)


@given(label_pairs(), st.integers(0, 2**31))
def test_renaming_the_classes_permutes_the_matrix(case, seed):
    predictions, target, classes = case
    order = torch.randperm(classes, generator=torch.Generator().manual_seed(seed))
    renamed = order[target.long().clamp(max=classes - 1)].where(target != VOID, VOID)
    matrix = count(predictions, target, classes).matrix
    assert torch.equal(count(order[predictions.long()], renamed, classes).matrix[order][:, order], matrix)


@given(label_pairs())
def test_scores_obey_their_identities(case):
    predictions, target, classes = case
    confusion = count(predictions, target, classes)
    scores, matrix = confusion.scores(), confusion.matrix
    assert int(matrix.sum()) == int((target != VOID).sum())
    torch.testing.assert_close(scores.iou, scores.f1 / (2 - scores.f1), equal_nan=True)
    precise = 2 * scores.precision * scores.recall / (scores.precision + scores.recall)
    both = matrix.diagonal() > 0  # where either is undefined or both are zero the harmonic mean has no value
    torch.testing.assert_close(scores.f1[both], precise[both])
    swapped = Scores.of(matrix.T)
    torch.testing.assert_close(scores.precision, swapped.recall, equal_nan=True)
    torch.testing.assert_close(scores.iou, swapped.iou, equal_nan=True)
    if matrix.sum():
        weighted = float((scores.frequency * scores.recall.nan_to_num()).sum())
        assert scores.pixel_accuracy == pytest.approx(weighted)
        assert scores.frequency_weighted_iou <= scores.pixel_accuracy + 1e-12


def test_scores_by_hand():
    # 10 pixels of class 0 (8 found), 4 of class 1 (3 found), class 2 only predicted (1), class 3 nowhere.
    scores = Scores.of(torch.tensor([[8, 1, 1, 0], [1, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]))
    assert scores.pixel_accuracy == pytest.approx(11 / 14)
    assert scores.mean_accuracy == pytest.approx((8 / 10 + 3 / 4) / 2)
    assert scores.mean_iou == pytest.approx((8 / 11 + 3 / 5 + 0) / 3)
    assert scores.mean_f1 == pytest.approx((16 / 19 + 3 / 4 + 0) / 3)
    assert scores.frequency_weighted_iou == pytest.approx((10 * 8 / 11 + 4 * 3 / 5) / 14)
    by_chance = (10 * 9 + 4 * 4) / 14**2
    assert scores.kappa == pytest.approx((11 / 14 - by_chance) / (1 - by_chance))
    nan = math.nan
    torch.testing.assert_close(scores.precision, torch.tensor([8 / 9, 3 / 4, 0, nan]).double(), equal_nan=True)
    torch.testing.assert_close(scores.recall, torch.tensor([8 / 10, 3 / 4, nan, nan]).double(), equal_nan=True)
    torch.testing.assert_close(scores.specificity, torch.tensor([3 / 4, 9 / 10, 13 / 14, 1]).double())
    torch.testing.assert_close(scores.f1, torch.tensor([16 / 19, 3 / 4, 0, nan]).double(), equal_nan=True)
    torch.testing.assert_close(scores.iou, torch.tensor([8 / 11, 3 / 5, 0, nan]).double(), equal_nan=True)


def test_a_constant_answer_has_a_high_accuracy_and_no_kappa():
    scores = Scores.of(torch.tensor([[99, 0], [1, 0]]))
    assert (scores.pixel_accuracy, scores.mean_accuracy, scores.kappa) == (0.99, 0.5, 0)


def test_nothing_valid_is_nan():
    scores = count(torch.zeros(1, 2, 2, dtype=torch.long), torch.full((1, 2, 2), VOID), 3).scores()
    values = (scores.pixel_accuracy, scores.mean_accuracy, scores.mean_iou, scores.mean_f1, scores.kappa)
    assert all(map(math.isnan, values))


def test_counts_do_not_round_where_float32_would():
    confusion = ConfusionMatrix(2)
    ones = torch.ones(1, 1, 1, dtype=torch.long)
    confusion.update(ones, ones)
    total = confusion
    for _ in range(25):
        total = total + total
    assert int((total + confusion).matrix[1, 1]) == 2**25 + 1


def test_a_class_can_be_ignored():
    confusion = ConfusionMatrix(3, ignore_index=0)
    confusion.update(torch.tensor([[0, 1, 2]]), torch.tensor([[0, 0, 2]]))
    assert confusion.matrix.sum() == 1
    assert confusion.matrix[2, 2] == 1


@pytest.mark.parametrize(
    ("predictions", "target", "words"),
    [
        ([[0, 1]], [[3, 0]], "target labels hold 1 pixels"),
        ([[0, 1]], [[-1, -7]], "target labels hold 2 pixels"),
        ([[4, 1]], [[0, 0]], "predictions hold 1 pixels"),
        ([[-1, 1]], [[0, 0]], "predictions hold 1 pixels"),
    ],
)
def test_a_label_that_is_no_class_is_refused_and_leaves_the_counts(predictions, target, words):
    confusion = count(torch.tensor([[1]]), torch.tensor([[1]]), 3)
    with pytest.raises(ValueError, match=words):
        confusion.update(torch.tensor(predictions), torch.tensor(target))
    assert confusion.matrix.sum() == 1


def test_predictions_inside_void_may_be_anything():
    assert count(torch.tensor([[77]]), torch.tensor([[VOID]]), 3).matrix.sum() == 0


@pytest.mark.parametrize(
    ("predictions", "target", "error", "words"),
    [
        (torch.zeros(1, 2, 2).long(), torch.zeros(1, 2, 2), TypeError, "target has dtype torch.float32"),
        (torch.zeros(1, 2, 2).bool(), torch.zeros(1, 2, 2).long(), TypeError, "predictions have dtype torch.bool"),
        (torch.zeros(1, 2, 3).long(), torch.zeros(1, 2, 2).long(), ValueError, "shape of the target"),
        (torch.zeros(1, 4, 2, 2), torch.zeros(1, 2, 2).long(), ValueError, r"expected \(1, 3, 2, 2\)"),
        (torch.zeros(1, 3, 1, 1), torch.zeros(1, 2, 2).long(), ValueError, "resize the scores"),
    ],
)
def test_unfit_input_is_refused(predictions, target, error, words):
    with pytest.raises(error, match=words):
        count(predictions, target, 3)


def test_matrices_that_do_not_fit_are_not_added():
    with pytest.raises(ValueError, match="both need the same"):
        ConfusionMatrix(3) + ConfusionMatrix(4)
    with pytest.raises(ValueError, match="expected at least 1"):
        ConfusionMatrix(0)


def test_it_takes_masks_and_forgets():
    confusion = count(torch.zeros(2, 2).long(), tv_tensors.Mask(torch.zeros(2, 2).long()), 2)
    assert type(confusion.matrix) is torch.Tensor
    confusion.reset()
    assert confusion.matrix.sum() == 0


def test_table_names_each_class_and_each_mean():
    confusion = count(torch.tensor([[0, 1, 1, 1]]), torch.tensor([[0, 0, 1, 1]]), 3)
    lines = confusion.table(("Sky", "Road", "Car"), boundary_F1=torch.tensor([0.25, 1.0, math.nan])).splitlines()
    assert lines[0].split() == ["class", "pixels", "precision", "recall", "F1", "IoU", "boundary", "F1"]
    assert lines[1].split() == ["Sky", "50.00", "100.00", "50.00", "66.67", "50.00", "25.00"]
    assert lines[3].split() == ["Car", "0.00", "-", "-", "-", "-", "-"]
    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[5].split() == ["mean", "IoU", "58.33"]
    with pytest.raises(ValueError, match="names 2 classes, but 3 were counted"):
        confusion.table(("Sky", "Road"))


def test_counting_stays_on_the_device_of_the_data():
    with FakeTensorMode(), torch.device("cuda"):
        confusion = ConfusionMatrix(12)
        confusion.update(torch.randn(2, 12, 33, 47), torch.zeros(2, 33, 47, dtype=torch.long))
        confusion.update(torch.zeros(2, 33, 47, dtype=torch.uint8), torch.zeros(2, 33, 47, dtype=torch.long))
        assert confusion._sums["pairs"].device.type == "cuda"


def test_counts_follow_the_data_unless_told_otherwise():
    with FakeTensorMode():
        labels = torch.zeros(1, 4, 4, dtype=torch.long, device="cuda")
        following, staying = ConfusionMatrix(3), ConfusionMatrix(3, device="cpu")
        following.update(labels, labels)
        staying.update(labels, labels)
        assert following._sums["pairs"].device.type == "cuda"
        assert staying._sums["pairs"].device.type == "cpu"
        with pytest.raises(ValueError, match="move one to the other"):
            following.update(labels.cpu(), labels)


def test_one_process_has_nothing_to_add():
    assert count(torch.tensor([[1]]), torch.tensor([[1]]), 2).all_reduce().matrix.sum() == 1
