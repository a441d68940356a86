"""Exercise: ``conv_macs(channels, size, kernel, stride, padding, dilation, groups)``, the multiply-adds of a layer.

``channels`` is ``(in, out)`` and ``size`` the ``(height, width)`` of the map that comes in; the kernel is square, and
``kernel``, ``stride``, ``padding`` and ``dilation`` are alike both ways. Biases do not count.
"""

from collections.abc import Callable

from torch import nn

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_number
from segedu.profile import macs

Pair = tuple[int, int]


def _counted(channels: Pair, size: Pair, kernel: int, stride: int, padding: int, dilation: int, groups: int) -> int:
    """By the package, which counts any layer."""
    layer = nn.Conv2d(
        *channels, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups, device="meta"
    )
    return macs(layer, size, channels=channels[0])


def _cells(side: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    return (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _product(
    cells: Callable[..., int] = _cells,
    taps: Callable[[int, int], int] = lambda kernel, dilation: kernel**2,
    pairs: Callable[[int, int, int], float] = lambda source, target, groups: source * target // groups,
) -> Answer:
    """Cells of the output, times taps of the kernel, times pairs of channels: one of the three may be wrong."""

    def answer(channels: Pair, size: Pair, kernel: int, stride: int, padding: int, dilation: int, groups: int) -> float:
        height, width = (cells(side, kernel, stride, padding, dilation) for side in size)
        return height * width * taps(kernel, dilation) * pairs(*channels, groups)

    return answer


def _biased(channels: Pair, size: Pair, kernel: int, stride: int, padding: int, dilation: int, groups: int) -> float:
    height, width = (_cells(side, kernel, stride, padding, dilation) for side in size)
    return height * width * (kernel**2 * channels[0] // groups + 1) * channels[1]


def _weights(channels: Pair, size: Pair, kernel: int, stride: int, padding: int, dilation: int, groups: int) -> int:
    return kernel**2 * channels[0] * channels[1] // groups


def _probes() -> list[tuple[Pair, Pair, int, int, int, int, int]]:
    """A plain layer; then one thing more each time; all together."""
    return [
        ((3, 8), (10, 12), 3, 1, 1, 1, 1),
        ((4, 6), (9, 14), 3, 2, 1, 1, 1),
        ((4, 6), (11, 16), 3, 1, 0, 1, 1),
        ((4, 6), (12, 16), 3, 1, 2, 2, 1),
        ((4, 6), (12, 16), 3, 1, 1, 2, 1),
        ((8, 12), (10, 10), 5, 1, 2, 1, 4),
        ((6, 9), (23, 17), 3, 2, 3, 4, 3),
    ]


conv_macs = Exercise(
    solution=_counted,
    mistakes=(
        Mistake(
            _product(cells=lambda side, *_: side),
            "the map that comes in is counted. A multiply-add is made for a cell of the output, which stride and "
            "missing padding make smaller.",
        ),
        Mistake(
            _product(cells=lambda side, k, s, p, d: -(-side // s)),
            "the output's side is taken as the input's divided by the stride. That is so where the padding keeps the "
            "size; in general it is (side + 2 p - d (k - 1) - 1) // s + 1.",
        ),
        Mistake(
            _product(cells=lambda side, k, s, p, d: _cells(side, k, 1, p, d)),
            "the stride is left out: with stride 2 every second row and column of the output is computed, a quarter.",
        ),
        Mistake(
            _product(cells=lambda side, k, s, p, d: _cells(side, k, s, 0, d)),
            "the padding is left out: it makes the map larger on each side before the kernel goes over it.",
        ),
        Mistake(
            _product(cells=lambda side, k, s, p, d: (side + p - d * (k - 1) - 1) // s + 1),
            "the padding is added once; it stands on both sides of the map.",
        ),
        Mistake(
            _product(cells=lambda side, k, s, p, d: _cells(side, k, s, p, 1)),
            "the size of the output takes no notice of dilation. A spread kernel spans d (k - 1) + 1 cells, so fewer "
            "places hold it.",
        ),
        Mistake(
            _product(cells=lambda side, k, s, p, d: -(-(side + 2 * p - d * (k - 1) - 1) // s) + 1),
            "the division by the stride rounds up. A place where the kernel would hang over the edge is left out: "
            "round down.",
        ),
        Mistake(
            _product(taps=lambda k, d: (k * d) ** 2),
            "dilation multiplies the work. It moves the taps apart and adds none: a 3x3 kernel has nine at any rate.",
        ),
        Mistake(
            _product(taps=lambda k, d: (d * (k - 1) + 1) ** 2),
            "the cells between the taps are counted. A dilated kernel skips them; that is what it is for.",
        ),
        Mistake(
            _product(taps=lambda k, d: k),
            "the kernel is counted along one side only; a square one has k * k taps.",
        ),
        Mistake(
            _product(pairs=lambda a, b, g: a * b),
            "groups are left out. With g of them an output channel reads in / g input channels, so the work is divided "
            "by g.",
        ),
        Mistake(
            _product(pairs=lambda a, b, g: a * b / g**2),
            "groups divide twice. Each of the g groups has in / g times out / g pairs of channels, and there are g of "
            "them.",
        ),
        Mistake(
            _product(pairs=lambda a, b, g: a * b * g),
            "groups multiply the work. They divide it: each output channel reads the channels of its own group.",
        ),
        Mistake(
            _product(pairs=lambda a, b, g: (a + b) // g),
            "the channels are added. Every output channel reads every input channel of its group: they multiply.",
        ),
        Mistake(
            _product(pairs=lambda a, b, g: 2 * a * b // g),
            "this counts multiplications and additions one by one, as FLOPs do. A multiply-add is both: half of that.",
        ),
        Mistake(_biased, "a bias is counted for each value of the output; here biases do not count."),
        Mistake(
            _weights,
            "these are the weights of the layer, which do not depend on the map. Each of them works once for every "
            "cell of the output.",
        ),
    ),
    probes=_probes,
    observe=one_number,
    learnt=(
        "cells of the output, times taps, times pairs of channels in a group. Dilation is no factor, resolution is one "
        "twice: half the side, a quarter of the work."
    ),
)
