"""The stage: one widget that draws any scene, says in words what it shows, and reports the cell under the hand.

Python computes and describes the picture; ``painter.js`` only paints it, and ``stage.js`` hears the hand. Everything
travels as traits, of which a front end keeps one update outstanding and sends only the newest, so dragging a slider or
moving the pointer never builds a backlog. What is asked for before it is needed travels beside, see
`segedu.classroom.explorers.ahead`.
"""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from segedu.classroom.explorers import still
from segedu.classroom.explorers.scene import Primitive, Scene

FOLDER = Path(__file__).parent
SOURCES = ("ahead.js", "painter.js", "stage.js")
INVITATION = "(run this cell to play with it)"
NOTHING: dict[str, Any] = {"slider": None, "pictures": [], "more": True}
"""Forget the pictures that were sent ahead."""


class Stage(anywidget.AnyWidget):
    """Draws a `Scene` with its marks, in the reader's theme; ``words`` stand above it and are spoken when they change.

    ``hovered`` and ``pinned`` hold ``{"panel": name, "row": r, "col": c}`` or ``None``: the cell under the pointer,
    and the one clicked. With the picture in focus the arrow keys move the pinned cell (with Shift by eight), Page Up
    and Page Down carry it to another panel, Escape lets it go. ``label`` names the picture for a screen reader;
    ``lines`` of words fit above it, so that it stays where it is while their number changes.

    ``at`` holds the values of the ``sliders`` of which the scene is. ``ask`` and ``ahead`` are the page's questions and
    the answers about values that they may have next.
    """

    _esm = "".join((FOLDER / name).read_text("utf-8") for name in SOURCES)  # one module, as it must be
    _css = FOLDER / "stage.css"

    scene = traitlets.Dict().tag(sync=True)
    marks: "traitlets.List[Primitive]" = traitlets.List().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode("picture").tag(sync=True)
    lines = traitlets.Int(3).tag(sync=True)
    hovered = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    pinned = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)

    sliders: "traitlets.List[ipywidgets.Widget]" = traitlets.List().tag(sync=True, **ipywidgets.widget_serialization)
    at: "traitlets.List[float]" = traitlets.List().tag(sync=True)
    ask = traitlets.Dict().tag(sync=True, echo_update=False)
    ahead = traitlets.Dict(NOTHING).tag(sync=True)

    def __init__(self, label: str, lines: int = 3) -> None:
        super().__init__(label=label, lines=lines)
        self._shown = Scene(1, 1)

    def show(self, scene: Scene, marks: Sequence[Primitive], words: str) -> None:
        """Show a scene, its marks and its words; what has not changed is not sent again."""
        self._shown = scene
        with self.hold_sync():
            if scene.items != self.scene.get("items"):
                self.scene = scene.to_dict()
            self.marks = list(marks)
            self.at = [slider.value for slider in self.sliders]
            self.words = words

    def still(self) -> bytes:
        """What is shown now as a PNG, drawn without a browser."""
        return still.png(self._shown, self.marks)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, _ = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return self.with_still(data)

    def with_still(self, data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """A widget's display bundle and its metadata, with the still, and the same plain text in every run."""
        image = base64.b64encode(self.still()).decode()
        words = f"{self.label} {INVITATION}"
        shown_as = {"image/png": {"width": self._shown.width, "alt": words}}
        return data | {"image/png": image, "text/plain": words}, shown_as
