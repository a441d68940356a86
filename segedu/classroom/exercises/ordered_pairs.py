"""Exercise: ``auroc(scores, target)``, the share of pairs of an unknown and a known pixel that are ordered rightly.

``scores (N, H, W)``, higher for what looks less known; ``target (N, H, W)`` is 1 on the unknown, 0 on the known and
255 where it is void. A pair is ordered rightly where the unknown pixel has the higher score; a tie is half of one.
"""

import torch
from torch import Tensor

from segedu.classroom.exercises.exercise import Exercise, Mistake, one_number
from segedu.classroom.exercises.ranked_pixels import (
    Measure,
    measured,
    picture_by_picture,
    relabelled,
    scenes,
    valid,
)


def _pairs(tie: float) -> Measure:
    """The mean over all pairs of 1 where the positive is higher, ``tie`` where both are equal."""

    def share(positives: Tensor, negatives: Tensor) -> Tensor:
        apart = positives[:, None] - negatives
        return ((apart > 0) + tie * (apart == 0)).double().mean()

    return share


def _precision(positives: Tensor, negatives: Tensor) -> Tensor:
    """Average precision, equal scores at once."""
    cuts = positives[:, None]
    found, false = ((one >= cuts).sum(1).double() for one in (positives, negatives))
    return (found / (found + false)).mean()


def _at_zero(positives: Tensor, negatives: Tensor) -> Tensor:
    return torch.cat([positives > 0, negatives <= 0]).double().mean()


def _of_all_pairs(positives: Tensor, negatives: Tensor) -> Tensor:
    right = _pairs(0.5)(positives, negatives) * len(positives) * len(negatives)
    pixels = len(positives) + len(negatives)
    return right / (pixels * (pixels - 1) / 2)


def _within_pictures(scores: Tensor, target: Tensor) -> Tensor:
    """Pairs inside one picture only, all of them pooled."""
    kinds = [valid(*one) for one in zip(scores, target, strict=True)]
    weights = torch.tensor([len(positives) * len(negatives) for positives, negatives in kinds])
    shares = torch.stack([_pairs(0.5)(*one) for one in kinds])
    return (weights * shares).sum() / weights.sum()


def _trapezoid_of_ranks(positives: Tensor, negatives: Tensor) -> Tensor:
    """From the sum of the positives' ranks, counted from 1, that of their own order not taken off."""
    pixels = torch.cat([positives, negatives])
    ranks = (pixels < positives[:, None]).sum(1) + ((pixels == positives[:, None]).sum(1) + 1) / 2
    return ranks.sum() / (len(positives) * len(negatives))


_right = measured(_pairs(0.5))


auroc = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            measured(_pairs(0.0)),
            "a tie counts nothing. A score that is the same everywhere would get 0, worse than tossing a coin: half "
            "of each tie is right.",
        ),
        Mistake(
            measured(_pairs(1.0)),
            "a tie counts as right. A score that is the same everywhere would be perfect: half of each tie is right.",
        ),
        Mistake(
            lambda scores, target: _right(-scores, target),
            "this counts the pairs in which the known pixel is higher: 1 minus what is asked for.",
        ),
        Mistake(
            relabelled(_right, 0),
            "void is counted as known. What nobody labelled is in no pair: leave it out.",
        ),
        Mistake(
            relabelled(_right, 1),
            "void is counted as unknown: compare the target with 1, not with 0.",
        ),
        Mistake(
            picture_by_picture(_right),
            "this is the mean over pictures of each picture's own. Pool the pixels: an unknown pixel has to stand out "
            "from the known ones of every picture, since there is one threshold for all.",
        ),
        Mistake(
            _within_pictures,
            "pairs are made inside a picture only. There is one threshold for all pictures, so pixels of different "
            "ones form pairs too.",
        ),
        Mistake(
            measured(lambda positives, negatives: 2 * _pairs(0.5)(positives, negatives) - 1),
            "this is the Gini coefficient, 2 AUROC - 1: rightly less wrongly ordered pairs.",
        ),
        Mistake(
            measured(lambda positives, negatives: _pairs(0.5)(positives, negatives) * len(positives) * len(negatives)),
            "this is the number of pairs, known as Mann and Whitney's U. Divide by how many there are.",
        ),
        Mistake(
            measured(_of_all_pairs),
            "the pairs are divided by all that pixels can form. Only those of an unknown and a known pixel count: "
            "divide by the product of the two numbers.",
        ),
        Mistake(
            measured(_trapezoid_of_ranks),
            "the sum of the unknown pixels' ranks holds their places among themselves as well. Take n (n + 1) / 2 off, "
            "n being how many they are.",
        ),
        Mistake(
            measured(_precision),
            "this is the average precision. It asks how many alarms are true, and so depends on how rare the unknown "
            "is; AUROC does not.",
        ),
        Mistake(
            measured(_at_zero),
            "this is the accuracy of one threshold, at 0. AUROC has none: it asks of every pair which is higher.",
        ),
        Mistake(
            lambda scores, target: 100 * _right(scores, target),
            "this is in per cent; return the share, between 0 and 1.",
        ),
    ),
    probes=scenes,
    observe=one_number,
    learnt=(
        "the area under a curve that nobody has to draw: a chance of being ordered rightly. Doubling the known pixels "
        "leaves it where it is, and doubles the false alarms."
    ),
)
