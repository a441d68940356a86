"""Class weights and sums of losses."""

import pytest
import torch

from segedu.losses import (
    CrossEntropy,
    WeightedSum,
    cross_entropy,
    cross_entropy_sums,
    focal_loss,
    inverse_frequency_weights,
    median_frequency_weights,
)
from segedu.train.objective import sums_of


def test_the_median_is_over_the_classes_kwotsin_26():
    """TensorFlow-ENet#26 took it over the images. A class that never occurs weighs nothing."""
    weights = median_frequency_weights(torch.tensor([10, 40, 0, 5]), torch.tensor([100, 100, 0, 20]))
    torch.testing.assert_close(weights, torch.tensor([2.5, 0.625, 0, 1.0]))
    with pytest.raises(ValueError, match=r"give both \(K,\)"):
        median_frequency_weights(torch.ones(3), torch.ones(2))


def test_inverse_frequencies_give_each_class_the_same_say():
    pixels = torch.tensor([10, 40, 0, 50])
    shares = inverse_frequency_weights(pixels) * pixels
    torch.testing.assert_close(shares, torch.tensor([100 / 3, 100 / 3, 0, 100 / 3]))
    with pytest.raises(ValueError, match="give a count for each class"):
        inverse_frequency_weights(torch.ones(2, 2))


def test_a_sum_says_what_its_parts_said():
    logits, target = torch.randn(2, 3, 4, 5, requires_grad=True), torch.randint(0, 3, (2, 4, 5))
    loss = WeightedSum({"ce": (1.0, CrossEntropy()), "sums": (2, cross_entropy_sums), "focal": (0.5, focal_loss)})
    expected = 3 * cross_entropy(logits, target) + 0.5 * focal_loss(logits, target)
    total = loss(logits, target)
    torch.testing.assert_close(total, expected)
    assert list(loss.parts) == ["ce", "sums", "focal"]
    assert not any(part.requires_grad for part in loss.parts.values())
    torch.testing.assert_close(loss.parts["focal"], focal_loss(logits, target).detach())
    totals, weight = sums_of(loss, logits, target)
    torch.testing.assert_close(totals / weight, expected)
    compiled = torch.compile(loss, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(logits, target), expected)


@pytest.mark.parametrize(
    ("losses", "error", "words"),
    [
        ({}, ValueError, "losses is empty"),
        ({"ce": CrossEntropy()}, TypeError, r"losses\['ce'\] is CrossEntropy"),
        ({"ce": (1.0, CrossEntropy(reduction="none"))}, TypeError, "a sum needs scalars"),
    ],
)
def test_a_sum_of_what_is_no_scalar_is_refused(losses, error, words):
    with pytest.raises(error, match=words):
        WeightedSum(losses)(torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64))
