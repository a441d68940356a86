"""The exercises of lesson 07 as learners answer them: a hint follows what the code does, however it is written."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from segedu import losses as library
from segedu.classroom.exercises import losses
from segedu.metrics import ConfusionMatrix


def draws(seed):
    return torch.Generator().manual_seed(seed)


# Soft Dice


def with_numpy(probability, labels):
    valid = labels.numpy() != 255
    p, t = probability.numpy()[valid], labels.numpy()[valid]
    return 1 - 2 * np.dot(p, t) / (p.sum() + t.sum())


def by_means(probability, labels):
    valid = labels != 255
    p, t = probability[valid], labels[valid].float()
    return 1 - 2 * (p * t).mean() / (p.mean() + t.mean())


def pixel_after_pixel(probability, labels):
    shared = sizes = 0.0
    for p, t in zip(probability.flatten().tolist(), labels.flatten().tolist(), strict=True):
        if t != 255:
            shared += p * t
            sizes += p + t
    return 1 - 2 * shared / sizes


@pytest.mark.parametrize("answer", [with_numpy, by_means, pixel_after_pixel])
def test_right_dice_losses_pass_however_written(answer):
    assert losses.dice_loss.check(answer).status == "right"


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999))
def test_the_solution_is_the_package_s_dice(seed):
    logits = torch.randn(2, 5, 7, generator=draws(seed))
    labels = torch.tensor([0, 1, 255])[torch.randint(0, 3, (2, 5, 7), generator=draws(seed + 1))]
    labels[0, 0, 0] = 1
    mine = losses.dice_loss.solution(logits.sigmoid(), labels)
    torch.testing.assert_close(mine, library.binary_dice_loss(logits, labels))


def masked(probability, labels, factor=2.0, smooth=0.0):
    valid = labels != 255
    p, t = probability[valid], labels[valid].float()
    return 1 - (factor * (p * t).sum() + smooth) / (p.sum() + t.sum() + smooth)


def image_by_image(probability, labels):
    return sum(masked(p, t) for p, t in zip(probability, labels, strict=True)) / len(labels)


def vnet(probability, labels):
    valid = labels != 255
    p, t = probability[valid], labels[valid]
    return 1 - 2 * (p * t).sum() / ((p**2).sum() + (t**2).sum())


def predicts_void(probability, labels):
    t = torch.where(labels == 255, 0, labels)
    return 1 - 2 * (probability * t).sum() / (probability.sum() + t.sum())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda p, t: masked(p, t, factor=1.0), "the factor 2 is missing"),
        (lambda p, t: 1 - 1 / (2 / (1 - masked(p, t)) - 1), "this is the Jaccard loss"),
        (lambda p, t: 1 - masked(p, t), "this is the coefficient itself"),
        (lambda p, t: masked(p, t) - 1, "right but for the 1"),
        (lambda p, t: masked(p, t, smooth=1.0), "1 is added above and below"),
        (lambda p, t: masked(p.round(), t), "rounded to 0 and 1 first"),
        (lambda p, t: 1 - F.cosine_similarity(p[t < 255], t[t < 255].float(), 0), "; it should be "),
        (lambda p, t: 1 - (p * t)[t < 255].sum() / p[t < 255].sum(), "1 - precision"),
        (lambda p, t: 1 - p[t == 1].mean(), "1 - recall"),
        (vnet, "the denominator has squares"),
        (predicts_void, "void counts"),
        (lambda p, t: 1 - 2 * (p * t).sum() / (p + t).sum(), "each void pixel counts as 255"),
        (lambda p, t: masked(p, (t != 0).long()), "void is taken for foreground"),
        (image_by_image, "Pool the batch: sum first"),
        (lambda p, t: [masked(*one) for one in zip(p, t, strict=True)], "return one number"),
        (lambda p, t: torch.stack([masked(*one) for one in zip(p, t, strict=True)]), "the function returns (3,) of"),
        (lambda p, t: masked(p, t) * torch.nan, "not a number (NaN)"),
        (lambda p, t: "0.5", "return one number; the function returns '0.5'."),
    ],
)
def test_wrong_dice_losses_get_their_hint_however_written(answer, words):
    assert words in losses.dice_loss.check(answer).hint


# Focal loss


def through_the_softmax(logits, labels, gamma):
    valid = labels != 255
    p = logits.softmax(1).movedim(1, -1)[valid].gather(1, labels[valid][:, None])[:, 0]
    return (-((1 - p) ** gamma) * p.log()).mean()


def with_one_hot(logits, labels, gamma):
    valid = labels != 255
    spelt = F.one_hot(labels.where(valid, 0), logits.shape[1]).movedim(-1, 1) * valid[:, None]
    log_p = (logits.log_softmax(1) * spelt).sum(1)
    return -((1 - log_p.exp()) ** gamma * log_p)[valid].mean()


def from_the_cross_entropy(logits, labels, gamma):
    surprise = F.cross_entropy(logits, labels, ignore_index=255, reduction="none")[labels != 255]
    return (-torch.expm1(-surprise)).pow(gamma).mul(surprise).mean().item()


@pytest.mark.parametrize("answer", [through_the_softmax, with_one_hot, from_the_cross_entropy])
def test_right_focal_losses_pass_however_written(answer):
    assert losses.focal_loss.check(answer).status == "right"


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999), gamma=st.floats(0, 5))
def test_the_solution_is_the_package_s_focal_loss(seed, gamma):
    logits = 3 * torch.randn(2, 4, 3, 5, generator=draws(seed))
    labels = torch.randint(0, 4, (2, 3, 5), generator=draws(seed + 1))
    labels[0, :, 0] = 255
    mine = losses.focal_loss.solution(logits, labels, gamma)
    torch.testing.assert_close(mine, library.focal_loss(logits, labels, gamma=gamma))


def loss_of_a_loss(logits, labels, gamma):
    loss = F.cross_entropy(logits, labels, ignore_index=255)
    return (1 - torch.exp(-loss)) ** gamma * loss


def mean_over_everything(logits, labels, gamma):
    loss = F.cross_entropy(logits, labels, ignore_index=255, reduction="none")
    return ((1 - torch.exp(-loss)) ** gamma * loss).mean()


def mean_over_one_hot(logits, labels, gamma):
    p = logits.softmax(1)
    spelt = torch.stack([labels == k for k in range(logits.shape[1])], 1)
    return (-((1 - p) ** gamma) * p.log() * spelt)[(labels != 255)[:, None].expand_as(p)].mean()


def inverted(logits, labels, gamma):
    valid = labels != 255
    p = logits.softmax(1).movedim(1, -1)[valid].gather(1, labels[valid][:, None])
    return -(p**gamma * p.log()).mean()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (inverted, "the weight is upside down"),
        (lambda x, t, gamma: -through_the_softmax(x, t, gamma), "the sign is missing"),
        (lambda x, t, gamma: F.cross_entropy(x, t, ignore_index=255), "this is the cross entropy"),
        (lambda x, t, gamma: gamma * through_the_softmax(x, t, 1), "gamma multiplies"),
        (loss_of_a_loss, "one factor is made from the mean"),
        (mean_over_everything, "divided by all pixels, void among them"),
        (mean_over_one_hot, "runs over the classes as well"),
        (lambda x, t, gamma: through_the_softmax(x, t.where(t != 255, 0), gamma), "void is taken for class 0"),
        (lambda x, t, gamma: through_the_softmax(x, t, gamma) * (t != 255).sum(), "this is the sum"),
        (lambda x, t, gamma: 0.25 * through_the_softmax(x, t, gamma), "multiplied by 0.25"),
        (lambda x, t, gamma: through_the_softmax(x.sigmoid(), t, gamma), "; it should be "),
        (lambda x, t, gamma: F.cross_entropy(x, t), "your code stopped"),
    ],
)
def test_wrong_focal_losses_get_their_hint_however_written(answer, words):
    assert words in losses.focal_loss.check(answer).hint


# Mean IoU


def from_a_confusion_matrix(predicted, labels, num_classes):
    valid = labels != 255
    pairs = num_classes * labels[valid] + predicted[valid]
    counts = torch.bincount(pairs, minlength=num_classes**2).view(num_classes, num_classes)
    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    return (counts.diagonal() / union)[union > 0].mean()


def with_sets(predicted, labels, num_classes):
    valid = labels.numpy() != 255
    scores = []
    for k in range(num_classes):
        called, true = (predicted.numpy() == k) & valid, labels.numpy() == k
        if (called | true).any():
            scores.append((called & true).sum() / (called | true).sum())
    return float(np.mean(scores))


@pytest.mark.parametrize("answer", [from_a_confusion_matrix, with_sets])
def test_right_mean_ious_pass_however_written(answer):
    assert losses.mean_iou.check(answer).status == "right"


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999), classes=st.integers(1, 6))
def test_the_solution_is_the_package_s_mean_iou(seed, classes):
    predicted, labels = torch.randint(0, classes, (2, 2, 5, 6), generator=draws(seed))
    labels[:, 1] = 255
    counts = ConfusionMatrix(classes)
    counts.update(predicted, labels)
    mine = losses.mean_iou.solution(predicted, labels, classes)
    assert float(mine) == pytest.approx(counts.scores().mean_iou)


def by_sets(
    predicted, labels, num_classes, *, valid=None, empty=None, quotient=lambda both, either, p, t: both / either
):
    valid = labels != 255 if valid is None else valid
    scores = []
    for k in range(num_classes):
        called, true = (predicted == k) & valid, (labels == k) & valid
        if (called | true).any():
            sums = [one.sum() for one in (called & true, called | true, called, true)]
            scores.append(float(quotient(*sums)))
        elif empty is not None:
            scores.append(empty)
    return sum(scores) / len(scores)


def mean_over_images(predicted, labels, num_classes):
    images = zip(predicted[:, None], labels[:, None], strict=True)
    return np.mean([by_sets(*one, num_classes) for one in images])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda p, t, k: by_sets(p, t, k, valid=torch.ones_like(t) > 0), "void counts: a class predicted where"),
        (lambda p, t, k: by_sets(p, t.where(t != 255, 0), k), "void is taken for class 0"),
        (lambda p, t, k: by_sets(p, t.where(t != 255, p), k), "counted as right whatever is predicted"),
        (mean_over_images, "the mean over pictures of each picture's own"),
        (lambda p, t, k: by_sets(p, t, k, empty=0.0), "neither in the labels nor predicted, counts 0"),
        (lambda p, t, k: by_sets(p, t, k, empty=1.0), "a class that is nowhere counts 1"),
        (lambda p, t, k: by_sets(p, t, k, quotient=lambda i, u, p, t: i / (u + i)), "counts the intersection twice"),
        (lambda p, t, k: by_sets(p, t, k, quotient=lambda i, u, p, t: 2 * i / (p + t)), "this is Dice"),
        (lambda p, t, k: (p == t)[t != 255].float().mean(), "this is pixel accuracy"),
        (lambda p, t, k: 100 * by_sets(p, t, k), "this is in per cent"),
        (lambda p, t, k: by_sets(p, t, k, empty=float("nan")), "not a number (NaN)"),
        (lambda p, t, k: by_sets(p, t, k) / 2, "; it should be "),
    ],
)
def test_wrong_mean_ious_get_their_hint_however_written(answer, words):
    assert words in losses.mean_iou.check(answer).hint


# The best cut


def expected_dice(mask, probability):
    return float(2 * (probability * mask).sum() / (mask.sum() + probability.sum()))


def every_cut(probability):
    return max((probability >= cut for cut in probability.unique()), key=lambda mask: expected_dice(mask, probability))


def half_of_the_best(probability):
    """The fixed point: the cut is at half the Dice that it gives."""
    cut = 0.0
    for _ in range(60):
        cut = expected_dice(probability > cut, probability) / 2
    return (probability > cut).float()


@pytest.mark.parametrize("answer", [every_cut, half_of_the_best])
def test_right_masks_pass_however_written(answer):
    assert losses.best_mask.check(answer).status == "right"


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999))
def test_no_other_mask_does_better(seed):
    probability = torch.rand(3, 3, generator=draws(seed))
    best = expected_dice(losses.best_mask.solution(probability), probability)
    masks = (torch.arange(1, 512)[:, None] >> torch.arange(9) & 1).view(-1, 3, 3)
    assert best == pytest.approx(max(expected_dice(mask, probability) for mask in masks))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda p: p >= 0.5, "this is the cut at one half"),
        (lambda p: p >= p.mean(), "the cut is at the mean"),
        (lambda p: p >= p.flatten().sort(descending=True).values[round(p.sum().item()) - 1], "as many pixels are"),
        (lambda p: p > expected_dice(every_cut(p), p), "the cut is at the greatest Dice itself"),
        (lambda p: ~every_cut(p), "the mask turned over"),
        (lambda p: p == p.max(), "this makes precision greatest"),
        (lambda p: torch.ones_like(p, dtype=torch.bool), "this makes recall greatest"),
        (lambda p: every_cut(p) & (p > p[every_cut(p)].min()), "one pixel too few"),
        (lambda p: every_cut(p).flatten().sort(descending=True).values.view_as(p), "right in number"),
        (lambda p: p * every_cut(p), "return a mask of True and False"),
        (lambda p: every_cut(p).sum(), "has shape (); it should be (5, 12)"),
        (lambda p: p > 0.2, "the right shape (6, 5), but other numbers"),
    ],
)
def test_wrong_masks_get_their_hint_however_written(answer, words):
    assert words in losses.best_mask.check(answer).hint
