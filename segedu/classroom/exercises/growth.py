"""Exercise: ``receptive_field(layers)``, how many input pixels one value sees, and how far apart two values stand.

``layers`` is a list of ``(kernel, stride, dilation)``, first layer first; the answer is the pair ``(size, jump)`` of
the last, in input pixels. Both start at 1; a layer adds ``(k - 1) d`` jumps to the size and then multiplies the jump
by ``s`` (claim D4 of the notes).
"""

import reprlib
from collections.abc import Callable
from math import prod
from operator import index
from typing import Any

import torch

from segedu.classroom.exercises.exercise import Answer, Exercise, Hint, Mistake, Observed

Layer = tuple[int, int, int]
Pair = tuple[int, int]

CONV, POOL, FC6 = (3, 1, 1), (2, 2, 1), (7, 1, 1)
VGG16 = [*2 * [CONV, CONV, POOL], *3 * [CONV, CONV, CONV, POOL], FC6]


def _pair(returned: Any) -> Observed:
    try:
        size, jump = map(index, returned)
    except (TypeError, ValueError):
        raise Hint(
            "return two whole numbers, (size, jump), and only those of the last layer; the function returns "
            f"{reprlib.repr(returned)}."
        ) from None
    return {"the size": torch.tensor(size), "the jump": torch.tensor(jump)}


def _stacks() -> list[tuple[list[Layer]]]:
    """One rule after the other: kernel, dilation, stride, all three; then a whole network, and no layer at all."""
    return [
        ([(3, 1, 1)],),
        ([(5, 1, 2)],),
        ([(3, 2, 1), (3, 2, 1)],),
        ([(2, 2, 1), (3, 1, 4), (5, 3, 2), (3, 1, 1)],),
        (list(VGG16),),  # a copy: an answer may take layers off
        ([],),
    ]


def _walk(step: Callable[[int, int, int, int, int], Pair], start: Pair = (1, 1)) -> Answer:
    """An answer that goes from layer to layer by ``step(size, jump, kernel, stride, dilation)``."""

    def answer(layers: list[Layer]) -> Pair:
        size, jump = start
        for layer in layers:
            size, jump = step(size, jump, *layer)
        return size, jump

    return answer


def _adding(cells: Callable[[int, int], int]) -> Answer:
    """An answer in which a layer adds ``cells(kernel, dilation)`` jumps to the size."""
    return _walk(lambda size, jump, k, s, d: (size + cells(k, d) * jump, jump * s))


def _jumping(update: Callable[[int, int, int], int]) -> Answer:
    """An answer in which the jump becomes ``update(jump, stride, dilation)``."""
    return _walk(lambda size, jump, k, s, d: (size + (k - 1) * d * jump, update(jump, s, d)))


def _right_steps(size: int, jump: int, kernel: int, stride: int, dilation: int) -> Pair:
    return size + (kernel - 1) * dilation * jump, jump * stride


_right = _walk(_right_steps)


def _last_jump_for_all(layers: list[Layer]) -> Pair:
    jump = prod(stride for _, stride, _ in layers)
    return 1 + sum((kernel - 1) * dilation * jump for kernel, _, dilation in layers), jump


WHOLE_SPAN = (
    "each layer adds its whole kernel. Neighbouring taps have k - 1 steps between them, not k: a 1x1 kernel adds "
    "nothing, a 3x3 kernel adds two steps."
)
ADDED_STRIDES = (
    "strides are added to the jump. Two steps of 2 in a grid that was already thinned by 2 are 4 pixels apart, and by "
    "a third layer 8: strides multiply."
)
FROM_THE_END = (
    "this is the field of the same layers in reverse order. The formula with jumps walks from the first layer to the "
    "last; the one that multiplies the size so far by the stride walks from the last to the first."
)

