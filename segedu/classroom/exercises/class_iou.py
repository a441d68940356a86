"""Exercise: ``class_iou(matrix)``, the intersection over union of each class, read from a confusion matrix.

``matrix (K, K)`` int64 has a row for each true class and a column for each predicted one. The answer ``(K,)`` is NaN
for a class that neither map has.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, Observed, one_tensor

Score = Callable[[Tensor, Tensor, Tensor], Tensor]


def _matrices() -> Iterator[tuple[Tensor]]:
    """Four classes of which the last is nowhere; three, of which one is predicted and never true."""
    yield (torch.tensor([[50, 3, 0, 0], [4, 20, 6, 0], [1, 0, 9, 0], [0, 0, 0, 0]]),)
    yield (torch.tensor([[30, 5, 2], [0, 0, 0], [1, 4, 8]]),)


def _from_counts(score: Score) -> Answer:
    """``score(hits, true, called)``, each ``(K,)``."""

    def answer(matrix: Tensor) -> Tensor:
        counts = matrix.double()
        return score(counts.diagonal(), counts.sum(1), counts.sum(0))

    return answer


def _iou(hits: Tensor, true: Tensor, called: Tensor) -> Tensor:
    return hits / (true + called - hits)


def _nan_told(returned: Any) -> Observed:
    """What is no number becomes -1, which no share can be, so that two of them are equal."""
    return {name: values.double().nan_to_num(nan=-1) for name, values in one_tensor(returned).items()}


class_iou = Exercise(
    solution=_from_counts(_iou),
    mistakes=(
        Mistake(
            _from_counts(lambda hits, true, called: hits / true),
            "this is recall, also called class accuracy: of what is truly there, how much was found. What is called so "
            "by mistake has to count below, too: add the column.",
        ),
        Mistake(
            _from_counts(lambda hits, true, called: hits / called),
            "this is precision: of what is called so, how much is right. What was missed has to count below, too: add "
            "the row.",
        ),
        Mistake(
            _from_counts(lambda hits, true, called: hits / (true + called)),
            "the intersection stands twice below, once in the row and once in the column, so a perfect class has 1/2. "
            "Take it away once.",
        ),
        Mistake(
            _from_counts(lambda hits, true, called: 2 * hits / (true + called)),
            "this is Dice, also called F1. It orders two maps alike, but it is larger: IoU = Dice / (2 - Dice).",
        ),
        Mistake(
            _from_counts(lambda hits, true, called: _iou(hits, true, called).nan_to_num(0)),
            "a class that is nowhere has 0, as if something had been missed. It has nothing to find: let 0 / 0 stay "
            "NaN, so that means can leave it out.",
        ),
        Mistake(
            _from_counts(lambda hits, true, called: _iou(hits, true, called).nan_to_num(1)),
            "a class that is nowhere has 1, as if all of it had been found. It has nothing to find: let 0 / 0 stay "
            "NaN, so that means can leave it out.",
        ),
        Mistake(
            _from_counts(lambda hits, true, called: torch.where(true > 0, _iou(hits, true, called), torch.nan)),
            "a class that is predicted but truly nowhere has NaN. Its union is not empty: the prediction has invented "
            "it, and its IoU is 0.",
        ),
        Mistake(
            _from_counts(lambda hits, true, called: _iou(hits, true, called)[(true + called) > 0]),
            "classes that are nowhere are left out, and those after them get the wrong place. Keep one value a class.",
        ),
        Mistake(
            _from_counts(lambda hits, true, called: _iou(hits, true, called).nanmean()),
            "this is the mean over the classes; return one value for each of them.",
        ),
        Mistake(
            _from_counts(lambda hits, true, called: hits / true.sum()),
            "each class is divided by all pixels. Divide by its own union: its row and its column, less the diagonal.",
        ),
        Mistake(
            _from_counts(lambda hits, true, called: 100 * _iou(hits, true, called)),
            "these are per cent; return shares between 0 and 1.",
        ),
        Mistake(
            _from_counts(lambda hits, true, called: (hits + 1) / (true + called - hits + 1)),
            "1 is added above and below. That keeps 0 / 0 away, but an absent class then has 1 and small classes look "
            "better than they are.",
        ),
    ),
    probes=_matrices,
    observe=_nan_told,
    learnt=(
        "its row, its column, less what is in both: a class pays for what it misses and for what it invents. Absent "
        "stays NaN, which is neither good nor bad."
    ),
)
