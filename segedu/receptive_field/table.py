"""What is known of a network's receptive fields: a row for each layer, printed as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segedu.receptive_field.fields import Axis, Bounded, Endless, Unknown

Interval = tuple[float, float]
Box = tuple[Interval, Interval]


@dataclass(frozen=True)
class AxisField:
    """What the units of a layer see along one axis of the image, in pixels.

    ``size`` is the receptive field, infinite after global pooling. Where units differ, as after a transposed
    convolution, ``sizes`` holds each size that occurs (0 for a unit that sees nothing) and ``size`` the largest.
    ``stride`` is the way from one unit to the next, also called jump; 0 where all units see the same. ``start`` is the
    first pixel that unit 0 sees, negative in the padding, ``padding`` is ``-start``, and ``centre`` is the middle of
    what unit 0 sees. All are None where ``unknown`` names an operator that no rule exists for.
    """

    axis: Axis

    @property
    def unknown(self) -> tuple[str, ...]:
        field = self.axis.endless
        return field.names if isinstance(field, Unknown) else ()

    @property
    def sizes(self) -> tuple[float, ...] | None:
        field = self._field
        return None if field is None else tuple(sorted({_number(max(size, 0)) for size in field.high - field.low + 1}))

    @property
    def size(self) -> float | None:
        return None if self.sizes is None else self.sizes[-1]

    @property
    def stride(self) -> float | None:
        return None if self._field is None else _number(self._field.stride)

    @property
    def start(self) -> float | None:
        return None if self._field is None else _number(self._field.low[0])

    @property
    def padding(self) -> float | None:
        return None if self._field is None else _number(-self._field.low[0])

    @property
    def centre(self) -> float | None:
        return None if self._field is None else _number((self._field.low[0] + self._field.high[0]) / 2)

    @property
    def _field(self) -> Endless | None:
        return self.axis.endless if isinstance(self.axis.endless, Endless) else None


@dataclass(frozen=True)
class Row:
    """One layer, or one place where maps join: its ``name``, the ``operation``, and what its units see.

    ``shape`` is that of its output for one image. ``dilation`` is its own (1 where it has none). Height and width
    are told apart in ``vertical`` and ``horizontal``; the properties of the same names as theirs hold for both.
    """

    name: str
    operation: str
    shape: tuple[int, ...]
    dilation: tuple[int, int]
    vertical: AxisField
    horizontal: AxisField

    @property
    def unknown(self) -> tuple[str, ...]:
        """The operators that stand in the way of an answer."""
        return tuple(dict.fromkeys(self.vertical.unknown + self.horizontal.unknown))

    @property
    def size(self) -> Any:
        """As `AxisField` explains; so are the others. Each raises ``ValueError`` where height and width differ."""
        return self._both("size")

    @property
    def sizes(self) -> Any:
        return self._both("sizes")

    @property
    def stride(self) -> Any:
        return self._both("stride")

    @property
    def start(self) -> Any:
        return self._both("start")

    @property
    def padding(self) -> Any:
        return self._both("padding")

    @property
    def centre(self) -> Any:
        return self._both("centre")

    def box(self, row: int, column: int) -> Box:
        """The first and last pixel row, and the first and last pixel column, that unit ``(row, column)`` sees.

        They may lie outside the image: this is the theoretical field, which counts padding. Raises ``ValueError`` where
        an operator is unknown.
        """
        return _at(self.vertical.axis.endless, row), _at(self.horizontal.axis.endless, column)

    def box_in_image(self, row: int, column: int) -> Box | None:
        """The same within the image: the pixels whose values can reach the unit; None when none can.

        At a border this is not always the theoretical field cut off: the units in between end there too. Raises
        ``ValueError`` where an operator is unknown and ``IndexError`` for a unit that does not exist.
        """
        box = _at(self.vertical.axis.bounded, row), _at(self.horizontal.axis.bounded, column)
        return box if all(first <= last for first, last in box) else None

    def _both(self, name: str) -> Any:
        vertical, horizontal = getattr(self.vertical, name), getattr(self.horizontal, name)
        if vertical != horizontal:
            raise ValueError(
                f"the {name} of {self.name} is {vertical} along the height and {horizontal} along the width; "
                f"ask .vertical.{name} or .horizontal.{name}"
            )
        return vertical


@dataclass(frozen=True)
class ReceptiveField(Sequence[Row]):
    """The rows of a network in the order in which it runs; also ``field["layer4.2.conv2"]``.

    ``outputs`` are the rows of what the network returns, by name, and ``output`` is the one called ``"out"``, or else
    the first.
    """

    rows: tuple[Row, ...]
    outputs: dict[str, Row]

    @property
    def output(self) -> Row:
        return self.outputs.get("out") or next(iter(self.outputs.values()))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return self.rows[key]
        for row in self.rows:
            if row.name == key:
                return row
        raise KeyError(f"no row is called {key!r}; they are called {', '.join(row.name for row in self.rows)}")

    def __str__(self) -> str:
        heads = ("layer", "operation", "size", "stride", "start", "map")
        texts = [heads, *(_texts(row) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        return "\n".join(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in texts
        )


def _texts(row: Row) -> tuple[str, ...]:
    """The cells of one line of the table."""
    if row.unknown:
        fields = [f"unknown: {', '.join(row.unknown)}", "", ""]
    else:
        pairs = [(getattr(row.vertical, name), getattr(row.horizontal, name)) for name in ("sizes", "stride", "start")]
        fields = [" x ".join(map(_text, pair if pair[0] != pair[1] else pair[:1])) for pair in pairs]
    return (row.name, row.operation, *fields, "x".join(map(str, row.shape[1:])))


def _text(value: Any) -> str:
    return " or ".join(f"{one:g}" for one in value) if isinstance(value, tuple) else f"{value:g}"


def _at(field: Endless | Bounded | Unknown, unit: int) -> Interval:
    if not isinstance(field, Endless | Bounded):
        raise ValueError(f"what this unit sees is unknown: there is no rule for {', '.join(field.names)}")
    first, last = field.at(unit)
    return _number(first), _number(last)


def _number(value: float) -> float:
    """An integer where it is whole."""
    return int(value) if float(value).is_integer() else float(value)
