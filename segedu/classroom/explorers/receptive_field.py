"""The receptive-field explorer: a stack of layers to edit, what each unit of it can see, and what it does see."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, get_args

import ipywidgets
import traitlets
from torch import Tensor

from segedu.classroom.explorers.ahead import Knob
from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.layer_stack import LOOK, LayerList, LayerStack
from segedu.classroom.explorers.layer_table import fraction, number
from segedu.classroom.explorers.receptive_field_picture import (
    ReceptiveFieldPicture,
    pixel_marks,
    pixel_of,
    unit_marks,
    unit_of,
)
from segedu.classroom.explorers.scene import Cell, Primitive, Scene
from segedu.classroom.explorers.stack_view import (
    NETWORKS,
    HeatKind,
    Images,
    Unit,
    View,
    expected,
    measured,
    possible,
    sizes_of,
)
from segedu.receptive_field.effective import EffectiveField
from segedu.receptive_field.presets import PRESETS
from segedu.receptive_field.table import Box, Interval

PICTURES = (5, 32, 64, 128, 256, 512)
FITTING = {"the notes' 5x5 example": 5, "VGG16": 256, "U-Net": 256}
"""The picture that a preset comes with; 512 for the others, whose fields are larger."""
HINT = "Point at a unit, or click it to pin it; point at a pixel to find who sees it."
MOST_SIZES = 3  # that are told one by one


class Place(ipywidgets.VBox):  # type: ignore[misc]
    """The place on the map of the unit that is shown, fractions down and right: a `CompositeControl`.

    It has no look of its own: pinning a unit moves it. Being a fraction, it stays on the same part of the picture
    when another layer is chosen.
    """

    value = traitlets.Tuple(traitlets.Float(), traitlets.Float(), default_value=(0.5, 0.5))

    def __init__(self) -> None:
        super().__init__(layout={"display": "none"})

    def sweep_values(self) -> list[tuple[float, float]]:
        """The middle, the corners and an edge."""
        return [(0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 1.0)]

    def takes(self, value: object) -> bool:
        """Whether ``value`` is a pair of fractions."""
        return isinstance(value, tuple) and len(value) == 2 and all(0 <= part <= 1 for part in value)

    def knobs(self) -> list[Knob]:
        """It has no slider."""
        return []


class ReceptiveFieldExplorer(Explorer[View]):
    """A stack of layers to add to, take from, reorder and edit, over a picture that its units look at.

    ``images (N, 3, H, W)`` are normalised by ``mean`` and ``std``; the first is shown, cut to a square. ``preset`` is
    the name in `PRESETS` that the explorer opens with. A heat map shows how much of its field the unit uses: as many
    paths lead there (*expected*), or the gradient of random networks on all the images (*measured*). Raises
    ``ValueError`` for images of another shape and a name that is no preset.
    """

    lines_of_words: ClassVar[int] = 6

    def __init__(self, images: Tensor, mean: Sequence[float], std: Sequence[float], *, preset: str = "VGG16") -> None:
        if preset not in PRESETS:
            raise ValueError(f"preset is {preset!r}, expected one of {', '.join(map(repr, PRESETS))}")
        self._images = Images(images)
        self._picture = ReceptiveFieldPicture(self._images, mean, std)
        self._pixels = ipywidgets.Dropdown(
            options=[(f"{side} × {side} px", side) for side in PICTURES],
            value=FITTING.get(preset, 512),
            description="picture",
            **LOOK,
        )
        heats = get_args(HeatKind)
        heat = ipywidgets.Dropdown(options=heats, value="expected", description="heat", **LOOK)
        chosen = LayerList(len(PRESETS[preset]) - 1)
        stack = LayerStack(PRESETS, preset, chosen, self._fit_picture)
        self._place = Place()
        super().__init__(
            "Receptive-field explorer: a stack of layers, and what one of its units sees of a picture",
            {"layer": chosen, "pixels": self._pixels, "heat": heat},
            {"layers": stack, "place": self._place},
        )
        self.stage.observe(lambda _: self._follow_pin(), "pinned")

    def compute(self, state: State) -> View:
        """What the unit at the chosen place of the chosen layer sees, as far as the stack can be built."""
        layers, pixels, kind = state["layers"], state["pixels"], state["heat"]
        levels, problem = possible(layers, pixels)
        chosen = min(state["layer"], len(levels) - 1)
        plain = View(layers, levels, problem, pixels, chosen, (0, 0), kind, None)
        placed = replace(plain, unit=unit_of(plain, state["place"]))
        heat = self._heat(placed)
        field = None if heat is None else EffectiveField(heat, placed.unit, placed.box(placed.unit))
        return replace(placed, heat=field)

    def _heat(self, view: View) -> Tensor | None:
        if view.kind == "none":
            return None
        if view.kind == "expected":
            return expected(view.levels[: view.chosen + 1], view.pixels, view.unit)
        return measured(view.layers[: view.chosen + 1], self._images, view.pixels, view.unit)

    def draw(self, result: View) -> Scene:
        return self._picture.scene(result)

    def marks(self, result: View, scene: Scene, cell: Cell | None) -> list[Primitive]:
        if cell is not None and cell["panel"] == "picture":
            return pixel_marks(result, scene, pixel_of(result, scene.place(cell)))
        return unit_marks(result, scene, _unit(result, scene, cell))

    def words(self, result: View, scene: Scene, cell: Cell | None) -> str:
        if cell is not None and cell["panel"] == "picture":
            pointed = [_say_pixel(result, pixel_of(result, scene.place(cell)))]
        else:
            pointed = _say_unit(result, _unit(result, scene, cell))
        first = [f"Impossible: {result.problem}."] if result.problem else []
        last = [HINT] if cell is None and not result.problem else []
        return "\n".join([*first, _say_layer(result), *pointed, _say_heat(result), _say_code(result), *last])

    def _fit_picture(self, preset: str) -> None:
        self._pixels.value = FITTING.get(preset, 512)

    def releases(self, control: str, cell: Cell) -> bool:
        """A unit that is pinned is not the same on another map; the place on the picture stays."""
        return control in ("layer", "pixels", "layers") and bool(cell["panel"] == "map")

    def _follow_pin(self) -> None:
        """The unit that is pinned is the one that the heat map is of."""
        pinned = self.stage.pinned
        if not self._together and pinned is not None and pinned["panel"] == "map" and self._scene.holds(pinned):
            self._place.value = self._scene.place(pinned)

    def _recompute(self) -> None:
        super()._recompute()
        self._follow_pin()


def _unit(view: View, scene: Scene, cell: Cell | None) -> Unit:
    """The unit pointed at, or the one at the place that was pinned last."""
    return view.unit if cell is None else unit_of(view, scene.place(cell))


def _say_layer(view: View) -> str:
    field = view.field
    sizes = sizes_of(field)
    seen = f"{sizes[0]} × {sizes[0]} px" if len(sizes) == 1 else f"{_either(sizes)} px a side"
    name = f"Layer {view.chosen + 1} of {len(view.layers)}" if view.levels else "The image"
    return (
        f"{name}: {view.units} × {view.units} units see {seen}, {fraction(field.stride)} px apart, "
        f"the first from {number(field.start)}."
    )


def _say_unit(view: View, unit: Unit) -> list[str]:
    box = view.box(unit)
    if box is None:
        return [f"Unit {unit[0]}, {unit[1]} sees nothing: it falls between the taps of a transposed layer."]
    rows, columns = box
    padding, every = view.padded(unit)
    padded = f"{padding} of {every} px are padding" if padding else "all of it picture"
    first = f"Unit {unit[0]}, {unit[1]} sees rows {_span(rows)}, columns {_span(columns)}: {padded}."
    reached = view.reached(unit)
    if reached is None:
        second = "No pixel reaches it: it sees padding only."
    elif reached != view.cut(unit):
        second = f"Only rows {_span(reached[0])}, columns {_span(reached[1])} reach it: layers between end sooner."
    elif len(sizes_of(view.field)) > 1:
        second = f"Units differ by their phase: this one sees {_sides((rows, columns))} px."
    else:
        return [first]
    return [first, second]


def _say_pixel(view: View, pixel: Unit) -> str:
    rows, columns = (view.viewers(place) for place in pixel)
    where = f"Pixel at row {pixel[0]}, column {pixel[1]}"
    if rows is None or columns is None:
        return f"{where}: no unit's field holds it."
    count = (rows[1] - rows[0] + 1) * (columns[1] - columns[0] + 1)
    return f"{where}: in the field of units in rows {_span(rows)}, columns {_span(columns)}: {count}."


def _say_heat(view: View) -> str:
    if view.kind == "none":
        return "No heat map: the field counts every pixel alike."
    if view.heat is None:
        return "No gradient arrives: no pixel reaches this unit, or every ReLU on the way is shut."
    source = "Random weights, expected" if view.kind == "expected" else f"{NETWORKS} random nets, measured"
    share = f"{100 * view.share:.1f}\N{NO-BREAK SPACE}%"
    row, column = view.heat.unit
    return f"{source}: {share} of unit {row}, {column}'s gradient is in the half-size box."


def _say_code(view: View) -> str:
    return view.layers[view.chosen].code() if view.levels else ""


def _sides(box: Box) -> str:
    return " × ".join(str(last - first + 1) for first, last in box)


def _span(interval: Interval) -> str:
    return f"{number(interval[0])} to {number(interval[1])}"


def _either(sizes: Sequence[int]) -> str:
    """``188 or 204``; ``1 to 19`` of many."""
    if len(sizes) > MOST_SIZES:
        return f"{sizes[0]} to {sizes[-1]}"
    return f"{', '.join(map(str, sizes[:-1]))} or {sizes[-1]}"
