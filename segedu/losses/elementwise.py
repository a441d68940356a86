"""A loss of one number at a time, whose derivative is known in closed form."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from segedu.losses.inputs import arithmetic_dtype

_PIECE = 2**16  # values worked on at once: 256 KiB of float32, so that a handful of temporaries fit the L2 cache


def elementwise(
    terms: Callable[..., tuple[Tensor, Tensor]], plain: Callable[..., Tensor], x: Tensor, *given: Tensor
) -> Tensor:
    """``terms(x, *given)`` -> the value and the derivative by ``x``, both found in one reading of ``x``.

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
        dtype = arithmetic_dtype(x)
        if x.device.type != "cpu":
            found: tuple[Tensor, Tensor] = terms(x.to(dtype), *given)
            return found
        value, slope = (torch.empty(x.shape, dtype=dtype, device=x.device) for _ in range(2))
        pieces = [torch.split(tensor.reshape(-1), _PIECE) for tensor in (value, slope, x, *given)]
        for value_piece, slope_piece, part, *others in zip(*pieces, strict=True):
            for place, result in zip((value_piece, slope_piece), terms(part.to(dtype), *others), strict=True):
                place.copy_(result)
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
