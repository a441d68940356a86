"""An editor of a stack of layers: a list to choose a layer from, and buttons and sliders that change it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from functools import partial
from typing import Any, get_args

import ipywidgets
import traitlets

from segedu.classroom.explorers.ahead import Knob
from segedu.receptive_field.stack import ASPP_FACTORS, Kind, Layer

Stack = tuple[Layer, ...]

DEEPEST = 48  # layers
LARGEST = {"kernel": 11, "stride": 4, "dilation": 18, "padding": 18}
COUNTS = {  # which of a layer's numbers count
    "conv": ("kernel", "stride", "dilation", "padding"),
    "pool": ("kernel", "stride", "dilation", "padding"),
    "transposed": ("kernel", "stride", "dilation", "padding"),
    "ASPP": ("kernel", "dilation"),
    "skip": (),
}
OWN = "your own"
BUTTON = {"width": "auto", "flex": "1 1 auto", "padding": "0 4px"}
LOOK = {"layout": {"width": "auto"}, "style": {"description_width": "80px"}}


class LayerList(ipywidgets.VBox):  # type: ignore[misc]
    """A list of the layers of a stack, of which one is looked at: a `CompositeControl`.

    ``value`` is that layer's place, counted from 0. In a stack with fewer layers the last one stands in, and ``value``
    stays: so a state that was read can be set again, in any order, whatever the stack is by then.
    """

    value = traitlets.Int(0)

    def __init__(self, value: int) -> None:
        self._following = False
        self.select = ipywidgets.Select(rows=10, description="layers", **LOOK)
        super().__init__([self.select], value=value)
        self.select.observe(lambda change: self._chosen(change.new), "value")
        self.observe(lambda _: self._follow(), "value")

    def show(self, stack: Stack) -> None:
        """List these layers."""
        self._follow([(f"{number}  {name_of(layer)}", number - 1) for number, layer in enumerate(stack, 1)])

    def sweep_values(self) -> list[int]:
        """Every layer of the stack that is listed."""
        return list(range(len(self.select.options)))

    def takes(self, value: object) -> bool:
        """Whether ``value`` is a place in the deepest stack."""
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < DEEPEST

    def knobs(self) -> list[Knob]:
        """A list has no slider."""
        return []

    def _chosen(self, place: int | None) -> None:
        if not self._following and place is not None:
            self.value = place

    def _follow(self, options: Sequence[tuple[str, int]] | None = None) -> None:
        self._following = True
        try:
            with self.select.hold_sync():
                if options is not None and tuple(options) != self.select.options:
                    self.select.options = options
                if self.select.options:
                    self.select.index = min(self.value, len(self.select.options) - 1)
        finally:
            self._following = False


class LayerStack(ipywidgets.VBox):  # type: ignore[misc]
    """Presets, buttons to add, remove and move a layer, and sliders for the one chosen in a `LayerList`.

    ``value`` is a tuple of `Layer`. Numbers that no layer of its kind can have become the nearest that one can; a stack
    in which a layer finds nothing to read may be built, and it is for whoever shows it to say so. ``on_preset`` hears
    the name of a preset when the reader picks it.
    """

    value = traitlets.Tuple()

    def __init__(
        self,
        presets: Mapping[str, Stack],
        preset: str,
        chosen: LayerList,
        on_preset: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._presets, self._chosen, self._on_preset = dict(presets), chosen, on_preset
        self._following = False
        self.preset = ipywidgets.Dropdown(options=[*presets, OWN], description="preset", **LOOK)
        self.buttons = {
            name: ipywidgets.Button(description=name, tooltip=tooltip, layout=BUTTON)
            for name, tooltip in (
                ("Add", "Add a layer after the chosen one"),
                ("Remove", "Remove the chosen layer"),
                ("Up", "Move the chosen layer towards the image"),
                ("Down", "Move the chosen layer away from the image"),
            )
        }
        self.kind = ipywidgets.Dropdown(options=get_args(Kind), description="kind", **LOOK)
        self.numbers = {
            name: ipywidgets.IntSlider(min=0 if name == "padding" else 1, max=most, description=name, **LOOK)
            for name, most in LARGEST.items()
        }
        row = ipywidgets.HBox([*self.buttons.values()], layout={"margin": "0 0 0 88px"})
        super().__init__([self.preset, row, self.kind, *self.numbers.values()], value=presets[preset])
        self._follow()
        self._listen()

    def sweep_values(self) -> list[Stack]:
        """Every preset; and the chosen layer gone, twice, of each kind, and as a convolution with every number."""
        at, layer = self._place, self.value[self._place]
        numbers = astuple(layer)[1:]
        edits = [nearest(kind, *numbers) for kind in get_args(Kind)]
        edits += [replace(layer, **{"kind": "conv", name: n}) for name in LARGEST for n in self._range(name)]
        stacks = [*self._presets.values(), (*self.value, layer)[:DEEPEST], self.value[:at] + self.value[at + 1 :]]
        stacks += [(*self.value[:at], edit, *self.value[at + 1 :]) for edit in edits]
        return [stack for stack in dict.fromkeys(stacks) if stack]

    def takes(self, value: object) -> bool:
        """Whether ``value`` is a tuple of layers that the sliders can show."""
        return (
            isinstance(value, tuple)
            and 0 < len(value) <= DEEPEST
            and all(isinstance(one, Layer) for one in value)
            and all(getattr(one, name) in self._range(name) for one in value for name in LARGEST)
        )

    def knobs(self) -> list[Knob]:
        """A slider for each number of the chosen layer."""
        return [Knob(slider, partial(self._with, name)) for name, slider in self.numbers.items()]

    @property
    def _place(self) -> int:
        return min(self._chosen.value, len(self.value) - 1)

    def _range(self, name: str) -> range:
        return range(self.numbers[name].min, LARGEST[name] + 1)

    def _listen(self) -> None:
        self.preset.observe(lambda change: self._pick(change.new), "value")
        for name, edit in (("Add", self._add), ("Remove", self._remove), ("Up", self._up), ("Down", self._down)):
            self.buttons[name].on_click(lambda _, edit=edit: edit())
        for widget in (self.kind, *self.numbers.values()):
            widget.observe(lambda _: self._change(), "value")
        self.observe(lambda _: self._follow(), "value")
        self._chosen.observe(lambda _: self._follow(), "value")

    def _edit(self, stack: Sequence[Layer], chosen: int, preset: str = "") -> None:
        """A new stack and a new choice at once: whoever hears of either sees both."""
        with self.hold_trait_notifications(), self._chosen.hold_trait_notifications():
            self.value = tuple(stack)
            self._chosen.value = chosen
            if preset:
                self._on_preset(preset)

    def _pick(self, name: str) -> None:
        if not self._following and name in self._presets:
            self._edit(self._presets[name], len(self._presets[name]) - 1, name)

    def _add(self) -> None:
        if len(self.value) < DEEPEST:
            after = self._place + 1
            self._edit((*self.value[:after], Layer(padding=1), *self.value[after:]), after)

    def _remove(self) -> None:
        if len(self.value) > 1:
            at = self._place
            self._edit(self.value[:at] + self.value[at + 1 :], min(at, len(self.value) - 2))

    def _up(self) -> None:
        self._swap(self._place - 1, self._place - 1)

    def _down(self) -> None:
        self._swap(self._place, self._place + 1)

    def _swap(self, first: int, chosen: int) -> None:
        if 0 <= first < len(self.value) - 1:
            one, two = self.value[first : first + 2]
            self._edit((*self.value[:first], two, one, *self.value[first + 2 :]), chosen)

    def _change(self) -> None:
        if not self._following:
            layer = nearest(self.kind.value, **{name: slider.value for name, slider in self.numbers.items()})
            self._edit(self._replaced(layer), self._place)
            self._follow()  # a number that this kind cannot have goes back, even where the stack stays the same

    def _with(self, name: str, number: float) -> Stack:
        """The stack once a slider has moved."""
        numbers = {other: slider.value for other, slider in self.numbers.items()}
        return self._replaced(nearest(self.kind.value, **numbers | {name: int(number)}))

    def _replaced(self, layer: Layer) -> Stack:
        """The stack with another layer in the chosen place."""
        return (*self.value[: self._place], layer, *self.value[self._place + 1 :])

    def _follow(self) -> None:
        """Let every widget show the stack and the chosen layer."""
        self._following = True
        try:
            layer = self.value[self._place]
            same = (name for name, stack in self._presets.items() if stack == self.value)
            self.preset.value = next(same, OWN)
            self.kind.value = layer.kind
            for name, slider in self.numbers.items():
                slider.value = getattr(layer, name)
                slider.disabled = name not in COUNTS[layer.kind]
            self.buttons["Add"].disabled = len(self.value) == DEEPEST
            self.buttons["Remove"].disabled = len(self.value) == 1
            self.buttons["Up"].disabled = self._place == 0
            self.buttons["Down"].disabled = self._place == len(self.value) - 1
            self._chosen.show(self.value)
        finally:
            self._following = False


def nearest(kind: Kind, kernel: int, stride: int, dilation: int, padding: int) -> Layer:
    """The layer of this kind whose numbers are these, or the nearest that it can have."""
    if kind == "ASPP":
        kernel += kernel % 2 == 0
    if kind == "pool":
        padding = min(padding, kernel // 2)
    return Layer(kind, kernel, stride, dilation, padding)


def name_of(layer: Layer) -> str:
    """``conv 3×3, stride 2, padding 1``: a layer with the numbers that count and differ from the plain ones."""
    if layer.kind == "skip":
        return "skip"
    if layer.kind == "ASPP":
        return f"ASPP {', '.join(str(factor * layer.dilation) for factor in ASPP_FACTORS)}"
    plain = {"stride": 1, "dilation": 1, "padding": 0}
    named: dict[str, Any] = {name: getattr(layer, name) for name in plain}
    parts = [f"{name} {value}" for name, value in named.items() if value != plain[name]]
    return ", ".join([f"{layer.kind} {layer.kernel}×{layer.kernel}", *parts])
