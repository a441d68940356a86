"""A loss of one number at a time, whose derivative is known in closed form."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from segedu.losses.inputs import arithmetic_dtype

_PIECE = 2**16  # values worked on at once: 256 KiB of float32, so that a handful of temporaries fit the L2 cache


class Place(NamedTuple):
    """Where a value and its derivative are written, and memory for two steps between, all of one shape.

    Fresh memory for every step would take longer than the arithmetic done in it.
    """

    value: Tensor
    slope: Tensor
    one: Tensor
    other: Tensor


def place_like(x: Tensor) -> Place:
    """Memory for what becomes of ``x``."""
    return Place(*(torch.empty_like(x) for _ in range(4)))


def elementwise(terms: Callable[..., None], plain: Callable[..., Tensor], x: Tensor, *given: Tensor) -> Tensor:
    """The value that ``terms(place, x, *given)`` writes beside the derivative by ``x``, in one reading of ``x``.

    ``given`` are of the shape of ``x`` and get no gradient. ``x`` comes to ``terms`` in float32 (float64 for float64),
    and the value stays so. ``plain`` is the same value in steps that autograd can follow, for ``torch.compile`` and for
    second derivatives; it has to have finite first derivatives wherever ``terms`` has.
    """
    if torch.compiler.is_compiling():
        return plain(x.to(arithmetic_dtype(x)), *given)
    value: Tensor = _Elementwise.apply(terms, plain, x, *given)[0]
    return value


class _Elementwise(torch.autograd.Function):
    """The value beside the derivative, piece by piece on the CPU."""

    @staticmethod
    def forward(terms: Any, plain: Any, x: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
        dtype, size = arithmetic_dtype(x), _PIECE if x.device.type == "cpu" else x.numel()
        value, slope = (torch.empty(x.shape, dtype=dtype, device=x.device) for _ in range(2))
        room = torch.empty(2, min(size, x.numel()), dtype=dtype, device=x.device)
        pieces = [torch.split(tensor.reshape(-1), max(1, size)) for tensor in (value, slope, x, *given)]
        for value_piece, slope_piece, part, *others in zip(*pieces, strict=True):
            terms(Place(value_piece, slope_piece, *room[:, : part.numel()]), part.to(dtype), *others)
        return value, slope

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        _, ctx.plain, *tensors = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1], *tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        slope, x, *given = ctx.saved_tensors
        if torch.is_grad_enabled():
            value = ctx.plain(x.to(slope.dtype), *given)
            found = torch.autograd.grad(value, x, gradient, create_graph=True)[0]
        else:
            found = (gradient * slope).to(x.dtype)
        return None, None, found, *(None for _ in given)
