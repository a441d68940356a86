"""The control of the CRF explorer's crops: which one, and which of its own classes to look at."""

from collections.abc import Sequence
from typing import Any

import ipywidgets
import traitlets

from segedu.classroom.explorers.ahead import Knob
from segedu.classroom.explorers.crf_crops import Crop


class CropControl(ipywidgets.VBox):  # type: ignore[misc]
    """A crop and a class of it: a `CompositeControl` whose ``value`` is the pair of their names.

    A reader who picks another crop keeps the class if that has it, and else gets its last one.
    """

    value: Any = traitlets.Tuple()

    def __init__(self, crops: Sequence[Crop], look: dict[str, Any]) -> None:
        self._classes = {crop.name: crop.classes for crop in crops}
        self._following = False
        self.crop = ipywidgets.Dropdown(options=list(self._classes), description="crop", **look)
        self.label = ipywidgets.Dropdown(options=self._classes[self.crop.value], description="class", **look)
        self.label.value = self.label.options[-1]
        super().__init__([self.crop, self.label], value=(self.crop.value, self.label.value))
        for widget in (self.crop, self.label):
            widget.observe(lambda _: self._picked(), "value")
        self.observe(lambda _: self._follow(), "value")

    def sweep_values(self) -> list[tuple[str, str]]:
        """Every class of every crop."""
        return [(name, label) for name, classes in self._classes.items() for label in classes]

    def takes(self, value: object) -> bool:
        """Whether ``value`` is the names of a crop and of one of its classes."""
        return value in self.sweep_values()

    def knobs(self) -> list[Knob]:
        """Lists have no slider."""
        return []

    def _picked(self) -> None:
        if not self._following:
            classes = self._classes[self.crop.value]
            self.value = (self.crop.value, self.label.value if self.label.value in classes else classes[-1])

    def _follow(self) -> None:
        self._following = True
        try:
            name, label = self.value
            self.crop.value = name
            if self.label.options != self._classes[name]:
                self.label.options = self._classes[name]
            self.label.value = label
        finally:
            self._following = False
