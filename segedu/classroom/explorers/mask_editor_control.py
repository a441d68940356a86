"""The control of the mask editor: a list of true objects, and buttons that change the predicted mask."""

from typing import Any

import ipywidgets
import traitlets

from segedu.classroom.explorers.ahead import Knob
from segedu.classroom.explorers.mask_editor_masks import (
    EDITS,
    TRUTHS,
    Mask,
    Masks,
    Place,
    brushed,
    drawn,
    is_drawing,
    mask_of,
    shifted,
)

BUTTON = {"width": "auto", "flex": "1 1 auto", "padding": "0 8px"}
TOOLTIPS = {
    "Truth": "Predict exactly the true object",
    "Erode": "Take the outermost pixels of the prediction away",
    "Dilate": "Add the pixels beside, above and below the prediction",
    "Shift": "Move the prediction by a pixel to the right",
    "Noise": "Turn a twentieth of the predicted pixels over",
    "Clear": "Predict background everywhere",
    "Undo": "Take the last change back; once more to have it again",
}


class MaskControl(ipywidgets.VBox):  # type: ignore[misc]
    """A true object and a prediction of it: a `CompositeControl` whose ``value`` is a `Masks`.

    Object, prediction and what that was before are one value, so a state that was read can be set again in any order:
    a reader who picks another object gets a prediction that belongs to it.
    """

    value: Any = traitlets.Tuple()

    def __init__(self, look: dict[str, Any]) -> None:
        self._following = False
        self.truth = ipywidgets.Dropdown(options=list(TRUTHS), description="truth", **look)
        self.buttons = {
            name: ipywidgets.Button(description=name, tooltip=tooltip, layout=BUTTON)
            for name, tooltip in TOOLTIPS.items()
        }
        row = ipywidgets.HBox([*self.buttons.values()], layout={"flex_flow": "row wrap"})
        super().__init__([self.truth, row], value=displaced(self.truth.value))
        self.truth.observe(lambda change: self._picked(change.new), "value")
        for name, button in self.buttons.items():
            button.on_click(lambda _, name=name: self._pressed(name))
        self.observe(lambda _: self._follow(), "value")

    def brush(self, place: Place, tool: str, width: int) -> None:
        """Put a brush down on the prediction."""
        self._edit(brushed(self._predicted, place, tool, width))

    def sweep_values(self) -> list[Masks]:
        """Every object, predicted as the buttons make it from the truth."""
        starts = [Masks(name, drawn(mask), drawn(mask)) for name, mask in TRUTHS.items()]
        edited = [start.becoming(edit(TRUTHS[start.truth])) for start in starts for edit in EDITS.values()]
        return [*starts, *edited]

    def takes(self, value: object) -> bool:
        """Whether ``value`` is the name of an object and two drawings."""
        if not isinstance(value, tuple) or len(value) != 3:
            return False
        truth, *drawings = value
        return isinstance(truth, str) and truth in TRUTHS and all(map(is_drawing, drawings))

    def knobs(self) -> list[Knob]:
        """A list and buttons have no slider."""
        return []

    @property
    def _predicted(self) -> Mask:
        return mask_of(Masks(*self.value).predicted)

    def _edit(self, mask: Mask) -> None:
        self.value = Masks(*self.value).becoming(mask)

    def _pressed(self, name: str) -> None:
        truth, predicted, before = self.value
        if name == "Undo":
            self.value = Masks(truth, before, predicted)
        else:
            self._edit(TRUTHS[truth] if name == "Truth" else EDITS[name](self._predicted))

    def _picked(self, truth: str) -> None:
        if not self._following:
            self.value = displaced(truth)

    def _follow(self) -> None:
        self._following = True
        try:
            self.truth.value = Masks(*self.value).truth
        finally:
            self._following = False


def displaced(truth: str) -> Masks:
    """An object predicted two pixels too far to the right, after a prediction that was right: something to mend."""
    mask = TRUTHS[truth]
    return Masks(truth, drawn(shifted(shifted(mask))), drawn(mask))
