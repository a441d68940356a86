"""Boundary F1 against exact Euclidean distances from scipy, and against pictures whose score is known by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.metrics import BoundaryF1
from segedu.metrics.contours import spread, squared_reach

VOID = 255


def contour_by_loop(mask, valid):
    height, width = mask.shape
    edge = np.zeros_like(mask)
    for y, x in np.argwhere(mask & valid):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < height and 0 <= u < width and valid[v, u] and not mask[v, u]:
                edge[y, x] = True
    return edge


def share_near(own, other, reach):
    if not own.any() or not other.any():
        return 0.0
    return float((distance_transform_edt(~other)[own] <= reach + 1e-9).mean())


def oracle(predictions, target, classes, tolerance):
    """The definition, class by class, with distance transforms."""
    images, per_class = [], [[] for _ in range(classes)]
    for called, truth in zip(predictions.numpy(), target.numpy(), strict=True):
        valid, scores = truth != VOID, []
        reach = tolerance * math.hypot(*truth.shape)
        for c in range(classes):
            found, true = contour_by_loop(called == c, valid), contour_by_loop(truth == c, valid)
            if (truth == c).any() and (found.any() or true.any()):
                precision, recall = share_near(found, true, reach), share_near(true, found, reach)
                scores.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
                per_class[c].append(scores[-1])
        if scores:
            images.append(np.mean(scores))
    return np.mean(images) if images else math.nan, [np.mean(f1) if f1 else math.nan for f1 in per_class], len(images)


@given(
    st.integers(1, 5),
    st.tuples(st.integers(1, 3), st.integers(1, 14), st.integers(1, 14)),
    st.sampled_from([0.0, 0.0075, 0.06, 0.2, 1.0]),
    st.sampled_from([0.0, 0.2, 1.0]),
    st.integers(0, 2**31),
)
def test_equals_distance_transforms(classes, shape, tolerance, void, seed):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, classes, shape, generator=generator)
    predictions = torch.where(torch.rand(shape, generator=generator) < 0.3, target.flip(0, 2), target)
    target[torch.rand(shape, generator=generator) < void] = VOID
    metric = BoundaryF1(classes, tolerance)
    metric.update(predictions, target)
    scores = metric.scores()
    mean, per_class, images = oracle(predictions, target, classes, tolerance)
    assert scores.images == images
    np.testing.assert_allclose(scores.mean_f1, mean, rtol=1e-12)
    np.testing.assert_allclose(scores.f1.numpy(), per_class, rtol=1e-12)


@pytest.mark.parametrize("classes", [15, 16, 31, 32, 63, 64, 130, 300])
def test_classes_beyond_a_word_of_bits(classes):
    generator = torch.Generator().manual_seed(classes)
    target = torch.randint(0, classes, (2, 11, 13), generator=generator)
    target[:, 3:8, 3:8] = classes - 1
    predictions = target.roll(1, 2)
    metric = BoundaryF1(classes, 0.1, ignore_index=-1)
    metric.update(predictions, target)
    mean, per_class, _ = oracle(predictions, target, classes, 0.1)
    np.testing.assert_allclose(metric.scores().mean_f1, mean, rtol=1e-12)
    np.testing.assert_allclose(metric.scores().f1.numpy(), per_class, rtol=1e-12)


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 9))
def test_spread_reaches_exactly_the_disc(reach, height, width):
    words = torch.zeros(1, height, width, dtype=torch.int16)
    words[0, height // 2, width // 3] = 4
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    inside = (y - height // 2) ** 2 + (x - width // 3) ** 2 <= reach
    assert torch.equal(spread(words, reach)[0], 4 * inside.to(torch.int16))


def edge_at(column, shape=(1, 360, 480)):
    """Class 0 left of a column, class 1 from it on."""
    return (torch.arange(shape[2]) >= column).long().expand(shape)


def test_the_tolerance_is_a_share_of_the_diagonal():
    assert squared_reach(0.0075, 360, 480) == 20  # 4.5 px, squared and cut to a whole number
    assert squared_reach(0.0075, 480, 640) == 36  # exactly 6 px: a pixel that far away still matches
    for shift, expected in ((0, 1.0), (4, 1.0), (5, 0.0)):
        metric = BoundaryF1(2)
        metric.update(edge_at(100 + shift), edge_at(100))
        assert metric.scores().mean_f1 == expected


def test_a_whole_number_of_pixels_is_not_lost_to_rounding():
    """0.7 of a diagonal of 10 is 7 pixels, though ``0.7**2 * 100`` is a little less than 49 in floating point."""
    assert squared_reach(0.7, 6, 8) == 49
    assert squared_reach(0.018, 300, 400) == 81


def test_half_a_contour_has_the_f1_of_its_shares():
    target = edge_at(8, (1, 16, 16)).clone()
    predictions = target.clone()
    predictions[:, 8:] = 0  # the lower half of class 1 is missed, and a false edge of 8 pixels a side runs beneath it
    metric = BoundaryF1(2, tolerance=0)
    metric.update(predictions, target)
    mean, per_class, _ = oracle(predictions, target, 2, 0)
    # Class 1: 15 predicted contour pixels of which 8 are true, 16 true ones of which 8 are found.
    precision, recall = 8 / 15, 8 / 16
    assert float(metric.scores().f1[1]) == pytest.approx(2 * precision * recall / (precision + recall))
    np.testing.assert_allclose(metric.scores().f1.numpy(), per_class)
    assert metric.scores().mean_f1 == pytest.approx(mean)


def test_what_is_predicted_in_void_counts_nowhere():
    target = edge_at(8, (1, 16, 16)).clone()
    target[:, :, 8:12] = VOID
    clean, noisy = edge_at(8, (1, 16, 16)), edge_at(8, (1, 16, 16)).clone()
    noisy[:, 2:9, 8:12] = 0
    results = []
    for predictions in (clean, noisy):
        metric = BoundaryF1(2)
        metric.update(predictions, target)
        results.append(metric.scores())
    # The truth has no contour left: its two classes meet only across void.
    assert [result.images for result in results] == [0, 0]
    assert all(math.isnan(result.mean_f1) for result in results)


def test_a_missed_class_scores_zero_and_an_invented_one_costs_its_surroundings():
    target = torch.zeros(1, 12, 12).long()
    target[:, 2:5, 2:5] = 1
    missed = BoundaryF1(3, tolerance=0)
    missed.update(torch.zeros_like(target), target)
    assert missed.scores().f1[:2].tolist() == [0, 0]
    invented = BoundaryF1(3, tolerance=0)
    predictions = target.clone()
    predictions[:, 8:10, 8:10] = 2
    invented.update(predictions, target)
    f1 = invented.scores().f1
    assert f1[1] == 1
    assert 0 < f1[0] < 1
    assert math.isnan(f1[2])


@given(st.integers(0, 2**31))
def test_streaming_merging_and_scores_agree(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(4, 3, 9, 10, generator=generator)
    target = torch.randint(0, 3, (4, 9, 10), generator=generator)
    whole, first, second = BoundaryF1(3, 0.1), BoundaryF1(3, 0.1), BoundaryF1(3, 0.1)
    whole.update(logits, target)
    first.update(logits[:1].argmax(1).to(torch.uint8), target[:1].to(torch.uint8))
    second.update(logits[1:].contiguous(memory_format=torch.channels_last), target[1:])
    torch.testing.assert_close((second + first).scores().f1, whole.scores().f1)
    assert (first + second).scores().mean_f1 == pytest.approx(whole.scores().mean_f1)


@pytest.mark.parametrize(
    ("predictions", "target", "words"),
    [
        (torch.zeros(1, 2, 2).long(), torch.full((1, 2, 2), 3), "hold 4 pixels whose label is outside 0..2"),
        (torch.full((1, 2, 2), -1), torch.zeros(1, 2, 2).long(), "hold 4 pixels"),
        (torch.zeros(2, 2).long(), torch.zeros(2, 2).long(), r"expected \(N, H, W\)"),
    ],
)
def test_unfit_input_is_refused(predictions, target, words):
    metric = BoundaryF1(3)
    with pytest.raises(ValueError, match=words):
        metric.update(predictions, target)
    assert metric.scores().images == 0


def test_unfit_settings_are_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        BoundaryF1(3, tolerance=4.5)
    with pytest.raises(ValueError, match="cannot add"):
        BoundaryF1(3) + BoundaryF1(4)


def test_reset_forgets():
    metric = BoundaryF1(2)
    metric.update(edge_at(4, (1, 8, 8)), edge_at(4, (1, 8, 8)))
    assert metric.scores().images == 1
    metric.reset()
    assert metric.scores().images == 0


def test_measuring_stays_on_the_device_of_the_data():
    with FakeTensorMode(), torch.device("cuda"):
        metric = BoundaryF1(12)
        metric.update(torch.randn(2, 12, 33, 47), torch.zeros(2, 33, 47, dtype=torch.long))
        assert metric._sums["f1"].device.type == "cuda"
        assert metric._sums["strays"].device.type == "cuda"
