"""Exercise: ``focal_loss(logits, labels, gamma)``, cross entropy that a pixel already known hardly adds to.

``logits (N, K, H, W)``, ``labels (N, H, W)`` with classes 0..K-1 and void 255. The answer is the mean over the valid
pixels of ``-(1 - p)^gamma log p``, where ``p`` is the softmax probability of the true class (claim L4 of the notes).
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_number

Weight = Callable[[Tensor, float], Tensor]

VOID = 255


def _scenes() -> Iterator[tuple[Tensor, Tensor, float]]:
    """Three classes in two pictures with unequal amounts of void, at three strengths; two classes without void."""
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, 3, 4, 5, generator=draw)
    labels = torch.randint(0, 3, (2, 4, 5), generator=draw)
    labels[0, 0], labels[1, :, :3] = VOID, VOID
    for gamma in (2.0, 1.0, 0.0):
        yield logits.clone(), labels.clone(), gamma
    yield torch.randn(1, 2, 3, 6, generator=draw), torch.randint(0, 2, (1, 3, 6), generator=draw), 3.0


def _surprise(logits: Tensor, labels: Tensor) -> Tensor:
    """``-log p`` at each pixel, 0 at void."""
    return F.cross_entropy(logits, labels, ignore_index=VOID, reduction="none")


def _mean(values: Tensor, labels: Tensor) -> Tensor:
    return values.sum() / (labels != VOID).sum()


def _weighed(weight: Weight) -> Answer:
    """The mean of ``weight(p, gamma) * -log p``."""

    def answer(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
        surprise = _surprise(logits, labels)
        return _mean(weight((-surprise).exp(), gamma) * surprise, labels)

    return answer


_right = _weighed(lambda p, gamma: (1 - p) ** gamma)


def _of_the_mean(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    loss = _mean(_surprise(logits, labels), labels)
    return (1 - (-loss).exp()) ** gamma * loss


def _of_all_classes(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    log_p = logits.log_softmax(1)
    return _mean((-((1 - log_p.exp()) ** gamma) * log_p).sum(1) * (labels != VOID), labels)


def _one_against_rest(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """A sigmoid for each class, as in the paper, summed over the classes."""
    is_class = torch.stack([labels == k for k in range(logits.shape[1])], 1)
    surprise = -F.logsigmoid(torch.where(is_class, logits, -logits))
    terms = (1 - (-surprise).exp()) ** gamma * surprise
    return _mean(terms.sum(1) * (labels != VOID), labels)


def _own_sigmoid(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """The true class alone, by a sigmoid of its logit."""
    surprise = -F.logsigmoid(logits.gather(1, labels.masked_fill(labels == VOID, 0)[:, None])[:, 0])
    return _mean((1 - (-surprise).exp()) ** gamma * surprise * (labels != VOID), labels)


def _by_the_weights(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    surprise = _surprise(logits, labels)
    weight = (1 - (-surprise).exp()) ** gamma * (labels != VOID)
    return (weight * surprise).sum() / weight.sum()


def _image_by_image(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    pictures = zip(logits, labels, strict=True)
    return torch.stack([_right(one[None], own[None], gamma) for one, own in pictures]).mean()


focal_loss = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            _weighed(lambda p, gamma: p**gamma),
            "the weight is upside down. p^gamma is large where the net is sure already, so the easy pixels would count "
            "and the hard ones be forgotten: the factor is (1 - p)^gamma.",
        ),
        Mistake(
            _weighed(lambda p, gamma: -((1 - p) ** gamma)),
            "the sign is missing: log p is below 0, so the loss needs a minus to be above it.",
        ),
        Mistake(
            _weighed(lambda p, gamma: torch.ones_like(p)),
            "this is the cross entropy: the factor (1 - p)^gamma is missing. The two are equal only at gamma = 0.",
        ),
        Mistake(
            _weighed(lambda p, gamma: gamma * (1 - p)),
            "gamma multiplies. It is an exponent: (1 - p) ** gamma, 1 for every pixel at gamma = 0.",
        ),
        Mistake(
            _weighed(lambda p, gamma: 1 - p**gamma),
            "the power is taken before the difference: 1 - p^gamma grows with gamma, and every pixel counts more. The "
            "factor is (1 - p)^gamma.",
        ),
        Mistake(
            _weighed(lambda p, gamma: (1 + p.log()) ** gamma),
            "the factor is made from the loss, 1 - loss, in place of the probability. A loss can be above 1; p is "
            "exp(-loss).",
        ),
        Mistake(
            _weighed(lambda p, gamma: (1 - 1 / p) ** gamma),
            "p is taken as exp(+loss), which is above 1. The loss is -log p, so p is exp(-loss).",
        ),
        Mistake(
            _weighed(lambda p, gamma: (1 - p) ** gamma / -p.log().clamp(max=-1e-30)),
            "the logarithm is missing: the factor (1 - p)^gamma stands before -log p, it does not replace it.",
        ),
        Mistake(
            _of_the_mean,
            "the cross entropy is averaged first, and one factor is made from the mean. Then all pixels weigh the same "
            "again. Each pixel needs its own factor: reduction='none', and the mean at the end.",
        ),
        Mistake(
            lambda logits, labels, gamma: _right(logits, labels, gamma) * (labels != VOID).float().mean(),
            "the sum is divided by all pixels, void among them: the more void, the smaller the loss. Divide by the "
            "number of valid pixels.",
        ),
        Mistake(
            lambda logits, labels, gamma: _right(logits, labels.masked_fill(labels == VOID, 0), gamma),
            "void is taken for class 0: pixels without a label are trained to be background. Leave them out of the sum "
            "and of the count.",
        ),
        Mistake(
            lambda logits, labels, gamma: _right(logits, labels, gamma) / logits.shape[1],
            "the mean runs over the classes as well, as it does where labels are spelt out as one-hot: K times too "
            "small, and no longer the cross entropy at gamma = 0.",
        ),
        Mistake(
            lambda logits, labels, gamma: (
                _right(logits, labels, gamma) * (labels != VOID).float().mean() / logits.shape[1]
            ),
            "the mean runs over all pixels and all classes, void among them. Divide by the number of valid pixels.",
        ),
        Mistake(
            lambda logits, labels, gamma: _right(logits, labels, gamma) * (labels != VOID).sum(),
            "this is the sum; the mean over the valid pixels is asked for. The paper divides by its number of objects, "
            "a third convention.",
        ),
        Mistake(
            _by_the_weights,
            "the sum is divided by the factors' own sum. That takes back what they were for: as the net gets sure of "
            "most pixels, the loss has to fall. Divide by the number of valid pixels.",
        ),
        Mistake(
            _of_all_classes,
            "all classes are added up, the true one and the others. Only the probability of the true class counts: "
            "gather it.",
        ),
        Mistake(
            _one_against_rest,
            "this is the form of the paper, a sigmoid for each class against the rest, added up. Here p comes from the "
            "softmax over the classes, so that gamma = 0 is cross entropy.",
        ),
        Mistake(
            _own_sigmoid,
            "p is the sigmoid of the true class's logit. With several classes it is the softmax over all of them, or a "
            "net could raise every logit at once.",
        ),
        Mistake(
            lambda logits, labels, gamma: 0.25 * _right(logits, labels, gamma),
            "everything is multiplied by 0.25. In the paper alpha = 0.25 stands before the objects and 0.75 before the "
            "background; here there is no alpha.",
        ),
        Mistake(
            _image_by_image,
            "the mean is taken in each picture and then over pictures, so a pixel counts more in a picture with much "
            "void. Take one mean over all valid pixels of the batch.",
        ),
    ),
    probes=_scenes,
    observe=one_number,
    learnt=(
        "a pixel that the net gives 90 % keeps a hundredth of its loss at gamma = 2, one that it gives 10 % keeps four "
        "fifths. Nothing in it knows which class is rare."
    ),
)
