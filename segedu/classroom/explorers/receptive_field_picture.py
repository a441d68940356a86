"""How the receptive-field explorer looks: the picture with a unit's field on it, the map, and a table of the layers."""

import functools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from segedu.classroom.explorers import field_frame
from segedu.classroom.explorers.field_frame import Frame
from segedu.classroom.explorers.field_map import SHADES, step, units_map
from segedu.classroom.explorers.heat import FINEST_GRID, grid_lines, outlines
from segedu.classroom.explorers.layer_table import table
from segedu.classroom.explorers.scene import Bytes, Primitive, Scene, cells, rectangle, ring, text
from segedu.classroom.explorers.stack_view import Images, Unit, View
from segedu.receptive_field.table import Box as Field

WIDTH, HEIGHT = 840, 492  # CSS pixels
LEFT, TOP, SIDE = field_frame.LEFT, field_frame.TOP, field_frame.SIDE
MOST_CELLS = 256  # along a side of the picture: it has no more pixels on the screen
MOST_HEAT = 128  # the same for a heat map, which is smooth
SMALLEST_CELL = 5  # CSS pixels: a smaller unit or pixel gets a ring around it
PADDING, THIN = "#80808038", "#000000"

HEAT = SHADES.copy()
HEAT[:, 3] = 230 * np.linspace(0, 1, len(HEAT)) ** 0.5  # the picture shows through where it is cold


class ReceptiveFieldPicture:
    """Draws a `View` over the first of the images that it is made with, normalised by ``mean`` and ``std``."""

    def __init__(self, images: Images, mean: Sequence[float], std: Sequence[float]) -> None:
        self._images, self._mean, self._std = images, mean, std
        self._flat = functools.lru_cache(maxsize=8)(self._flattened)

    def scene(self, view: View) -> Scene:
        """The picture and what lies around it, the map in colours of its fields, and the table."""
        frame = Frame.around(view)
        return Scene(WIDTH, HEIGHT, [*self._picture(frame), *_heat(view, frame), *units_map(view), *table(view)])

    def _picture(self, frame: Frame) -> Iterator[Primitive]:
        around = f", {frame.margin} px of padding around it" if frame.margin else ""
        yield text((LEFT, TOP / 2), f"picture {frame.pixels} × {frame.pixels}{around}")
        yield rectangle((LEFT, TOP, SIDE, SIDE), fill=PADDING)
        indices, palette = self._flat(frame.pixels)
        yield cells(frame.picture, indices, palette, panel="picture")
        if frame.scale >= FINEST_GRID:
            across = frame.pixels + 2 * frame.margin
            yield from grid_lines((LEFT, TOP, SIDE, SIDE), across, across)
        yield rectangle(frame.picture, stroke="border")

    def _flattened(self, pixels: int) -> tuple[Bytes, Bytes]:
        """The picture as bytes and a palette: a third of what its colours would weigh on their way to the browser."""
        normalised = self._images.of(min(pixels, MOST_CELLS))[0]
        spread, centre = (normalised.new_tensor(values).view(-1, 1, 1) for values in (self._std, self._mean))
        rgb = (255 * (normalised * spread + centre).clamp(0, 1)).round().to(torch.uint8).movedim(0, -1).numpy()
        flat = Image.fromarray(np.ascontiguousarray(rgb)).quantize(256)
        colours = np.array(flat.getpalette(), np.uint8).reshape(-1, 3)
        return np.array(flat), np.concatenate([colours, np.full((len(colours), 1), 255, np.uint8)], axis=1)


