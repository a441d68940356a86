"""Exercise: ``same_size(channels, kernel, dilation)``, repair a dilated convolution that does not keep the map's size.

The kernel is odd. What is looked at is what the layer does to a map: the size that it gives, and the cells that one of
its values reads. So every way to pad counts, ``padding="same"`` and a padding layer in front too.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from segedu.classroom.exercises.exercise import Answer, Exercise, Hint, Mistake, Observed

CHANNELS = 2
MAP = (41, 37)  # larger than any kernel here, unpadded


def _effect(returned: Any) -> Observed:
    if not isinstance(returned, nn.Module):
        raise Hint(f"return a layer, nn.Conv2d(...); the function returns an object of type {type(returned).__name__}.")
    with torch.no_grad():
        for parameter in returned.parameters():
            parameter.fill_(1)
    maps = torch.ones(1, CHANNELS, *MAP, requires_grad=True)
    with torch.enable_grad():
        values = returned.eval()(maps)
    _, channels, height, width = values.shape
    middle = height // 2, width // 2
    (gradient,) = torch.autograd.grad(values[(0, 0, *middle)], maps)
    read, rows, columns = (torch.unique(places) for places in gradient[0].nonzero(as_tuple=True))
    return {
        f"the shape of what the layer makes of a {(CHANNELS, *MAP)} map": torch.tensor([channels, height, width]),
        "the list of rows that one value reads, counted from its own,": rows - middle[0],
        "the list of columns that one value reads, counted from its own,": columns - middle[1],
        "the list of channels that one value reads": read,
    }


def _padded(padding: Callable[[int, int], int]) -> Answer:
    """A dilated convolution padded by ``padding(kernel, dilation)`` on each side."""
    return lambda channels, kernel, dilation: nn.Conv2d(
        channels, channels, kernel, padding=padding(kernel, dilation), dilation=dilation
    )


def _half(kernel: int, dilation: int) -> int:
    return (kernel - 1) * dilation // 2


def _undilated(padding: Callable[[int, int], int]) -> Answer:
    return lambda channels, kernel, dilation: nn.Conv2d(channels, channels, kernel, padding=padding(kernel, dilation))


def _large_kernel(channels: int, kernel: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, (kernel - 1) * dilation + 1, padding=_half(kernel, dilation))


def _single_channel(channels: int, kernel: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, kernel, padding=_half(kernel, dilation), dilation=dilation, groups=channels)


def _one_sided(before: int, after: int) -> Answer:
    """All padding on one side: ``before`` or ``after`` is 1, the other 0."""

    def answer(channels: int, kernel: int, dilation: int) -> nn.Sequential:
        whole = (kernel - 1) * dilation
        pad = nn.ZeroPad2d((before * whole, after * whole) * 2)
        return nn.Sequential(pad, nn.Conv2d(channels, channels, kernel, dilation=dilation))

    return answer


TOO_LONG = (
    "the padding is a little too large: the spread kernel is counted too long. From its first tap to its last there "
    "are k - 1 steps of d cells, and half of them fall on each side of the middle."
)
ONE_SIDED = (
    "the size is right, but all the padding stands on one side, so every value looks that way only and the map shifts. "
    "Half of it belongs on each side."
)

same_size = Exercise(
    solution=_padded(_half),
    mistakes=(
        Mistake(
            _padded(lambda k, d: 0),
            "there is no padding, so the map loses (k - 1) * d rows and columns: at the border the kernel has to stay "
            "inside. Half as many go on each side.",
        ),
        Mistake(
            _padded(lambda k, d: k // 2),
            "k // 2 is right for rate 1 alone. Dilation spreads the taps, so the outermost is not k // 2 cells from "
            "the middle but d times as far; the map shrinks with every layer.",
        ),
        Mistake(
            _padded(lambda k, d: d),
            "padding=dilation is right for a 3x3 kernel alone, which has one tap on each side of the middle. A kernel "
            "of 5 has two, a kernel of 1 has none.",
        ),
        Mistake(
            _padded(lambda k, d: (k - 1) * d),
            "(k - 1) * d is the padding of both sides together. nn.Conv2d adds its padding on each side, so the map "
            "grows by as much as it would have shrunk.",
        ),
        Mistake(
            _padded(lambda k, d: k // 2 + d - 1),
            "the rate is added where it multiplies: each of the k // 2 taps on a side stands d cells from the one "
            "before. For a 3x3 kernel the two give the same.",
        ),
        Mistake(
            _padded(lambda k, d: k // 2 * (d - 1)),
            "d - 1 counts the holes between two taps; from one tap to the next it is d cells. With d = 1 there would "
            "be no padding at all.",
        ),
        Mistake(_padded(lambda k, d: k * d // 2), TOO_LONG),
        Mistake(_padded(lambda k, d: (k * d + 1) // 2), TOO_LONG),
        Mistake(_padded(lambda k, d: (k + (k - 1) * d) // 2), TOO_LONG),
        Mistake(
            _undilated(lambda k, d: k // 2),
            "the size is right, but the layer is no longer dilated: it reads k neighbouring cells, and the wide field "
            "was what the dilation was for.",
        ),
        Mistake(
            _undilated(_half),
            "the padding is that of a dilated kernel, but the layer has no dilation, so the map grows: hand over "
            "dilation=dilation as well.",
        ),
        Mistake(
            _large_kernel,
            "size and span are right, but this is a full kernel of (k - 1) * d + 1: it reads the cells between the "
            "taps too, and pays for them with weights. A dilated kernel keeps its k x k weights.",
        ),
        Mistake(_one_sided(1, 0), ONE_SIDED),
        Mistake(_one_sided(0, 1), ONE_SIDED),
        Mistake(
            _single_channel,
            "size and field are right, but with groups=channels a value reads one channel only; the given layer reads "
            "all of them.",
        ),
    ),
    probes=lambda: [(CHANNELS, *setting) for setting in ((3, 1), (3, 2), (5, 1), (5, 2), (7, 3), (1, 4))],
    observe=_effect,
    learnt=(
        "half of the spread kernel on each side, (k - 1) * d / 2. For a 3x3 kernel that is the rate itself, which is "
        "why code so often has padding=r beside dilation=r."
    ),
    given=_padded(lambda k, d: 1),
)
