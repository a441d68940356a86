"""The table of the receptive-field explorer: a row for each layer of the stack, with the numbers of its field."""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

from segedu.classroom.explorers.scene import Primitive, line, rectangle, text
from segedu.classroom.explorers.stack_view import View, sizes_of
from segedu.receptive_field.stack import Layer, Level

LEFT, RIGHT, TOP = 446, 838, 240  # CSS pixels
ROW, ROWS = 22, 10  # from one row to the next, and how many there are
COLUMNS = {"size": 654, "stride": 707, "start": 757, "map": 799, "rate": 836}  # where they end
CHOSEN_ROW = "#D55E0033"


def table(view: View) -> Iterator[Primitive]:
    """A row for the image and each layer; around the chosen one where there are too many."""
    rows: list[tuple[str, ...]] = [("image", "1", "1", "0", str(view.pixels), "")]
    rows += [_row(place, level) for place, level in enumerate(view.levels, 1)]
    rows += [_impossible(place, layer) for place, layer in enumerate(view.layers, 1)][len(view.levels) :]
    here = view.chosen + 1
    first = max(0, min(here - ROWS // 2, len(rows) - ROWS))
    shown = rows[first : first + ROWS]
    yield rectangle((LEFT - 4, TOP + ROW * (here - first + 0.5) + 1, RIGHT - LEFT + 6, ROW), fill=CHOSEN_ROW)
    hidden = len(rows) > ROWS
    heads = (f"layers, of {len(view.layers)}" if hidden else "layer", *COLUMNS)
    yield from _line(TOP, heads, "muted")
    for index, words in enumerate(shown, 1):
        yield from _line(TOP + ROW * index, words, "text" if first + index - 1 <= len(view.levels) else "now")
    yield line([(LEFT, TOP + ROW / 2), (RIGHT, TOP + ROW / 2)], stroke="border", width=1)


def _line(y: float, words: Iterable[str], fill: str) -> Iterator[Primitive]:
    label, *numbers = words
    yield text((LEFT, y), label, fill=fill)
    for right, number in zip(COLUMNS.values(), numbers, strict=True):
        if number:
            yield text((right, y), number, fill=fill, align="right")


def _row(place: int, level: Level) -> tuple[str, ...]:
    field = level.field
    sizes = sizes_of(field)
    size = "/".join(map(str, sizes)) if len(sizes) < 3 else f"{sizes[0]}–{sizes[-1]}"
    rate = "" if level.layer.kind == "skip" else str(level.layer.dilation)
    return (_short(place, level.layer), size, fraction(field.stride), number(field.start), str(level.units), rate)


def _impossible(place: int, layer: Layer) -> tuple[str, ...]:
    return (_short(place, layer), "–", "–", "–", "–", "")


def _short(place: int, layer: Layer) -> str:
    window = f" {layer.kernel}×{layer.kernel}" if layer.kind in ("conv", "pool", "transposed") else ""
    return f"{place:\N{FIGURE SPACE}>2}  {'transp.' if layer.kind == 'transposed' else layer.kind}{window}"


def number(value: float | None) -> str:
    """A number with the sign of arithmetic; a dash where there is none."""
    return "–" if value is None or math.isinf(value) else f"{value:g}".replace("-", "−")


def fraction(value: float | None) -> str:
    """``2``, or ``4/3`` as transposed layers make of strides."""
    return str(Fraction(value or 0).limit_denominator(1000))
