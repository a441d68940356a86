"""Exercise: ``confusion_matrix(predicted, labels, num_classes)``, how often each true class was called what.

``predicted`` and ``labels`` are ``(N, H, W)`` int64, 255 in the labels is void. The answer ``(K, K)`` counts pixels: a
row for each true class, a column for each predicted one.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_tensor

VOID = 255


def _maps() -> Iterator[tuple[Tensor, Tensor, int]]:
    """Two pictures of three classes with void; a single one in which the last two of four classes never occur."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (2, 5, 7), generator=draw)
    predicted = torch.where(torch.rand(2, 5, 7, generator=draw) < 0.7, labels, (labels + 1) % 3)
    labels[0, 1], labels[1, :, 6] = VOID, VOID
    predicted[1, 4, :6] = 2
    labels[1, 4, 0] = 2
    yield predicted, labels, 3
    yield predicted[:1].clamp(max=1), labels[:1].where(labels[:1] != 2, 0), 4


def _counted(rows: Tensor, columns: Tensor, num_classes: int) -> Tensor:
    """How often each pair occurs."""
    pairs = num_classes * rows.flatten() + columns.flatten()
    return pairs.bincount(minlength=num_classes**2).view(num_classes, num_classes)


def _right(predicted: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    valid = labels != VOID
    return _counted(labels[valid], predicted[valid], num_classes)


def _void_as(name: Answer) -> Answer:
    """Void counted as what ``name(predicted, num_classes)`` says."""
    return lambda predicted, labels, num_classes: _counted(
        torch.where(labels == VOID, name(predicted, num_classes), labels), predicted, num_classes
    )


def _once_a_pair(predicted: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    valid = labels != VOID
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    matrix[labels[valid], predicted[valid]] += 1
    return matrix


def _as_long_as_needed(predicted: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    valid = labels != VOID
    return (num_classes * labels[valid] + predicted[valid]).bincount().view(num_classes, num_classes)


def _overlapping_pairs(predicted: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    valid = labels != VOID
    pairs = (num_classes - 1) * labels[valid] + predicted[valid]
    return pairs.bincount(minlength=num_classes**2).view(num_classes, num_classes)


def _missed(predicted: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    matrix = _right(predicted, labels, num_classes)
    return matrix - matrix.diag().diag()


confusion_matrix = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            lambda predicted, labels, num_classes: _right(predicted, labels, num_classes).T,
            "rows and columns have changed places: row i is for pixels that are truly i, column j for those that were "
            "called j.",
        ),
        Mistake(
            _void_as(lambda predicted, num_classes: torch.zeros_like(predicted)),
            "void is counted as class 0. It is no class: leave those pixels out of both maps before you count.",
        ),
        Mistake(
            _void_as(lambda predicted, num_classes: torch.full_like(predicted, num_classes - 1)),
            "void is counted as the last class: 255 was cut off to the largest number that fits. Leave those pixels "
            "out of both maps before you count.",
        ),
        Mistake(
            _void_as(lambda predicted, num_classes: predicted),
            "void is counted as right, whatever was predicted there. Leave those pixels out of both maps.",
        ),
        Mistake(
            _once_a_pair,
            "each pair is counted once, however many pixels have it: matrix[rows, columns] += 1 writes to a place one "
            "time only. Count with bincount, or add with index_put_ and accumulate=True.",
        ),
        Mistake(
            _as_long_as_needed,
            "bincount stops at the largest pair that it meets, so the table is too short where the last classes are "
            "missing. Give it minlength=num_classes ** 2.",
        ),
        Mistake(
            _overlapping_pairs,
            "two pairs share one number: multiply the true class by num_classes, not by one less, before you add the "
            "predicted class.",
        ),
        Mistake(
            lambda predicted, labels, num_classes: _right(predicted[:1], labels[:1], num_classes),
            "the first picture alone is counted. All pictures go into one table.",
        ),
        Mistake(
            lambda predicted, labels, num_classes: (
                _right(predicted, labels, num_classes) / (labels != VOID).sum().double()
            ),
            "the counts are divided by the number of pixels. Keep whole counts: they can be added up over pictures, "
            "shares cannot.",
        ),
        Mistake(
            lambda predicted, labels, num_classes: (
                _right(predicted, labels, num_classes)
                / _right(predicted, labels, num_classes).sum(1, keepdim=True).clamp(min=1).double()
            ),
            "each row is divided by its sum. Keep whole counts: they can be added up over pictures, shares cannot.",
        ),
        Mistake(
            lambda predicted, labels, num_classes: _right(predicted, labels, num_classes).diag().diag(),
            "the right pixels alone are counted, on the diagonal. A wrong pixel belongs in the row of what it is and "
            "the column of what it was called.",
        ),
        Mistake(
            _missed,
            "the wrong pixels alone are counted. A right pixel belongs on the diagonal.",
        ),
    ),
    probes=_maps,
    observe=one_tensor,
    learnt=(
        "one table for all pictures, and void nowhere in it. Accuracy, precision, recall and IoU are all read from it, "
        "so the pictures need not be looked at again."
    ),
)
