"""Exercise: ``best_mask(probability)``, the pixels to call foreground so that Dice is expected to be greatest.

``probability (H, W)`` is how likely each pixel is foreground, and right about it. The mask ``m`` that is wanted,
boolean and of the same shape, makes ``2 sum(p m) / (sum(m) + sum(p))`` as large as it can be. It is that of IoU, too,
since the two order masks alike (claim L6 of the notes).
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_tensor

Length = Callable[[Tensor, Tensor], Tensor]


def _pictures() -> Iterator[tuple[Tensor]]:
    """A few sure pixels before many doubtful ones; nothing above one half; nearly all sure; a smooth fall."""
    draw = torch.Generator().manual_seed(0)

    def shuffled(values: Tensor, height: int) -> Tensor:
        values = values + torch.linspace(0, 1e-3, len(values))  # no two alike
        return values[torch.randperm(len(values), generator=draw)].view(height, -1)

    few, many = torch.full((6,), 0.9), torch.full((24,), 0.4)
    yield (shuffled(torch.cat([few, many, torch.full((30,), 0.02)]), 5),)
    yield (shuffled(torch.cat([torch.full((8,), 0.3), torch.full((32,), 0.04)]), 4),)
    yield (shuffled(torch.cat([torch.full((20,), 0.97), torch.full((10,), 0.25)]), 6),)
    yield (shuffled(torch.linspace(0.01, 0.8, 42) ** 2, 6),)


def _longest(length: Length, *, more: int = 0) -> Answer:
    """The most likely pixels: as many as make ``length(hits, count)`` greatest, and ``more``.

    ``hits`` is the sum of the 1, 2, ... largest probabilities, ``count`` how many those are.
    """

    def answer(probability: Tensor) -> Tensor:
        order = probability.flatten().argsort(descending=True)
        hits, count = probability.flatten()[order].cumsum(0), torch.arange(1, len(order) + 1)
        return _top(probability, int(length(hits, count).argmax()) + 1 + more)

    return answer


def _top(probability: Tensor, count: int) -> Tensor:
    """The ``count`` most likely pixels."""
    mask = torch.zeros(probability.numel(), dtype=torch.bool)
    mask[probability.flatten().argsort(descending=True)[: max(count, 0)]] = True
    return mask.view_as(probability)


def _dice(hits: Tensor, count: Tensor) -> Tensor:
    return 2 * hits / (count + hits[-1])


def _greatest(probability: Tensor) -> float:
    """The greatest Dice that can be expected."""
    hits = probability.flatten().sort(descending=True).values.cumsum(0)
    return float(_dice(hits, torch.arange(1, len(hits) + 1)).max())


_right = _longest(_dice)


best_mask = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            lambda probability: probability > 0.5,
            "this is the cut at one half, which is best for accuracy. Where nothing is surer than that, it predicts "
            "nothing, and Dice is 0: a doubtful pixel can be worth its risk.",
        ),
        Mistake(
            lambda probability: probability > probability.mean(),
            "the cut is at the mean, the share of foreground. It does not depend on how sure the surest pixels are; "
            "try all cuts and keep the best.",
        ),
        Mistake(
            lambda probability: _top(probability, round(float(probability.sum()))),
            "as many pixels are called as foreground is expected. That makes the sizes agree, not the regions: count "
            "what each further pixel adds above and below.",
        ),
        Mistake(
            lambda probability: probability > _greatest(probability),
            "the cut is at the greatest Dice itself. A further pixel adds 2 p above and 1 below, so it pays as long as "
            "2 p is above that Dice: the cut is at half of it.",
        ),
        Mistake(
            lambda probability: probability > _greatest(probability) / 4,
            "the cut is at half of half the greatest Dice. A pixel adds 2 p above and 1 below: it pays while 2 p is "
            "above that Dice.",
        ),
        Mistake(
            lambda probability: probability < _greatest(probability) / 2,
            "this is the mask turned over: the likely pixels are foreground.",
        ),
        Mistake(
            _longest(lambda hits, count: hits / count),
            "this makes precision greatest: the single surest pixel. What is missed has to count as well, through the "
            "sum of all probabilities below.",
        ),
        Mistake(
            _longest(lambda hits, count: hits / hits[-1]),
            "this makes recall greatest: everything. What is called has to count as well, through the size of the mask "
            "below.",
        ),
        Mistake(
            _longest(_dice, more=-1),
            "one pixel too few: argmax counts from 0, so the best mask has one pixel more than the number it gives.",
        ),
        Mistake(
            _longest(_dice, more=1),
            "one pixel too many: mask[: k] has k pixels, and argmax counts from 0.",
        ),
        Mistake(
            lambda probability: torch.arange(probability.numel()).view_as(probability) < _right(probability).sum(),
            "right in number, but the pixels are still in their order by probability. Put each back to its place: "
            "compare with the least probability that is called, or write through the indices of the sort.",
        ),
        Mistake(
            lambda probability: _right(probability) * probability,
            "right, but for the values: return a mask of True and False, not the probabilities under it.",
        ),
    ),
    probes=_pictures,
    observe=one_tensor,
    learnt=(
        "sort, add up, take the best. The cut lies at half the Dice that you will get, so at one half for a perfect "
        "net and below it for every other: that is what a loss of regions teaches a net, and you can do it afterwards."
    ),
)
