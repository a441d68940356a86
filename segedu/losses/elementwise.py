"""A loss of one number at a time, whose derivative is known in closed form."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from segedu.losses.chunks import RUN
from segedu.losses.derivatives import gradient_to_follow
from segedu.losses.inputs import accumulator, arithmetic_dtype
from segedu.losses.pages import gradient_like, slope_like


class Place(NamedTuple):
    """Where a value and its derivative are written, and memory for three steps between, all of one shape.

    Fresh memory for every step would take longer than the arithmetic done in it.
    """

    value: Tensor
    slope: Tensor
    one: Tensor
    other: Tensor
    third: Tensor


def place_like(x: Tensor) -> Place:
    """Memory for what becomes of ``x``."""
    return Place(*(torch.empty_like(x) for _ in Place._fields))


class Elementwise(NamedTuple):
    """A loss at each element of ``x``, worked out when it is known in what form it is wanted: as a map or as its sum.

    ``terms(place, x, *given)`` writes value and derivative by ``x``, in one reading of ``x``. ``given`` are of the
    shape of ``x`` and get no gradient. ``x`` comes to ``terms`` in float32 (float64 for float64), and the value stays
    so. ``plain(x, *given)`` is the value in steps that autograd can follow, for ``torch.compile`` and for second
    derivatives; it has to have finite first derivatives wherever ``terms`` has.
    """

    terms: Callable[..., None]
    plain: Callable[..., Tensor]
    x: Tensor
    given: tuple[Tensor, ...] = ()

    def view(self, shape: torch.Size) -> Tensor:
        """The values in another shape."""
        return self._found(_Map, lambda values: values).view(shape)

    def sum(self) -> Tensor:
        """Their sum, for which the values are never all there at once."""
        return self._found(_Sum, Tensor.sum)

    def _found(self, function: type[torch.autograd.Function], form: Callable[[Tensor], Tensor]) -> Tensor:
        def plain(x: Tensor, *given: Tensor) -> Tensor:
            return form(self.plain(x.to(arithmetic_dtype(x)), *given))

        if torch.compiler.is_compiling():
            return plain(self.x, *self.given)
        found: Tensor = function.apply(self.terms, plain, self.x, *self.given)[0]
        return found


class _Saved(torch.autograd.Function):
    """A function whose second output is the derivative of its values, element by element.

    The derivatives become the gradient in their own memory, so a second backward pass works them out anew.
    """

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.terms, ctx.plain, *tensors = inputs
        ctx.slope = output[1]
        ctx.mark_non_differentiable(ctx.slope)
        ctx.set_materialize_grads(False)  # else autograd fills a map with zeros for the slopes
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
        x, *given = ctx.saved_tensors
        slope, ctx.slope = ctx.slope, None
        if gradient is None:
            found = None
        elif torch.is_grad_enabled():
            found = gradient_to_follow(lambda x: ctx.plain(x, *given), x, gradient)
        else:
            slope = _Map.forward(ctx.terms, None, x, *given)[1] if slope is None else slope
            found = slope.mul_(gradient).to(x.dtype)
        return None, None, found, *(None for _ in given)


class _Map(_Saved):
    """The values beside their derivatives."""

    @staticmethod
    def forward(terms: Any, plain: Any, x: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = torch.empty(x.shape, dtype=arithmetic_dtype(x), device=x.device), slope_like(x)
        pieces = torch.split(value.view(-1), _piece(x))
        for (place, part, others), piece in zip(_places(slope, x, given), pieces, strict=True):
            terms(place._replace(value=piece), part, *others)
        return value, slope


class _Sum(_Saved):
    """The sum of the values beside the derivative of each."""

    @staticmethod
    def forward(terms: Any, plain: Any, x: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
        slope = slope_like(x)
        total = slope.new_zeros((), dtype=accumulator(x))
        for place, part, others in _places(slope, x, given):
            terms(place, part, *others)
            total += place.value.sum()
        return total.to(slope.dtype), slope


def _places(slope: Tensor, x: Tensor, given: Sequence[Tensor]) -> Iterator[tuple[Place, Tensor, list[Tensor]]]:
    """Piece by piece: where to write the derivative, beside memory that is used again, and what there is to read."""
    rows = slope.view(-1)[: _piece(x)].expand(len(Place._fields) - 1, -1)
    room = gradient_like(rows, memory_format=torch.contiguous_format)
    for part, derivative, *others in zip(
        *(torch.split(tensor.reshape(-1), _piece(x)) for tensor in (x, slope, *given)), strict=True
    ):
        value, *steps = room[:, : part.numel()]
        yield Place(value, derivative, *steps), part.to(slope.dtype), others


def _piece(x: Tensor) -> int:
    return RUN if x.device.type == "cpu" else max(1, x.numel())
