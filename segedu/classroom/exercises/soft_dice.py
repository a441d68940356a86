"""Exercise: ``dice_loss(probability, labels)``, one minus the soft Dice coefficient of a foreground.

``probability (N, H, W)`` is that of the foreground, ``labels (N, H, W)`` hold 1 on it, 0 off it and 255 at void. The
sums run over all valid pixels of the batch, without squares in the denominator (V-Net, section 3, has them; claim L5
of the notes).
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_number

Ratio = Callable[[Tensor, Tensor, Tensor], Tensor]

VOID = 255


def _scenes() -> Iterator[tuple[Tensor, Tensor]]:
    """Pictures with much and with little foreground and with void, one without any foreground, and a single one."""
    draw = torch.Generator().manual_seed(0)
    probability = torch.rand(3, 4, 5, generator=draw)
    labels = torch.zeros(3, 4, 5, dtype=torch.int64)
    labels[0, :3, :4], labels[1, 1, 2:4] = 1, 1
    labels[0, 3], labels[2, :, 0] = VOID, VOID
    yield probability, labels
    yield torch.rand(1, 3, 6, generator=draw), (torch.arange(18).view(1, 3, 6) % 7 < 2).long()


def _of_sums(loss: Ratio, *, counted: Callable[[Tensor], Tensor] = lambda labels: labels != VOID) -> Answer:
    """``loss(intersection, predicted, true)`` of the pixels that are ``counted``."""

    def answer(probability: Tensor, labels: Tensor) -> Tensor:
        p, t = probability * counted(labels), (labels == 1).float()
        return loss((p * t).sum(), p.sum(), t.sum())

    return answer


def _dice(intersection: Tensor, predicted: Tensor, true: Tensor) -> Tensor:
    return 1 - 2 * intersection / (predicted + true)


def _everything(labels: Tensor) -> Tensor:
    return torch.ones_like(labels)


_right = _of_sums(_dice)


def _image_by_image(probability: Tensor, labels: Tensor) -> Tensor:
    return torch.stack([_right(*one) for one in zip(probability, labels, strict=True)])


def _both_classes(probability: Tensor, labels: Tensor) -> Tensor:
    swapped: Tensor = torch.where(labels == VOID, VOID, 1 - labels)
    return torch.stack([_right(probability, labels), _right(1 - probability, swapped)]).mean()


def _squared(probability: Tensor, labels: Tensor) -> Tensor:
    p, t = probability * (labels != VOID), (labels == 1).float()
    return 1 - 2 * (p * t).sum() / (p.square().sum() + t.square().sum())


def _pixel_by_pixel(probability: Tensor, labels: Tensor) -> Tensor:
    valid = labels != VOID
    p, t = probability[valid], labels[valid]
    return (1 - 2 * p * t / (p + t)).mean()


dice_loss = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            _of_sums(lambda i, p, t: 1 - i / (p + t)),
            "the factor 2 is missing. Where prediction and truth agree, the denominator counts the region twice, so "
            "the quotient is 1/2 at best and the loss of a perfect answer 1/2 in place of 0.",
        ),
        Mistake(
            _of_sums(lambda i, p, t: 1 - i / (p + t - i)),
            "this is the Jaccard loss, 1 - IoU: its denominator is the union. Dice divides by the two sizes added, and "
            "counts the intersection twice above as well.",
        ),
        Mistake(
            _of_sums(lambda i, p, t: 1 - 2 * i / (p + t - i)),
            "the numerator is Dice's, the denominator that of IoU; so a perfect answer has the loss -1. Dice's "
            "denominator is the two sizes added.",
        ),
        Mistake(
            _of_sums(lambda i, p, t: 2 * i / (p + t)),
            "this is the coefficient itself, 1 at best. A loss has to fall as the answer gets better: 1 - Dice.",
        ),
        Mistake(
            _of_sums(lambda i, p, t: -2 * i / (p + t)),
            "right but for the 1: -Dice has the same gradient, but a loss that is 0 at best is easier to read.",
        ),
        Mistake(
            _of_sums(lambda i, p, t: 1 - 2 * i / p + t),
            "in Python a / b + c is (a / b) + c: put the denominator in brackets.",
        ),
        Mistake(
            _squared,
            "the denominator has squares, as V-Net's paper writes it. Sum the probabilities themselves: squares let "
            "many small ones go almost free.",
        ),
        Mistake(
            _of_sums(_dice, counted=_everything),
            "void counts: what is predicted there makes the denominator larger. Take pixels labelled 255 out of every "
            "sum, that of the probabilities too.",
        ),
        Mistake(
            lambda probability, labels: 1 - 2 * (probability * labels).sum() / (probability.sum() + labels.sum()),
            "the labels are summed as they are, so each void pixel counts as 255 pixels of foreground. Take void out "
            "first.",
        ),
        Mistake(
            lambda probability, labels: _of_sums(_dice, counted=_everything)(probability, (labels > 0).long()),
            "void is taken for foreground: 255 is not 0, but it is not 1 either.",
        ),
        Mistake(
            lambda probability, labels: _image_by_image(probability, labels).mean(),
            "the loss is taken in each picture and averaged over pictures. There a picture without foreground costs "
            "its full 1 whatever is predicted, and one of two pixels counts as much as one of two hundred. Pool the "
            "batch: sum first, divide once.",
        ),
        Mistake(
            lambda probability, labels: _image_by_image(probability, labels).sum(),
            "the losses of the pictures are added. Pool the batch: sum over all its pixels first, divide once.",
        ),
        Mistake(
            lambda probability, labels: _right((probability > 0.5).float(), labels),
            "the probabilities are rounded to 0 and 1 first. That is the metric; it moves in jumps, so no gradient "
            "comes back through it. A soft Dice sums the probabilities.",
        ),
        Mistake(
            _both_classes,
            "this is the mean over background and foreground. Here only the foreground is asked for: a background that "
            "is nearly everywhere is nearly right anyway.",
        ),
        Mistake(
            _of_sums(lambda i, p, t: 1 - (2 * i + 1) / (p + t + 1)),
            "1 is added above and below, the smoothing of many libraries. It pulls the loss of a small object towards "
            "0, whatever is predicted; do without it here.",
        ),
        Mistake(
            _of_sums(lambda i, p, t: 1 - i / p),
            "this divides by what was predicted alone: 1 - precision. One sure pixel would be a perfect answer.",
        ),
        Mistake(
            _of_sums(lambda i, p, t: 1 - i / t),
            "this divides by what is true alone: 1 - recall. Foreground everywhere would be a perfect answer.",
        ),
        Mistake(
            _pixel_by_pixel,
            "a quotient is taken at each pixel, and then their mean. On background it is 0 whatever is predicted, so "
            "nothing keeps the net from predicting foreground there. Sum first, divide once.",
        ),
    ),
    probes=_scenes,
    observe=one_number,
    learnt=(
        "three sums and one division. Every pixel's gradient depends on the whole batch: the smaller the region, the "
        "more each of its pixels pulls."
    ),
)