receptive_field = Exercise(
    solution=_right,
    mistakes=(
        Mistake(
            _walk(lambda size, jump, k, s, d: (size + (k - 1) * d * jump * s, jump * s)),
            "the jump is multiplied by the layer's stride before the size has used it. The taps of a layer stand on "
            "its input, where the jump is still that of the layers before: first the size, then the jump.",
        ),
        Mistake(
            _walk(lambda size, jump, k, s, d: (size + (k - 1) * d, jump * s)),
            "the jump is right, but the size does not use it. After a stride, neighbouring taps stand a whole jump "
            "apart on the input, so a layer adds (k - 1) * d jumps and not as many pixels.",
        ),
        Mistake(
            _jumping(lambda jump, s, d: jump),
            "strides are left out, so the jump stays 1. Every stride thins the grid: after it, one step to the next "
            "value is that many steps of the grid before.",
        ),
        Mistake(
            _adding(lambda k, d: k - 1),
            "dilation is left out: it pulls the taps apart, so that the k - 1 steps between them are d cells each.",
        ),
        Mistake(_adding(lambda k, d: k * d), WHOLE_SPAN),
        Mistake(_adding(lambda k, d: k), WHOLE_SPAN + " Dilation is left out as well."),
        Mistake(
            _adding(lambda k, d: k * d - 1),
            "the dilated kernel is taken to be k * d cells long. It ends at its last tap: k - 1 steps of d cells, and "
            "one cell more, (k - 1) * d + 1 in all, of which the first cell was counted before.",
        ),
        Mistake(
            _adding(lambda k, d: k - 1 + (k - 1) * d),
            "the dilated kernel is taken to be k + (k - 1) * d cells long. Rate d puts d - 1 holes between two taps, "
            "not d, so it is k + (k - 1) * (d - 1) = (k - 1) * d + 1 cells long and adds (k - 1) * d steps.",
        ),
        Mistake(
            _adding(lambda k, d: (k - 1) * (d - 1)),
            "d - 1 is the number of holes between two taps; the step from tap to tap is d. With d = 1, an ordinary "
            "layer, your size never grows.",
        ),
        Mistake(
            _adding(lambda k, d: k // 2 * d),
            "only one side of the kernel is counted. The size is that of the whole field, from the first tap to the "
            "last: k - 1 steps, not k // 2.",
        ),
        Mistake(
            _walk(_right_steps, (0, 1)),
            "the size is one too small everywhere: it starts at 1, because with no layer at all a pixel sees itself.",
        ),
        Mistake(
            _walk(_right_steps, (1, 0)),
            "the jump starts at 0 and stays there, whatever it is multiplied by. It starts at 1: neighbouring pixels "
            "of the input are one pixel apart.",
        ),
        Mistake(_walk(_right_steps, (0, 0)), "size and jump start at 0; with no layer at all, both are 1."),
        Mistake(_jumping(lambda jump, s, d: jump + s), ADDED_STRIDES),
        Mistake(_jumping(lambda jump, s, d: jump + s - 1), ADDED_STRIDES),
        Mistake(
            _jumping(lambda jump, s, d: s),
            "the jump is the stride of the last layer alone; it is the product of all strides so far.",
        ),
        Mistake(
            _jumping(lambda jump, s, d: jump * s * d),
            "dilation multiplies the jump. It pulls the taps of one layer apart, but the values of that layer stand as "
            "close as before: only strides change the jump.",
        ),
        Mistake(
            _last_jump_for_all,
            "every layer is given the jump of the whole stack. Strides of later layers do not spread the taps of "
            "earlier ones: each layer uses the jump that has come about before it.",
        ),
        Mistake(lambda layers: _right(layers[::-1]), FROM_THE_END),
        Mistake(_walk(lambda size, jump, k, s, d: ((size - 1) * s + (k - 1) * d + 1, jump * s)), FROM_THE_END),
        Mistake(
            lambda layers: _right(layers)[::-1],
            "both numbers are right, in the wrong order: return (size, jump).",
        ),
        Mistake(
            lambda layers: _right(layers[:1]),
            "only the first layer is counted: return must not stand inside the loop.",
        ),
        Mistake(
            lambda layers: _right(layers[:-1]),
            "the last layer is not counted: the field is that of a value which the last layer gives.",
        ),
    ),
    probes=_stacks,
    observe=_pair,
    learnt=(
        "a layer adds (k - 1) * d jumps, and only a stride makes the jump longer. So a layer sees further the later it "
        "stands, and dilation does for one layer what strides do for all that follow."
    ),
)
