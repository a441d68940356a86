"""Exercise: ``mean_iou(predicted, labels, num_classes)``, the mean over classes of intersection over union.

``predicted`` and ``labels`` are ``(N, H, W)`` whole numbers, 255 in the labels is void. The counts are pooled over all
pictures; a class that neither holds is left out of the mean (claim L7 of the notes).
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_number

Counts = tuple[Tensor, Tensor, Tensor]  # intersection, predicted and true pixels of each class, (K,) each
Score = Callable[[Tensor, Tensor, Tensor], Tensor]

VOID = 255


def _scenes() -> Iterator[tuple[Tensor, Tensor, int]]:
    """Pictures of two, two and three classes with void; class 3 is nowhere, class 2 only predicted in the last ones."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.zeros(3, 6, 8, dtype=torch.int64)
    labels[0, :, 3:], labels[1, :2, :2], labels[2, 3:] = 1, 2, 1
    noise = torch.rand(3, 6, 8, generator=draw) < 0.2
    wrong = [1 - labels[0], 2 - labels[1], (labels[2] + torch.randint(1, 3, (6, 8), generator=draw)) % 3]
    predicted = torch.where(noise, torch.stack(wrong), labels)
    labels[0, :, 3], labels[2, 0], labels[1, 2] = VOID, VOID, VOID
    yield predicted.clone(), labels.clone(), 3
    yield predicted.clone(), labels.clone(), 4
    yield predicted[1:], labels[1:].where(labels[1:] != 2, 0), 4


def _counts(predicted: Tensor, labels: Tensor, num_classes: int) -> Counts:
    """What all scores are made of, without looking for void."""
    classes = torch.arange(num_classes)[:, None]
    called, true = predicted.flatten() == classes, labels.flatten() == classes
    return (called & true).sum(1).double(), called.sum(1).double(), true.sum(1).double()


def _without_void(predicted: Tensor, labels: Tensor, num_classes: int) -> Counts:
    valid = labels != VOID
    return _counts(predicted[valid], labels[valid], num_classes)


def _iou(i: Tensor, p: Tensor, t: Tensor) -> Tensor:
    """NaN where there is no union."""
    return i / (p + t - i)


def _averaged(score: Score, count: Callable[[Tensor, Tensor, int], Counts] = _without_void) -> Answer:
    """The mean of ``score`` over the classes for which it is a number."""
    return lambda predicted, labels, num_classes: score(*count(predicted, labels, num_classes)).nanmean()


def _over_all_classes(absent: float) -> Answer:
    """The mean over all classes, with ``absent`` for one that is nowhere."""
    return _averaged(lambda i, p, t: _iou(i, p, t).nan_to_num(absent))


