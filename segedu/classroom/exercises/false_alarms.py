"""Exercise: ``fpr_at_95_tpr(scores, target)``, the share of known pixels that raise an alarm when 95 % is found.

``scores (N, H, W)``, higher for what looks less known; ``target (N, H, W)`` is 1 on the unknown, 0 on the known and
255 where it is void. The threshold is the highest score at which at least 95 % of the unknown pixels have that score
or a higher one; every known pixel at or above it is a false alarm.
"""

from collections.abc import Callable

from torch import Tensor

from segedu.classroom.exercises.exercise import Exercise, Mistake, one_number
from segedu.classroom.exercises.ranked_pixels import (
    Measure,
    measured,
    picture_by_picture,
    relabelled,
    scenes,
)

Threshold = Callable[[Tensor], Tensor]

FOUND, MISSED = 0.95, 0.05


def _first(positives: Tensor, found: float = FOUND, strictly: bool = False) -> Tensor:
    """The highest of the scores that finds a share of ``found`` of them, or strictly more."""
    cuts = positives.sort(descending=True).values
    shares = (positives >= cuts[:, None]).double().mean(1)
    reached = shares > found if strictly else shares >= found
    first: Tensor = cuts[reached.int().argmax()]
    return first


def _share_above(threshold: Threshold = _first) -> Measure:
    return lambda positives, negatives: (negatives >= threshold(positives)).double().mean()


def _of_all_alarms(positives: Tensor, negatives: Tensor) -> Tensor:
    false, found = ((one >= _first(positives)).sum() for one in (negatives, positives))
    return false / (false + found)


def _of_all_pixels(positives: Tensor, negatives: Tensor) -> Tensor:
    return (negatives >= _first(positives)).sum() / (len(positives) + len(negatives))


def _one_after_another(scores: Tensor, target: Tensor) -> Tensor:
    """Pixels sorted and added up one at a time, equal scores in the order of the picture."""
    known = target != 255
    order = scores[known].argsort(descending=True, stable=True)
    positive = (target[known] == 1)[order]
    share = positive.cumsum(0) / positive.sum()
    reached = int((share >= FOUND).int().argmax())
    return (~positive)[: reached + 1].sum() / (~positive).sum()


_right = measured(_share_above())


fpr_at_95_tpr = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            measured(lambda positives, negatives: (negatives > _first(positives)).double().mean()),
            "known pixels that have exactly the threshold's score are let off. An alarm that rings for an unknown "
            "pixel of that score rings for them as well: at or above.",
        ),
        Mistake(
            measured(_share_above(lambda positives: _first(positives, strictly=True))),
            "the threshold goes on until more than 95 % is found. It is the first that finds at least 95 %: 19 of 20 "
            "will do.",
        ),
        Mistake(
            _one_after_another,
            "pixels of equal score are passed one after another, so the result depends on how the sort happens to lay "
            "them. No threshold can part them: take all at once.",
        ),
        Mistake(
            measured(_share_above(lambda positives: positives.quantile(MISSED))),
            "the threshold is interpolated between two scores, as a quantile is. Such a one can miss the 95 %, or flag "
            "known pixels for nothing: take the score of an unknown pixel.",
        ),
        Mistake(
            relabelled(_right, 0),
            "void is counted as known. What nobody labelled is neither a hit nor a false alarm: leave it out.",
        ),
        Mistake(
            relabelled(_right, 1),
            "void is counted as unknown. Every mask that is not 0 is not 1 either: compare with 1.",
        ),
        Mistake(
            lambda scores, target: _right(-scores, target),
            "the scores are read upside down: higher is less known, so what is at or above the threshold is flagged.",
        ),
        Mistake(
            measured(lambda positives, negatives: 1 - _share_above()(positives, negatives)),
            "this is the share of known pixels that are left in peace; the false alarms are the rest.",
        ),
        Mistake(
            measured(_share_above(lambda positives: _first(positives, MISSED))),
            "the threshold finds 5 % of the unknown and not 95 %. Go further down.",
        ),
        Mistake(
            measured(lambda positives, negatives: (positives >= _first(negatives, MISSED)).double().mean()),
            "the two kinds are swapped: this is how much is found when 5 % of the known raise an alarm.",
        ),
        Mistake(
            measured(lambda positives, negatives: (negatives >= negatives.quantile(FOUND)).double().mean()),
            "the threshold comes from the known pixels, so the answer is 5 % whatever the scores are. It comes from "
            "the unknown ones.",
        ),
        Mistake(
            measured(_of_all_alarms),
            "this is the share of false ones among the alarms, 1 - precision. It depends on how rare the unknown is; "
            "divide by the known pixels.",
        ),
        Mistake(
            measured(_of_all_pixels),
            "the false alarms are divided by all pixels. The unknown cannot be falsely alarmed at: divide by the known "
            "ones.",
        ),
        Mistake(
            picture_by_picture(_right),
            "each picture has a threshold of its own. A car sets its alarm once: pool the pixels of all pictures.",
        ),
        Mistake(
            lambda scores, target: 100 * _right(scores, target),
            "this is in per cent; return the share, between 0 and 1.",
        ),
    ),
    probes=scenes,
    observe=one_number,
    learnt=(
        "ties at once, void nowhere, the first threshold that reaches 95 %. The pixels that are hardest to find set "
        "it, so a few of them can flag half the street."
    ),
)
