"""Calibration against a plain loop over bins in float64, and against data calibrated by construction."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.metrics import Calibration

VOID = 255


def measured(scores, target, classes, bins=15):
    metric = Calibration(classes, bins)
    metric.update(scores, target)
    return metric.scores()


@settings(max_examples=15)
@given(
    st.integers(1, 6),
    st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
    st.sampled_from([1, 10, 15]),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([torch.float64, torch.float32, torch.bfloat16]),
    st.integers(0, 2**31),
)
def test_equals_a_loop_over_bins(classes, shape, bins, void, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    scores = (3 * torch.randn(shape[0], classes, *shape[1:], generator=generator)).to(dtype)
    target = torch.randint(0, classes, shape, generator=generator)
    target[torch.rand(shape, generator=generator) < void] = VOID
    valid = target != VOID
    probabilities = scores.double().softmax(1).movedim(1, -1)[valid]
    truth = target[valid]
    confidence, called = probabilities.max(1)
    confidence = confidence.clamp(max=1)
    error, worst = 0.0, math.nan
    for b in range(bins):
        inside = (confidence * bins > b) & (confidence * bins <= b + 1)
        if inside.any():
            gap = abs(float((called == truth)[inside].double().mean() - confidence[inside].mean()))
            error, worst = error + gap * float(inside.double().mean()), max(gap, 0 if worst != worst else worst)
    result = measured(scores.contiguous(memory_format=torch.channels_last), target.to(torch.uint8), classes, bins)
    assert int(result.bin_pixels.sum()) == len(truth)
    if not len(truth):
        assert all(map(math.isnan, (result.expected_error, result.maximum_error, result.brier)))
        return
    close = {"rel": 1e-5, "abs": 1e-6}
    assert result.expected_error == pytest.approx(error, **close)
    assert result.maximum_error == pytest.approx(worst, **close)
    assert result.accuracy == pytest.approx(float((called == truth).double().mean()))
    assert result.confidence == pytest.approx(float(confidence.mean()), **close)
    brier = (probabilities - F.one_hot(truth, classes)).square().sum(1).mean()
    assert result.brier == pytest.approx(float(brier), **close)
    surprise = -probabilities.gather(1, truth[:, None]).log().mean()
    assert result.negative_log_likelihood == pytest.approx(float(surprise), **close)


def test_answers_right_as_often_as_they_say_have_no_error():
    """Confidence 3/4 and right three times in four; then the same answers with confidence near 1."""
    scores = torch.tensor([3.0, 1.0]).log().view(1, 2, 1, 1).expand(1, 2, 4, 100)
    target = (torch.arange(4) == 3).long().view(1, 4, 1).expand(1, 4, 100)
    calibrated, sure = measured(scores, target, 2), measured(30 * scores, target, 2)
    assert calibrated.expected_error == pytest.approx(0, abs=1e-7)
    assert calibrated.brier == pytest.approx(2 * 0.75 * 0.25)
    assert sure.expected_error == pytest.approx(0.25)
    assert sure.confidence - sure.accuracy == pytest.approx(0.25)
    assert sure.brier == pytest.approx(0.5)
    assert int(sure.bin_pixels[-1]) == 400


@pytest.mark.parametrize(
    ("classes", "bins", "expected"), [(1, 7, 6), (2, 2, 0), (2, 4, 1), (4, 4, 0), (5, 5, 0), (5, 15, 2)]
)
def test_a_bin_holds_its_upper_edge(classes, bins, expected):
    """Equal scores have a confidence of 1 / K, which lies on an edge of these bins."""
    result = measured(torch.zeros(1, classes, 1, 1), torch.zeros(1, 1, 1).long(), classes, bins)
    assert int(result.bin_pixels.argmax()) == expected


def test_the_order_of_pixels_and_batches_changes_no_bit_of_the_bins():
    scores, target = torch.randn(6, 4, 9, 11), torch.randint(0, 4, (6, 9, 11))
    whole, first, second = (Calibration(4) for _ in range(3))
    whole.update(scores, target)
    first.update(scores[3:].flip(2), target[3:].flip(1))
    second.update(scores[:3], target[:3])
    total = (first + second).scores()
    assert total.expected_error == whole.scores().expected_error
    assert torch.equal(total.bin_confidence.nan_to_num(), whole.scores().bin_confidence.nan_to_num())
    whole.reset()
    assert int(whole.scores().bin_pixels.sum()) == 0


def test_a_class_ruled_out_has_a_finite_score_where_it_is_not_the_truth():
    scores = torch.tensor([0.0, -math.inf]).view(1, 2, 1, 1)
    assert measured(scores, torch.zeros(1, 1, 1).long(), 2).negative_log_likelihood == 0
    assert measured(scores, torch.ones(1, 1, 1).long(), 2).negative_log_likelihood == math.inf


def test_unfit_input_is_refused_and_leaves_the_sums():
    metric, scores, labels = Calibration(3), torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2).long()
    with pytest.raises(ValueError, match="target labels hold 4 pixels"):
        metric.update(scores, labels + 3)
    with pytest.raises(ValueError, match="no probabilities at 4 pixels"):
        metric.update(scores * math.nan, labels)
    with pytest.raises(TypeError, match="labels have no confidence"):
        metric.update(labels, labels)
    with pytest.raises(ValueError, match=r"expected \(1, 3, 2, 2\)"):
        metric.update(torch.zeros(1, 4, 2, 2), labels)
    metric.update(scores * math.nan, labels + VOID)  # what lies in void may be anything
    assert int(metric.scores().bin_pixels.sum()) == 0
    with pytest.raises(ValueError, match="between 1 and 1000"):
        Calibration(3, bins=0)
    with pytest.raises(ValueError, match="cannot add a Calibration"):
        Calibration(3) + Calibration(3, bins=10)


def test_measuring_stays_on_the_device_of_the_data():
    with FakeTensorMode(), torch.device("cuda"):
        metric = Calibration(12)
        metric.update(torch.randn(2, 12, 33, 47), torch.zeros(2, 33, 47, dtype=torch.long))
        assert {kept.device.type for kept in metric._sums.values()} == {"cuda"}