def _in_each_image(predicted: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """``(N, K)``, NaN for a class that an image lacks."""
    images = zip(predicted, labels, strict=True)
    return torch.stack([_iou(*_without_void(*one, num_classes)) for one in images])


_right = _averaged(_iou)

BY_IMAGE = "Small objects in empty pictures then weigh more, which may be wanted, but it is another number."

mean_iou = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            _averaged(_iou, _counts),
            "void counts: a class predicted where the label is 255 makes its union larger, though nobody knows that it "
            "is wrong there. Take void pixels out of both maps before anything is counted.",
        ),
        Mistake(
            lambda predicted, labels, num_classes: _averaged(_iou, _counts)(
                predicted, labels.masked_fill(labels == VOID, 0), num_classes
            ),
            "void is taken for class 0. Pixels without a label belong to no class: leave them out.",
        ),
        Mistake(
            lambda predicted, labels, num_classes: _averaged(_iou, _counts)(
                predicted, torch.where(labels == VOID, predicted, labels), num_classes
            ),
            "void is counted as right whatever is predicted, so more void makes a net better. Leave those pixels out.",
        ),
        Mistake(
            lambda predicted, labels, num_classes: _in_each_image(predicted, labels, num_classes).nanmean(1).nanmean(),
            "this is the mean over pictures of each picture's own mean IoU. Add the counts of all pictures first and "
            f"divide once. {BY_IMAGE}",
        ),
        Mistake(
            lambda predicted, labels, num_classes: _in_each_image(predicted, labels, num_classes).nanmean(0).nanmean(),
            "each class's IoU is taken in each picture, averaged over pictures and then over classes. Add the counts "
            f"of all pictures first and divide once. {BY_IMAGE}",
        ),
        Mistake(
            lambda predicted, labels, num_classes: _in_each_image(predicted, labels, num_classes).nanmean(),
            "IoU is taken in each picture and averaged over all pairs of a picture and a class. Add the counts of all "
            f"pictures first and divide once. {BY_IMAGE}",
        ),
        Mistake(
            lambda predicted, labels, num_classes: _in_each_image(predicted, labels, num_classes).nan_to_num(0).mean(),
            "IoU is taken in each picture, and a class that a picture lacks counts 0 there. Add the counts of all "
            "pictures first; then only a class that is nowhere at all has no union.",
        ),
        Mistake(
            _over_all_classes(0.0),
            "a class that is nowhere, neither in the labels nor predicted, counts 0. It has nothing to find and "
            "nothing was found: leave it out, or the score depends on classes that the pictures do not show.",
        ),
        Mistake(
            _over_all_classes(1.0),
            "a class that is nowhere counts 1. Every class added to the list would make the net better: leave it out.",
        ),
        Mistake(
            _averaged(lambda i, p, t: torch.where(t > 0, _iou(i, p, t), torch.nan)),
            "a class that is predicted but is nowhere in the labels is left out. Its union is not empty, so its IoU is "
            "0: the net has invented it.",
        ),
        Mistake(
            _averaged(lambda i, p, t: i / (p + t)),
            "the denominator counts the intersection twice, so a perfect answer has 1/2. The union is what is "
            "predicted and what is true, less what is both.",
        ),
        Mistake(
            _averaged(lambda i, p, t: 2 * i / (p + t)),
            "this is Dice, also called F1. It orders two maps as IoU does, but it is larger: IoU = Dice / (2 - Dice).",
        ),
        Mistake(
            _averaged(lambda i, p, t: i / t),
            "this is the mean recall, known as mean accuracy: it divides by the true pixels alone, so what a class "
            "invents costs it nothing.",
        ),
        Mistake(
            _averaged(lambda i, p, t: i / p),
            "this is the mean precision: it divides by the predicted pixels alone, so what a class misses costs it "
            "nothing.",
        ),
        Mistake(
            _averaged(lambda i, p, t: i.sum() / t.sum()),
            "this is pixel accuracy: all hits over all pixels. Large classes fill it, and a class of one pixel in a "
            "hundred hardly shows.",
        ),
        Mistake(
            _averaged(lambda i, p, t: i.sum() / (p + t - i).sum()),
            "intersections and unions are added over the classes before they are divided, so large classes decide. "
            "Divide for each class, then take the mean.",
        ),
        Mistake(
            _averaged(lambda i, p, t: (_iou(i, p, t).nan_to_num(0) * t).sum() / t.sum()),
            "the classes are weighted by their size: frequency weighted IoU. In the mean every class has the same say.",
        ),
        Mistake(
            _averaged(lambda i, p, t: _iou(i, p, t)[1:]),
            "class 0 is left out. Background is a class like any other unless somebody says so.",
        ),
        Mistake(
            _averaged(lambda i, p, t: (i + 1) / (p + t - i + 1)),
            "1 is added above and below. It keeps 0 / 0 away, but a class that is nowhere then counts 1 and small "
            "classes look better than they are.",
        ),
        Mistake(
            lambda predicted, labels, num_classes: 100 * _right(predicted, labels, num_classes),
            "this is in per cent; return the share, between 0 and 1.",
        ),
    ),
    probes=_scenes,
    observe=one_number,
    learnt=(
        "three counts a class, pooled over everything, void nowhere, absent classes left out. Papers differ in each of "
        "these, so a table says little without its definition."
    ),
)
