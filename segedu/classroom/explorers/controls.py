"""What a reader moves: widgets of one value each, asked alike for the values they have, take and lead to."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import ipywidgets
import numpy as np

from segedu.classroom.explorers.ahead import Knob


@runtime_checkable
class CompositeControl(Protocol):
    """A control made of several widgets, such as a list of layers to edit: a widget with a trait ``value`` of its own.

    The value is set anew and never changed in place, so it is a tuple rather than a list. No range and no list of
    options says what it can be, therefore the control does.
    """

    value: Any

    def sweep_values(self) -> list[Any]:
        """The values that `Explorer.sweep` visits: enough of them to meet every kind of picture."""

    def takes(self, value: Any) -> bool:
        """Whether ``value`` may be set."""

    def knobs(self) -> Sequence[Knob]:
        """Its sliders, each with the value that this control has once the slider has moved."""


def values_of(control: ipywidgets.Widget) -> list[Any]:
    """What a sweep visits: options of a selection, steps of a slider, both states of a switch, or a control's own."""
    if isinstance(control, CompositeControl):
        return control.sweep_values()
    if hasattr(control, "options"):
        return [option[1] if isinstance(option, tuple) else option for option in control.options]
    if isinstance(control.value, bool):
        return [False, True]
    steps = np.arange(control.min, control.max + control.step / 2, control.step)
    return [type(control.value)(round(step, 9)) for step in steps.tolist()]


def knobs_of(control: ipywidgets.Widget) -> Sequence[Knob]:
    """The sliders of a control."""
    if isinstance(control, CompositeControl):
        return control.knobs()
    if isinstance(control, ipywidgets.IntSlider | ipywidgets.FloatSlider):
        return [Knob(control, type(control.value))]
    return []


def takes(control: ipywidgets.Widget, value: Any) -> bool:
    if isinstance(control, CompositeControl):
        return control.takes(value)
    if hasattr(control, "options") or isinstance(control.value, bool):
        return value in values_of(control)
    return isinstance(value, int | float) and control.min <= value <= control.max