def unit_marks(view: View, scene: Scene, unit: Unit) -> list[Primitive]:
    """A unit on the map, its field on the picture, and the pixels that reach it where they are not just those."""
    frame, field, reached = Frame.around(view), view.box(unit), view.reached(unit)
    marks = _mark_cell(_panel(scene, "map"), (unit[0] // step(view.units), unit[1] // step(view.units)))
    if reached is not None and reached != view.cut(unit):
        marks += frame.outline(reached, "rest")
    return marks if field is None else marks + frame.outline(field, "now") + frame.beyond(field)


def pixel_marks(view: View, scene: Scene, pixel: Unit) -> list[Primitive]:
    """A pixel on the picture, and on the map the units whose field holds it."""
    panel = _panel(scene, "picture")
    side = panel["shape"][0]
    marks = _mark_cell(panel, (pixel[0] * side // view.pixels, pixel[1] * side // view.pixels))
    rows, columns = (view.viewers(place) for place in pixel)
    if rows is None or columns is None:
        return marks
    x, y, width, _ = _panel(scene, "map")["box"]
    scale = width / view.units
    across, down = (scale * (last - first + 1) for first, last in (columns, rows))
    return [
        *marks,
        rectangle((x + scale * columns[0], y + scale * rows[0], across, down), stroke="now", width=2, halo=True),
    ]


def _mark_cell(panel: Primitive, cell: Unit) -> list[Primitive]:
    """One cell of a panel; a ring around it where it is too small to be seen."""
    (x, y, width, height), (rows, columns) = panel["box"], panel["shape"]
    if min(width / columns, height / rows) >= SMALLEST_CELL:
        return outlines(panel, [cell])
    return [ring((x + (cell[1] + 0.5) * width / columns, y + (cell[0] + 0.5) * height / rows))]


def unit_of(view: View, place: tuple[float, float]) -> Unit:
    """The unit at a place of the map, fractions down and right."""
    row, column = (min(int(part * view.units), view.units - 1) for part in place)
    return row, column


def pixel_of(view: View, place: tuple[float, float]) -> Unit:
    """The pixel at a place of the picture, fractions down and right."""
    row, column = (min(int(part * view.pixels), view.pixels - 1) for part in place)
    return row, column


def _panel(scene: Scene, name: str) -> Primitive:
    return next(item for item in scene.items if item.get("panel") == name)


def _heat(view: View, frame: Frame) -> Iterator[Primitive]:
    """The heat map over the picture, with the unit's field, the half of it, and the scale of the colours."""
    if view.heat is None:
        return
    heat = _coarse(view.heat.heat.numpy())
    yield cells(frame.picture, _shades(heat), HEAT)
    for field in (view.heat.box, view.heat.box and _half(view.heat.box)):
        if field is not None:
            yield from frame.outline(field, THIN, 1)
    foot = TOP + SIDE + 22
    bar = (LEFT + 276, foot - 8, 100, 16)
    yield text((bar[0] - 8, foot), "gradient in hotter pixels: 100 %", align="right")
    yield cells(bar, np.arange(len(SHADES), dtype=np.uint8)[None], HEAT)
    yield rectangle(bar, stroke="border")
    yield text((bar[0] + bar[2] + 8, foot), "0 %")


def _half(field: Field) -> Field:
    """The edges of the central box of half the size; they may lie within a pixel."""
    rows, columns = ((first + (last - first + 1) / 4, last - (last - first + 1) / 4) for first, last in field)
    return rows, columns


def _coarse(heat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The heat map by the sums of square blocks, where it is larger than the picture on the screen needs."""
    every = max(1, len(heat) // MOST_HEAT)  # pictures are a power of two wide, or small
    parts = [heat[row::every, column::every] for row in range(every) for column in range(every)]
    return functools.reduce(np.add, parts)


def _shades(values: npt.NDArray[np.float64]) -> Bytes:
    """Indices into `HEAT`, by the mass in hotter cells: equal steps of colour hold equal shares, whatever the peak.

    For a Gaussian, the limit of many layers, that is its own height.
    """
    ordered, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    colder = np.cumsum(ordered * counts)
    shades: Bytes = np.rint((len(HEAT) - 1) * colder / colder[-1]).astype(np.uint8)[where.reshape(values.shape)]
    return shades
