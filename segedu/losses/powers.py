"""The powers that a softmax is made of, chunk by chunk."""

from collections.abc import Callable

import torch
from torch import Tensor

from segedu.losses.chunks import chunks

Room = Callable[[Tensor], Tensor]


def powers_of(values: Tensor, room: Room) -> tuple[Tensor, Tensor, Tensor]:
    """Powers that a softmax is the shares of, their sum over the classes, and the log-sum-exp.

    ``(..., K, P)``: the classes are the dimension before the last. On the CPU the powers are ``exp(values)`` where the
    sums are far from the ends of float32, as those of a network's logits are; else, and where a look at the sums would
    make the host wait, the largest value is subtracted first, which takes two passes more.
    """
    powers = room(values)
    if values.device.type == "cpu":
        totals = torch.exp(values.to(powers.dtype), out=powers).sum(-2)
        if totals.numel() and all(1e-20 < float(end) < 1e20 for end in totals.aminmax()):
            return powers, totals, totals.log()
    largest = values.amax(-2, keepdim=True).to(powers.dtype)
    totals = torch.sub(values, largest, out=powers).exp_().sum(-2)
    return powers, totals, totals.log().add_(largest.squeeze(-2))


def scratch(logits: Tensor, dtype: torch.dtype) -> Room:
    """Memory for one chunk, taken once: ``room(values)`` is an uninitialised tensor of the shape of ``values``.

    Fresh memory of that size comes from the system page by page, which takes longer than the arithmetic done in it.
    """
    first = next(chunks(logits), (slice(0), slice(0)))
    memory = torch.empty(logits[first[0], :, first[1]].numel(), dtype=dtype, device=logits.device)
    return lambda values: memory[: values.numel()].view(values.shape)
