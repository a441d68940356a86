"""Ranking against exact measures in float64 with ties merged, and the bounds that rounding leaves."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.metrics import Ranking

VOID = 255


def exact(scores, positive):
    """AUROC, average precision and FPR at 95 % TPR, threshold by threshold from the highest score down."""
    thresholds = np.unique(scores)[::-1]
    found = np.array([(scores[positive] >= each).sum() for each in thresholds])
    false = np.array([(scores[~positive] >= each).sum() for each in thresholds])
    tpr, fpr = found / found[-1], false / max(false[-1], 1)
    trapezia = np.diff(fpr, prepend=0) * (tpr + np.concatenate([[0], tpr[:-1]])) / 2
    steps = np.diff(tpr, prepend=0) * found / (found + false)
    return trapezia.sum() if false[-1] else math.nan, steps.sum(), fpr[np.argmax(tpr >= 0.95)]


def measured(scores, target, bits=20):
    metric = Ranking(bits)
    metric.update(scores, target)
    return metric.scores()


@st.composite
def cases(draw):
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    pixels = draw(st.integers(2, 60))
    scores = torch.randn(pixels, generator=generator) * 10.0 ** draw(st.integers(-30, 30))
    scores = scores[torch.randint(0, draw(st.integers(1, pixels)), (pixels,), generator=generator)]  # ties
    target = (torch.rand(pixels, generator=generator) < 0.4).long()
    target[:2] = torch.tensor([0, 1])
    return scores, target


@given(cases(), st.sampled_from([10, 11, 14, 20]))
def test_exact_for_rounded_scores_and_bounded_for_the_scores_themselves(case, bits):
    scores, target = case
    result = measured(scores, target, bits)
    places = Ranking(bits)._place(scores)
    assert bool(((scores[:, None] < scores).int() <= (places[:, None] <= places).int()).all())
    values = result.auroc, result.average_precision, result.fpr_at_95_tpr
    rounded = exact(places.numpy(), target.numpy() == 1)
    np.testing.assert_allclose(values, rounded, rtol=1e-12, atol=1e-15)
    bounds = result.auroc_bounds, result.average_precision_bounds, result.fpr_at_95_tpr_bounds
    for value, (low, high) in zip(exact(scores.numpy(), target.numpy() == 1), bounds, strict=True):
        assert low - 1e-12 <= value <= high + 1e-12


def test_twenty_bits_lose_little():
    generator = torch.Generator().manual_seed(0)
    target = (torch.rand(4000, generator=generator) < 0.1).long()
    scores = torch.randn(4000, generator=generator) + 1.5 * target
    result = measured(scores, target)
    auroc, precision, false_alarms = exact(scores.numpy(), target.numpy() == 1)
    assert result.auroc == pytest.approx(auroc, abs=1e-4)
    assert result.average_precision == pytest.approx(precision, abs=2e-3)
    assert result.fpr_at_95_tpr == pytest.approx(false_alarms, abs=2e-3)
    assert result.auroc_bounds[1] - result.auroc_bounds[0] < 1e-3
    assert result.fpr_at_95_tpr_bounds[1] - result.fpr_at_95_tpr_bounds[0] < 2e-3


def test_closed_forms():
    scores, target = torch.tensor([4.0, 3.0, 2.0, 1.0]), torch.tensor([1, 0, 1, 0])
    result = measured(scores, target)
    assert (result.auroc, result.fpr_at_95_tpr) == (3 / 4, 1 / 2)
    assert result.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert (result.positives, result.negatives) == (2, 2)
    assert measured(torch.zeros(4), target).auroc == 1 / 2
    assert measured(torch.zeros(4), target).average_precision == 1 / 2  # the share of positives
    assert measured(torch.zeros(4), target).average_precision_bounds == (pytest.approx((1 / 3 + 2 / 4) / 2), 1)
    twenty = torch.arange(20.0).neg()
    one_missed = torch.cat([torch.ones(19), torch.zeros(1)]).long()
    assert (
        measured(
            torch.cat([twenty, torch.tensor([-50.0])]), torch.cat([one_missed, torch.ones(1).long()])
        ).fpr_at_95_tpr
        == 0
    )


def test_zero_has_one_sign_and_infinity_an_end():
    scores = torch.tensor([0.0, -0.0, math.inf, -math.inf, 1e38, -1e-40])
    places = Ranking()._place(scores)
    assert places[0] == places[1]
    assert places.argsort().tolist()[0] == 3
    assert int(places[2]) > int(places[4]) > int(places[0]) > int(places[5]) > int(places[3]) >= 0


def test_one_kind_alone():
    scores = torch.tensor([1.0, 2.0])
    negatives, positives = measured(scores, torch.tensor([0, 0])), measured(scores, torch.tensor([1, 1]))
    assert all(map(math.isnan, (negatives.auroc, negatives.average_precision, negatives.fpr_at_95_tpr)))
    assert positives.average_precision == 1
    assert all(map(math.isnan, (positives.auroc, positives.fpr_at_95_tpr)))
    nothing = measured(scores, torch.tensor([VOID, VOID]))
    assert all(map(math.isnan, (nothing.auroc, nothing.average_precision, nothing.fpr_at_95_tpr)))


@settings(max_examples=5)
@given(st.integers(0, 2**31), st.sampled_from([torch.bfloat16, torch.float16, torch.float64]))
def test_streams_merges_and_takes_maps_of_any_type(seed, dtype):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, 130, 131, generator=generator).to(dtype)
    target = torch.randint(0, 2, (3, 130, 131), generator=generator)
    target[:, :, :4] = VOID
    whole, first, second = (Ranking(16) for _ in range(3))
    whole.update(scores.transpose(1, 2), target.transpose(1, 2))
    first.update(scores[:1], target[:1].to(torch.uint8))
    second.update(scores[1:], target[1:])
    kept = target != VOID
    assert (first + second).scores() == whole.scores() == measured(scores[kept], target[kept], 16)
    whole.reset()
    assert whole.scores().positives == 0


def test_unfit_input_is_refused_and_leaves_the_counts():
    metric, scores, labels = Ranking(), torch.zeros(1, 2, 2), torch.zeros(1, 2, 2).long()
    with pytest.raises(ValueError, match=r"outside 0\.\.1"):
        metric.update(scores, labels + 2)
    with pytest.raises(ValueError, match="NaN at 4 pixels"):
        metric.update(scores * math.nan, labels)
    with pytest.raises(ValueError, match="one score for each label"):
        metric.update(scores[None], labels)
    with pytest.raises(TypeError, match="expected floating point scores"):
        metric.update(labels, labels)
    metric.update(scores * math.nan, labels + VOID)
    assert metric.scores().negatives == 0
    with pytest.raises(ValueError, match="between 10"):
        Ranking(bits=32)
    with pytest.raises(ValueError, match="cannot add a Ranking with bits=16"):
        Ranking() + Ranking(16)


def test_counting_stays_on_the_device_of_the_data():
    with FakeTensorMode(), torch.device("cuda"):
        metric = Ranking()
        metric.update(torch.randn(2, 33, 47), torch.zeros(2, 33, 47, dtype=torch.long))
        assert {kept.device.type for kept in metric._sums.values()} == {"cuda"}
