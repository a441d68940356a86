"""Exercise: ``energy(logits, temperature)``, how unknown a pixel looks by the sum of all its classes' evidence.

``logits (N, K, H, W) -> (N, H, W)``: ``-T log sum_k exp(x_k / T)``, higher for what is less known, and finite however
large the logits are.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from segedu.classroom.exercises.exercise import Exercise, Mistake, one_tensor


def _pictures() -> Iterator[tuple[Tensor, float]]:
    """Usual logits at three temperatures, logits far above and far below 0."""
    draw = torch.Generator().manual_seed(0)
    for temperature in (1.0, 2.0, 0.5):
        yield 3 * torch.randn(2, 5, 3, 4, generator=draw), temperature
    for shift in (400.0, -400.0):
        yield shift + 3 * torch.randn(1, 4, 2, 3, generator=draw), 1.5


def _negative(log_sum: Callable[[Tensor], Tensor]) -> Callable[[Tensor, float], Tensor]:
    """``-T log_sum(x / T)``."""
    return lambda logits, temperature: -temperature * log_sum(logits / temperature)


def _log_sum(x: Tensor) -> Tensor:
    return x.logsumexp(1)


energy = Exercise(
    solution=_negative(_log_sum),
    mistakes=(
        Mistake(
            lambda logits, temperature: temperature * _log_sum(logits / temperature),
            "the sign is missing. The sum is large where some class has much evidence, and the score has to be high "
            "where none has: negate it.",
        ),
        Mistake(
            lambda logits, temperature: -_log_sum(logits / temperature),
            "the temperature stands inside only. Divided by T the logits shrink, and so does their logarithm of a sum; "
            "T in front puts the units back, so that the score tends to minus the largest logit as T falls.",
        ),
        Mistake(
            lambda logits, temperature: -temperature * _log_sum(logits),
            "the temperature stands in front only. That scales the score and changes no order; T has to divide the "
            "logits before they are summed.",
        ),
        Mistake(
            lambda logits, temperature: -temperature * _log_sum(logits * temperature),
            "the logits are multiplied by T. A higher temperature makes all classes more alike: divide by it.",
        ),
        Mistake(
            lambda logits, temperature: -_log_sum(logits / temperature) / temperature,
            "the logarithm is divided by T; it is to be multiplied by it, or the score grows without end as T falls.",
        ),
        Mistake(
            lambda logits, temperature: -_log_sum(logits),
            "the temperature is not used. At T = 1 nobody would notice.",
        ),
        Mistake(
            _negative(lambda x: x.exp().sum(1).log()),
            "right for small logits, infinite for large ones: exp(400) is no float32 number, and exp(-400) is 0, whose "
            "logarithm is minus infinity. Take the largest logit out of the sum and add it again, as logsumexp does.",
        ),
        Mistake(
            _negative(lambda x: (x - x.amax(1, keepdim=True)).logsumexp(1)),
            "the largest logit was taken out of the sum, to keep exp finite, and not added again. What is left is "
            "minus the logarithm of the largest probability: the ranking of max softmax, turned over.",
        ),
        Mistake(
            _negative(lambda x: x.softmax(1).amax(1).log()),
            "this is made of the largest probability. The softmax throws away how large the logits are together; the "
            "energy is what it throws away.",
        ),
        Mistake(
            _negative(lambda x: x.softmax(1).logsumexp(1)),
            "the softmax was taken first. Its K numbers add up to 1 at every pixel, so hardly anything is left to tell "
            "pixels apart: use the logits.",
        ),
        Mistake(
            _negative(lambda x: x.log_softmax(1).logsumexp(1)),
            "this is 0 everywhere: probabilities add up to 1, and the logarithm of 1 is 0. Use the logits themselves.",
        ),
        Mistake(
            _negative(lambda x: x.logsumexp(1) - torch.tensor(x.shape[1]).log()),
            "this takes the mean of the exponentials, not their sum: too high by T log K. It ranks alike, and two nets "
            "with different numbers of classes no longer compare.",
        ),
        Mistake(
            _negative(lambda x: x.amax(1)),
            "this is minus the largest logit, what the energy tends to as T falls to 0. The other classes count too.",
        ),
        Mistake(
            _negative(lambda x: x.mean(1)),
            "this is minus the mean of the logits. Nothing in training holds that mean where it is.",
        ),
        Mistake(
            _negative(lambda x: x.logsumexp((1, 2, 3), keepdim=True)[:, 0]),
            "one sum runs over all pixels of a picture. Each pixel has an energy of its own: sum over dimension 1.",
        ),
        Mistake(
            _negative(lambda x: x.logsumexp(1, keepdim=True)),
            "right, but for a dimension of size 1 where the classes were: the result should be (N, H, W).",
        ),
    ),
    probes=_pictures,
    observe=one_tensor,
    learnt=(
        "one number a pixel, high where no class has much evidence. At T = 1 it is what the softmax divides by, "
        "its logarithm negated: the part of a net's answer that probabilities hide."
    ),
)
