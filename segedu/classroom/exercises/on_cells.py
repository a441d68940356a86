"""Exercise: ``on_cells(labels, cell, num_classes)``, a label map on coarser cells.

``labels (H, W)`` int64 has void 255, ``H`` and ``W`` are multiples of ``cell``. The answer ``(H / cell, W / cell)`` has
for each cell the class that most of its labelled pixels have, the lowest of several, and 255 where none is labelled.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_tensor

VOID = 255


def _maps() -> Iterator[tuple[Tensor, int, int]]:
    """Patches of classes 2 and up with noise, void along an edge and all over one cell, and a tie."""
    draw = torch.Generator().manual_seed(3)
    for rows, cols, cell in ((3, 4, 4), (4, 3, 3)):
        patches = torch.randint(2, 6, (rows, cols), generator=draw)
        labels = patches.repeat_interleave(cell, 0).repeat_interleave(cell, 1)
        noise = torch.rand(labels.shape, generator=draw)
        labels = torch.where(noise < 0.5, torch.randint(1, 6, labels.shape, generator=draw), labels)
        labels[noise > 0.9] = VOID
        labels[:cell, :cell] = VOID  # a cell of void alone
        labels[:cell, -cell:] = VOID
        labels[0, -cell] = 5  # one labelled pixel among void
        labels[-cell:, :cell] = VOID
        labels[-1, 0], labels[-2, 1] = 4, 1  # a tie
        yield labels, cell, 6


def _members(labels: Tensor, cell: int) -> Tensor:
    """The pixels of each cell: ``(h, w, cell * cell)``."""
    return labels.unfold(0, cell, cell).unfold(1, cell, cell).flatten(2)


def _votes(labels: Tensor, cell: int, num_classes: int) -> Tensor:
    """``(h, w, K + 1)``, void last."""
    members = _members(labels, cell)
    return F.one_hot(members.masked_fill(members == VOID, num_classes), num_classes + 1).sum(2)


def _right(labels: Tensor, cell: int, num_classes: int) -> Tensor:
    votes = _votes(labels, cell, num_classes)[..., :num_classes]
    return votes.argmax(-1).masked_fill(votes.sum(-1) == 0, VOID)


def _filled(of: Callable[[Tensor, Tensor], Tensor]) -> Answer:
    """``of(members, labelled)`` where a cell has labelled pixels, void elsewhere."""

    def answer(labels: Tensor, cell: int, num_classes: int) -> Tensor:
        members = _members(labels, cell)
        labelled = members != VOID
        return of(members, labelled).masked_fill(~labelled.any(-1), VOID)

    return answer


def _mean(members: Tensor, labelled: Tensor) -> Tensor:
    return ((members * labelled).sum(-1) / labelled.sum(-1).clamp(min=1)).round().long()


def _void_votes(labels: Tensor, cell: int, num_classes: int) -> Tensor:
    winners = _votes(labels, cell, num_classes).argmax(-1)
    return winners.masked_fill(winners == num_classes, VOID)


def _highest_of_ties(labels: Tensor, cell: int, num_classes: int) -> Tensor:
    votes = _votes(labels, cell, num_classes)[..., :num_classes]
    return (num_classes - 1 - votes.flip(-1).argmax(-1)).masked_fill(votes.sum(-1) == 0, VOID)


def _pixel(place: Callable[[int], int]) -> Answer:
    return lambda labels, cell, num_classes: labels[place(cell) :: cell, place(cell) :: cell]


on_cells = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            _filled(_mean),
            "the class numbers are averaged. They are names, not amounts: half way between a sky (0) and a pole (2) "
            "there is no building (1). Count how often each class occurs, and take the most frequent.",
        ),
        Mistake(
            lambda labels, cell, num_classes: F.avg_pool2d(labels[None, None].float(), cell)[0, 0].round().long(),
            "the class numbers are averaged, void (255) among them. They are names, not amounts: count how often each "
            "class occurs, void left out, and take the most frequent.",
        ),
        Mistake(
            _filled(lambda members, labelled: members.where(labelled, -1).amax(-1)),
            "this is the largest number in each cell, so the classes at the end of the list win. Count how often each "
            "class occurs.",
        ),
        Mistake(
            _filled(lambda members, labelled: members.where(labelled, VOID).amin(-1)),
            "this is the smallest number in each cell, so the classes at the start of the list win. Count how often "
            "each class occurs.",
        ),
        Mistake(
            _filled(
                lambda members, labelled: (
                    members.where(labelled, VOID)
                    .sort(-1)
                    .values.gather(-1, ((labelled.sum(-1, keepdim=True) - 1) // 2).clamp(min=0))[..., 0]
                )
            ),
            "this is the median of the numbers: it depends on how the list of classes is ordered. Count how often each "
            "class occurs.",
        ),
        Mistake(
            _void_votes,
            "void has a vote, and where most pixels are void the cell becomes void, though some are labelled. Count "
            "labelled pixels alone.",
        ),
        Mistake(
            lambda labels, cell, num_classes: _votes(labels.where(labels != VOID, 0), cell, num_classes)[
                ..., :num_classes
            ].argmax(-1),
            "void is taken for class 0. Leave those pixels out of the count, and keep 255 where nothing is labelled.",
        ),
        Mistake(
            lambda labels, cell, num_classes: _votes(labels, cell, num_classes)[..., :num_classes].argmax(-1),
            "a cell without any labelled pixel becomes class 0: all counts are 0 there, and argmax gives the first. "
            "Such a cell stays void, 255.",
        ),
        Mistake(
            _highest_of_ties,
            "where two classes are equally frequent, the higher number is taken; take the lower one, as argmax does.",
        ),
        Mistake(
            _pixel(lambda cell: 0),
            "one pixel decides for its cell, the one at the top left. A thin pole there becomes a whole cell, and one "
            "beside it is lost. Let all pixels of the cell vote.",
        ),
        Mistake(
            _pixel(lambda cell: cell // 2),
            "one pixel decides for its cell, the one in the middle. Let all pixels of the cell vote.",
        ),
        Mistake(
            lambda labels, cell, num_classes: (
                _right(labels, cell, num_classes).repeat_interleave(cell, 0).repeat_interleave(cell, 1)
            ),
            "right, but enlarged to the size of the picture again; return one number a cell.",
        ),
    ),
    probes=_maps,
    observe=one_tensor,
    learnt=(
        "classes are counted and never averaged. Shares of classes may be averaged, numbers may not: that is why a "
        "network puts out a score for each class and the class is chosen last."
    ),
)
