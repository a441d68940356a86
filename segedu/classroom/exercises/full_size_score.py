"""Exercise: ``full_size_accuracy(scores, labels)``, the share of pixels that a net at 1/8 names rightly.

``scores`` ``(N, K, h, w)`` come at an eighth of the picture, ``labels`` ``(N, 8 h, 8 w)`` are whole, void 255. The
paper's code brings the labels down to the scores; the answer here brings the scores up to the labels (claim B5).
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.classroom.exercises.exercise import Exercise, Mistake, one_number

Score = Callable[[Tensor, Tensor], Tensor]


def _scenes() -> Iterator[tuple[Tensor, Tensor]]:
    """Labels of broad patches with thin things and void between them, and scores that are unsure of them."""
    source = torch.Generator().manual_seed(8)
    for count, height, width in ((2, 4, 5), (3, 3, 6)):
        scores = torch.randn(count, 4, height, width, generator=source)
        labels = F.interpolate(scores, scale_factor=8, mode="bicubic").argmax(1)
        thin = torch.rand(labels.shape, generator=source)
        labels[thin < 0.1], labels[thin > 0.8] = 3, 255
        yield scores, labels


def _rise(scores: Tensor, labels: Tensor, align_corners: bool = False) -> Tensor:
    return F.interpolate(scores, labels.shape[-2:], mode="bilinear", align_corners=align_corners)


def _share(found: Tensor, labels: Tensor) -> Tensor:
    """Of the pixels that are not void."""
    return (found == labels)[labels != 255].float().mean()


def _per_picture(scores: Tensor, labels: Tensor) -> Tensor:
    found = _rise(scores, labels).argmax(1)
    return torch.stack([_share(*one) for one in zip(found, labels, strict=True)]).mean()


def _resized(labels: Tensor) -> Tensor:
    return F.interpolate(labels[:, None].float(), scale_factor=1 / 8, mode="nearest")[:, 0]


def _middle(scores: Tensor, labels: Tensor) -> Tensor:
    return _share(scores.argmax(1), labels[:, 4::8, 4::8])


full_size_accuracy = Exercise(
    solution=lambda scores, labels: _share(_rise(scores, labels).argmax(1), labels),
    mistakes=(
        Mistake(
            lambda scores, labels: _share(scores.argmax(1), _resized(labels)),
            "the labels are brought down to the scores. That is how the paper's code judges, and 63 pixels of 64 are "
            "not looked at. Bring the scores up to the labels.",
        ),
        Mistake(
            _middle,
            "one pixel of each 8 x 8 is judged, the one in the middle. All of them have to be: bring the scores up "
            "to the labels.",
        ),
        Mistake(
            lambda scores, labels: _share(scores.argmax(1).repeat_interleave(8, 1).repeat_interleave(8, 2), labels),
            "a class is chosen at 1/8 and repeated, so edges become steps of 8 pixels. Bring up the scores, and choose "
            "the class last.",
        ),
        Mistake(
            lambda scores, labels: _share(_rise(scores, labels, align_corners=True).argmax(1), labels),
            "the interpolation aligns the corners' centres, which moves the map by up to half a cell; leave "
            "align_corners out.",
        ),
        Mistake(
            lambda scores, labels: (_rise(scores, labels).argmax(1) == labels).float().mean(),
            "void (255) is counted as wrong; what has no label cannot be judged: leave it out.",
        ),
        Mistake(
            _per_picture,
            "each picture has a share of its own and their mean is taken; count all pixels of the batch together.",
        ),
        Mistake(
            lambda scores, labels: 100 * _share(_rise(scores, labels).argmax(1), labels),
            "the number is in per cent; return a share between 0 and 1.",
        ),
        Mistake(
            lambda scores, labels: 1 - _share(_rise(scores, labels).argmax(1), labels),
            "this is the share of wrong pixels; return that of right ones.",
        ),
    ),
    probes=_scenes,
    observe=one_number,
    learnt=(
        "every pixel with a label is judged, at the size at which it is labelled, and the class is chosen last. The "
        "enlargement has a price, and it belongs in the time that is reported beside the score."
    ),
)
