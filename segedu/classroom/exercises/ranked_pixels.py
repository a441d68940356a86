"""What the exercises on rankings are tried with: scores with ties, targets with void, and how mistakes read them."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer

Measure = Callable[[Tensor, Tensor], Tensor]

VOID = 255


def scenes() -> Iterator[tuple[Tensor, Tensor]]:
    """Two unequal pictures, twice: with many ties, 95 % of the positives being 19 of 20, and without any tie.

    The positives that are hardest to find lie far apart, with negatives between them.
    """
    draw = torch.Generator().manual_seed(9)
    target = torch.zeros(2, 8, 9, dtype=torch.int64)
    target[0, 2:5, 1:6], target[1, 6, 2:7] = 1, 1
    noise = torch.randn(2, 8, 9, generator=draw)
    scores = torch.where(target == 1, (noise + 1.2).clamp(min=0.3) + noise / 100, noise)
    scores[0, 2, 1] = -1.8
    scores[1] += 0.6
    target[0, 6:, 4:], target[1, :2] = VOID, VOID
    scores[target == VOID] += 1.5
    yield (2 * scores).round() / 2, target.clone()
    target[0, 0, :3] = 1
    scores[0, 0, :3] = torch.tensor([-1.2, 0.7, 0.9])
    yield scores - 1, target


def valid(scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The scores of the positives and of the negatives, ``(P,)`` and ``(Q,)`` float64."""
    return scores[target == 1].double(), scores[target == 0].double()


def measured(measure: Measure) -> Answer:
    """``measure(positives, negatives)`` of all valid pixels."""
    return lambda scores, target: measure(*valid(scores, target))


def relabelled(answer: Answer, void: int) -> Answer:
    """The same where void is taken for ``void``."""
    return lambda scores, target: answer(scores, target.masked_fill(target == VOID, void))


def picture_by_picture(answer: Answer) -> Answer:
    """The mean of what ``answer`` gives for each picture."""
    return lambda scores, target: torch.stack([answer(*one) for one in zip(scores, target, strict=True)]).mean()
