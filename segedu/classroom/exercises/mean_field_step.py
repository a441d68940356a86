"""Exercise: ``mean_field_step(logits, probabilities, kernel)``, one iteration with the Potts model (claim D5).

``logits`` and ``probabilities`` are ``(P, K)``, a row for each of ``P`` pixels; ``kernel`` ``(P, P)`` says how much
each pixel counts for each other, and is 0 on its diagonal. Two labels that differ cost what their pixels count for each
other, the same label nothing (Krähenbühl and Koltun 2011, algorithm 1).
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_tensor

Probes = tuple[Tensor, Tensor, Tensor]


def _fields() -> Iterator[Probes]:
    """A kernel that is not symmetric tells rows from columns."""
    draw = torch.Generator().manual_seed(3)
    for pixels, classes in ((6, 3), (9, 2), (4, 5)):
        kernel = torch.rand(pixels, pixels, generator=draw) * (1 - torch.eye(pixels))
        logits, other = (torch.randn(pixels, classes, generator=draw) for _ in range(2))
        yield 2 * logits, other.softmax(1), kernel


def _softmax(energy: Callable[[Tensor, Tensor, Tensor], Tensor], dim: int = 1) -> Answer:
    """The softmax of minus an energy."""
    return lambda logits, probabilities, kernel: (-energy(logits, probabilities, kernel)).softmax(dim)


def _heard_against(probabilities: Tensor, kernel: Tensor) -> Tensor:
    """What the others say for any label but one."""
    heard = kernel @ probabilities
    return heard.sum(1, keepdim=True) - heard


def _right(logits: Tensor, probabilities: Tensor, kernel: Tensor) -> Tensor:
    return (logits - _heard_against(probabilities, kernel)).softmax(1)


mean_field_step = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            _softmax(lambda x, q, k: -x + k @ q),
            "the sign is turned: what neighbours say *for* a label makes it cheaper. Potts charges for the labels that "
            "differ, so add kernel @ probabilities to the logits, or subtract what is said for all other labels.",
        ),
        Mistake(
            _softmax(lambda x, q, k: x + _heard_against(q, k)),
            "the logits have the wrong sign. They are minus the unary energy already: a large logit is a likely class.",
        ),
        Mistake(
            lambda x, q, k: x - _heard_against(q, k),
            "the message is right; normalise last. The softmax over the classes makes probabilities of it.",
        ),
        Mistake(
            lambda x, q, k: x + k @ q,
            "the message is right; normalise last. The softmax over the classes makes probabilities of it.",
        ),
        Mistake(
            _softmax(lambda x, q, k: -x - k @ q, dim=0),
            "the softmax runs over the pixels. Each pixel's probabilities sum to 1 over its classes: dim=1.",
        ),
        Mistake(
            _softmax(lambda x, q, k: -x - k.T @ q),
            "the kernel is transposed: row i of it says how much each other pixel counts for pixel i.",
        ),
        Mistake(
            lambda x, q, k: (k @ q).softmax(1),
            "the logits are left out. Every iteration starts from what the network says and adds what the others say; "
            "without it all pixels end with one label.",
        ),
        Mistake(
            _softmax(lambda x, q, k: -q.log() - k @ q),
            "the last iteration's probabilities stand in the place of the logits. The network's word counts anew in "
            "every iteration.",
        ),
        Mistake(
            _softmax(lambda x, q, k: -x - k @ x.softmax(1)),
            "the messages are made of softmax(logits). They are made of the probabilities of the last iteration; only "
            "in the first step are the two the same.",
        ),
        Mistake(
            _softmax(lambda x, q, k: -x - k @ x),
            "the messages are made of the logits. What a pixel tells the others are its probabilities.",
        ),
        Mistake(
            _softmax(lambda x, q, k: -x - k @ q - q),
            "a pixel also hears itself. The kernel's diagonal is 0 so that it hears the others only.",
        ),
        Mistake(
            _softmax(lambda x, q, k: -x - k @ q / k.sum(1, keepdim=True)),
            "the messages are divided by the kernel's sums. Some releases do so; here the kernel counts as it is.",
        ),
        Mistake(
            lambda x, q, k: q * _right(x, q, k) / (q * _right(x, q, k)).sum(1, keepdim=True),
            "the new probabilities are multiplied by the old ones. They replace them.",
        ),
        Mistake(
            _softmax(lambda x, q, k: -x - k @ torch.nn.functional.one_hot(q.argmax(1), q.shape[1]).float()),
            "the others' labels are taken where their probabilities belong: in a mean field everybody says how sure "
            "they are.",
        ),
    ),
    probes=_fields,
    observe=one_tensor,
    learnt=(
        "one product with the kernel, one sum, one softmax. With Potts, to punish all other labels and to reward the "
        "own one differ by a constant a pixel, and the softmax does not see constants."
    ),
)
