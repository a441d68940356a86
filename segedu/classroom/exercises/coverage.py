"""Exercise: ``rates(size)``, dilation rates of the fewest 3x3 layers that read a field of ``size`` cells without holes.

``size`` is odd, strides are 1, and the field has exactly that size. Many lists are right: what is looked at is how far
the layers reach, which cells they read, and how many they are. Rows and columns are alike, so one row is enough.
"""

import reprlib
from collections.abc import Callable
from operator import index
from typing import Any

import torch

from segedu.classroom.exercises.exercise import Answer, Exercise, Hint, Mistake, Observed
from segedu.receptive_field.coverage import Gridding, gridding, plan

LARGEST = 1001  # cells: far above every size that is asked for, and still quick to look through


def _reach(returned: Any) -> Observed:
    rates = _numbers(returned)
    field = 1 + 2 * sum(rates)
    if field > LARGEST:
        raise Hint(f"these {len(rates)} layers span {field} cells: a rate r adds 2 r cells to the field.")
    if rates and (stack := gridding(rates)).coverage < 1:
        raise Hint(_holes(stack))
    return {"the size of the field": torch.tensor(field), "the number of layers": torch.tensor(len(rates))}


def _numbers(returned: Any) -> list[int]:
    try:
        rates = list(map(index, returned))
    except TypeError:
        raise Hint(
            f"return a list of whole numbers, one rate a layer; the function returns {reprlib.repr(returned)}. (// "
            "divides without leaving a fraction.)"
        ) from None
    if any(rate < 1 for rate in rates):
        raise Hint(
            f"a rate is at least 1, which is an ordinary convolution; the function returns {reprlib.repr(rates)}."
        )
    return rates


def _holes(stack: Gridding) -> str:
    """Where the first hole is, what share of the field is read, why, and whether a well-known rule would have known."""
    first = stack.axis_paths[stack.size // 2 :].index(0)
    text = (
        f"the field of {list(stack.rates)} has holes, the first {_cells(first)} from the centre: {stack.reached} of "
        f"{stack.size} cells in a row are read, {stack.coverage:.0%} of the square. {_reason(stack)}"
    )
    if stack.hdc_passes:
        text += (
            f" (The HDC rule lets these rates pass, with M2 = {stack.hdc_distance}: it never reads the first of them, "
            "and goes by their order.)"
        )
    return text


def _reason(stack: Gridding) -> str:
    if stack.gcd > 1:
        return f"All rates are multiples of {stack.gcd}, so steps of {stack.gcd} are all that their sums can make."
    if 1 not in stack.rates:
        return "No rate is 1, so the cell next to the outermost is never read."
    field = 1
    for rate in sorted(stack.rates):
        if rate > field:
            break
        field += 2 * rate
    return (
        f"Rates below {rate} read {field} cells side by side; rate {rate} lays copies of them {rate} cells apart, too "
        "far for the copies to touch."
    )


def _cells(number: int) -> str:
    return "1 cell" if number == 1 else f"{number} cells"


def _grown(rate: Callable[[int, int], int], wanted: Callable[[int], int] = lambda size: size) -> Answer:
    """An answer that adds ``rate(field so far, layers so far)``, or what is missing, until the field is complete."""

    def answer(size: int) -> list[int]:
        rates: list[int] = []
        while (field := 1 + 2 * sum(rates)) < wanted(size):
            rates.append(min(rate(field, len(rates)), (wanted(size) - field) // 2))
        return rates

    return answer


_widest = _grown(lambda field, layers: field)


def _untrimmed(size: int) -> list[int]:
    rates: list[int] = []
    while 3 ** len(rates) < size:
        rates.append(3 ** len(rates))
    return rates


ONE_SIDE = (
    "there are no holes, but the field is nearly twice as large as asked: a 3x3 layer of rate r reaches r cells "
    "further on the left and on the right, so it adds 2 r."
)

rates = Exercise(
    solution=plan,
    mistakes=(
        Mistake(
            _grown(lambda field, layers: 1),
            "these are ordinary convolutions: no holes, but each adds two cells, so they become many. Where the field "
            "so far is f cells wide, a rate of up to f leaves no hole.",
        ),
        Mistake(
            _grown(lambda field, layers: layers + 1),
            "no holes and the right field, with more layers than it takes: rates 1, 2, 3, 4 ... stay far behind what "
            "is possible. Where the field so far is f cells wide, a rate of up to f leaves no hole.",
        ),
        Mistake(
            _grown(lambda field, layers: 2**layers),
            "no holes and the right field, with more layers than it takes: when rates double, most cells are read "
            "along several paths. Three taps a layer make 3 ** n paths through n layers, and a path can have a cell "
            "to itself.",
        ),
        Mistake(
            _untrimmed,
            "no holes, and as few layers as it takes, but the field is larger than asked: the last rate need only be "
            "half of what is missing.",
        ),
        Mistake(_grown(lambda field, layers: 2**layers, lambda size: 2 * size - 1), ONE_SIDE),
        Mistake(_grown(lambda field, layers: field, lambda size: 2 * size - 1), ONE_SIDE),
        Mistake(_grown(lambda field, layers: field, lambda size: 2 * size + 1), ONE_SIDE),
        Mistake(
            lambda size: _widest(size)[:-1],
            "the field has no holes, but one layer is missing at the end: the loop stops too early.",
        ),
        Mistake(
            lambda size: _widest(size)[1:],
            "the first layer is missing: a layer of rate 1 has to be among those that you list, or cells next to the "
            "centre stay unread.",
        ),
    ),
    probes=lambda: [(size,) for size in (3, 5, 9, 17, 27, 41, 101)],
    observe=_reach,
    learnt=(
        "put the rates in order: no rate may exceed the field that the smaller ones make. Then there are no holes, and "
        "rates 1, 3, 9, 27 ... reach furthest: they give each of 3 ** n cells exactly one path."
    ),
)
