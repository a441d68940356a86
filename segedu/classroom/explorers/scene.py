"""What a stage can draw: grids of cells, rectangles, lines, rings and text, as values that travel to the browser.

Places are pixels of the scene, x to the right and y down. A colour is ``"#rrggbb"``, ``"#rrggbbaa"`` or a role that
follows the reader's theme: ``text``, ``muted``, ``border``, ``background``, and the house's ``now`` (vermilion) and
``rest`` (blue).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

FONT_SIZE = 15  # CSS pixels, a little over 11 pt

Primitive = dict[str, Any]
Box = tuple[float, float, float, float]  # x, y, width, height
Point = tuple[float, float]
Cell = dict[str, Any]  # {"panel": name, "row": int, "col": int}
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """A picture of ``width`` x ``height`` CSS pixels: primitives, drawn in order."""

    width: int
    height: int
    items: list[Primitive] = field(default_factory=list)

    @property
    def panels(self) -> dict[str, tuple[int, int]]:
        """The grids that report their cells, by name: ``(rows, cols)`` of each."""
        return {item["panel"]: tuple(item["shape"]) for item in self.items if item.get("panel")}

    def to_dict(self) -> dict[str, Any]:
        """The scene as it travels to the browser."""
        return {"width": self.width, "height": self.height, "items": self.items}

    def holds(self, cell: Cell) -> bool:
        """Whether ``cell`` lies on one of this scene's panels."""
        rows, cols = self.panels.get(cell["panel"], (0, 0))
        return bool(0 <= cell["row"] < rows and 0 <= cell["col"] < cols)

    def place(self, cell: Cell) -> Point:
        """Where the centre of a cell lies in its panel: fractions ``(down, right)`` of the panel's height and width."""
        rows, cols = self.panels[cell["panel"]]
        return (cell["row"] + 0.5) / rows, (cell["col"] + 0.5) / cols


def cells(box: Box, indices: Bytes, palette: Bytes, *, panel: str | None = None) -> Primitive:
    """A grid of flat cells over ``box``: ``(rows, cols)`` uint8 indices into a ``(colours, 4)`` RGBA palette.

    With a ``panel`` name the stage reports which cell is pointed at. Raises ``ValueError`` for an index beyond the
    palette.
    """
    if indices.ndim != 2 or palette.ndim != 2 or palette.shape[1] != 4:
        raise ValueError(
            f"cells takes (rows, cols) indices and a (colours, 4) palette, got {indices.shape} and {palette.shape}"
        )
    if indices.size and int(indices.max()) >= len(palette):
        raise ValueError(f"cells hold index {int(indices.max())}, but the palette has {len(palette)} colours")
    return _grid(box, indices, panel) | {"palette": np.ascontiguousarray(palette, np.uint8).tobytes()}


def picture(box: Box, rgb: Bytes, *, panel: str | None = None) -> Primitive:
    """A colour picture, ``(rows, cols, 3)`` uint8, stretched over ``box``; its pixels report like cells."""
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"a picture has shape (rows, cols, 3), got {rgb.shape}")
    return _grid(box, rgb, panel) | {"palette": None}


def _grid(box: Box, data: Bytes, panel: str | None) -> Primitive:
    if data.dtype != np.uint8:
        raise TypeError(f"a grid of cells is sent as uint8, got {data.dtype}: quantise it first")
    return {
        "kind": "cells",
        "box": list(box),
        "shape": list(data.shape[:2]),
        "data": np.ascontiguousarray(data).tobytes(),
        "panel": panel,
    }


def rectangle(
    box: Box, *, fill: str | None = None, stroke: str | None = None, width: float = 1, halo: bool = False
) -> Primitive:
    """A rectangle; ``halo`` puts a light edge around the stroke, so it shows on any picture."""
    return {"kind": "rectangle", "box": list(box), "fill": fill, "stroke": stroke, "width": width, "halo": halo}


def line(points: Iterable[Point], *, stroke: str = "rest", width: float = 2) -> Primitive:
    """A line through ``points``."""
    return {"kind": "line", "points": [list(point) for point in points], "stroke": stroke, "width": width}


def ring(at: Point, radius: float = 5, *, stroke: str = "now", width: float = 2) -> Primitive:
    """A circle around one place, with a light edge so it shows on any picture."""
    return {"kind": "ring", "at": list(at), "radius": radius, "stroke": stroke, "width": width}


def text(
    at: Point,
    words: str,
    *,
    fill: str = "text",
    size: float = FONT_SIZE,
    align: Literal["left", "center", "right"] = "left",
    plate: bool = False,
) -> Primitive:
    """Words, vertically centred on ``at``; a ``plate`` of the background keeps them readable on a picture."""
    return {
        "kind": "text",
        "at": list(at),
        "text": words,
        "fill": fill,
        "size": size,
        "align": align,
        "plate": plate,
    }


def gradient(*anchors: Sequence[int], steps: int = 255) -> Bytes:
    """A palette of ``steps`` opaque colours that runs evenly through RGB ``anchors``: ``(steps, 4)`` uint8."""
    at = np.linspace(0, len(anchors) - 1, steps)
    channels = [np.interp(at, range(len(anchors)), [anchor[c] for anchor in anchors]) for c in range(3)]
    return np.stack([*channels, np.full(steps, 255.0)], axis=1).round().astype(np.uint8)


SIGNED = gradient((0, 114, 178), (247, 247, 247), (213, 94, 0))
"""Blue below 0, white at 0, vermilion above: for scores and differences."""


def signed(values: npt.NDArray[np.floating[Any]], limit: float) -> Bytes:
    """Indices into `SIGNED`: ``-limit`` -> 0, zero -> 127, ``+limit`` -> 254; clipped beyond, NaN drawn as zero."""
    if not limit > 0:
        raise ValueError(f"limit is {limit}, expected a positive number: the score that gets the full colour")
    return np.asarray(127 + np.rint(127 * np.clip(np.nan_to_num(values / limit), -1, 1)), np.uint8)
