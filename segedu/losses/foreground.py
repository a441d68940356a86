"""What a binary region loss needs of a batch: the masses of a sigmoid's foreground."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from segedu.losses.chunks import RUN
from segedu.losses.derivatives import gradient_to_follow
from segedu.losses.inputs import accumulator, arithmetic_dtype
from segedu.losses.masses import Masses
from segedu.losses.pages import slope_like


def foreground_masses(logits: Tensor, against: Tensor) -> Masses:
    """The masses of a sigmoid under the signs of ``binary_labels.signed_labels``: ``(N, P), (N, P) -> (N, 1)`` each.

    A CPU works the derivative of the sigmoid out beside its value, and the backward pass makes it the gradient in its
    own memory. A second derivative is defined.
    """
    if torch.compiler.is_compiling() or logits.device.type != "cpu":
        masses = _in_one_expression(logits, against)
        sizes = torch.stack([(against < 0).sum(1), (against != 0).sum(1)])
    else:
        masses, sizes, _ = _ForegroundMasses.apply(logits, against)
    return Masses(*masses[..., None], *sizes[..., None].to(masses.dtype))


class _ForegroundMasses(torch.autograd.Function):
    """Predicted and shared mass, ``(2, N)``, true and valid pixels, ``(2, N)``, and each probability's derivative."""

    @staticmethod
    def forward(logits: Tensor, against: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        slope = slope_like(logits)
        sums = [[0.0] * len(logits) for _ in range(4)]
        for image, scores, signs, place, room in _runs(logits, against, slope):
            surplus = float(room.copy_(signs).sum())  # of background over foreground
            foreground = room.clamp_(max=0).neg_()
            true = float(foreground.sum())
            valid = surplus + 2 * true
            probability = torch.sigmoid(scores.to(place.dtype), out=place)
            if valid < len(signs):
                probability.masked_fill_(signs == 0, 0)
            predicted = float(probability.sum())
            shared = float(foreground.mul_(probability).sum())
            probability.addcmul_(probability, probability, value=-1)
            for images, part in zip(sums, (predicted, shared, true, valid), strict=True):
                images[image] += part
        masses, sizes = (torch.tensor(some, dtype=accumulator(logits)) for some in (sums[:2], sums[2:]))
        return masses, sizes, slope

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor, Tensor]) -> None:
        ctx.slope = output[2]
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)  # else autograd fills a map with zeros for the slopes
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, steps: Tensor | None, *_: None) -> tuple[Tensor | None, None]:
        logits, against = ctx.saved_tensors
        slope, ctx.slope = ctx.slope, None
        if steps is None:
            return None, None
        if torch.is_grad_enabled():
            return gradient_to_follow(lambda logits: _in_one_expression(logits, against), logits, steps), None
        if slope is None:  # the graph is walked again
            slope = _ForegroundMasses.forward(logits, against)[2]
        for image, _scores, signs, place, room in _runs(logits, against, slope):
            of_predicted, of_shared = steps[:, image]
            foreground = room.copy_(signs).clamp_(max=0).neg_()
            place.mul_(foreground.mul_(of_shared).add_(of_predicted))
        return slope.to(logits.dtype), None


def _runs(logits: Tensor, against: Tensor, slope: Tensor) -> Iterator[tuple[int, Tensor, Tensor, Tensor, Tensor]]:
    """Run by run: its image, its part of each, and memory of its length to work in."""
    room = slope.new_empty(min(RUN, slope.shape[1]))
    for image, rows in enumerate(zip(logits, against, slope, strict=True)):
        for scores, signs, place in zip(*(torch.split(row, RUN) for row in rows), strict=True):
            yield image, scores, signs, place, room[: len(place)]


def _in_one_expression(logits: Tensor, against: Tensor) -> Tensor:
    """Predicted and shared mass, ``(2, N)``, in steps that autograd and a compiler can follow."""
    probability = logits.to(arithmetic_dtype(logits)).sigmoid() * (against != 0)
    masses = torch.stack([probability.sum(1), (probability * (against < 0)).sum(1)])
    return masses.to(accumulator(logits))  # PyTorch's own sums are pairwise, which is enough
