"""Pictures for a page without a kernel: what an explorer shows at each value of its main control, in one small parcel.

A notebook stores a still of an explorer. A page made from it answers the hand, if only on one control, when it has the
pictures of all values of that control; a kernel that runs the lesson for such a page calls `keep` first. All of a
picture stays as Python described it, so the page paints it with the stage's own painters.
"""

import base64
import gzip
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import ipywidgets
import numpy as np

from segedu.classroom.explorers.controls import values_of
from segedu.classroom.explorers.explorer import Explorer, widgets_of
from segedu.classroom.explorers.scene import Primitive

MIME = "application/vnd.segedu.frames+json"
MOST = 61  # frames of one explorer
LARGEST = 900_000  # bytes of one explorer's parcel
SLIDERS = (ipywidgets.IntSlider, ipywidgets.FloatSlider, ipywidgets.SelectionSlider)


class Shown(NamedTuple):
    """What a stage holds at one value: the scene as it travels, the marks over it, and the words."""

    scene: Mapping[str, Any]
    marks: Sequence[Primitive]
    words: str


class Recording(NamedTuple):
    """An explorer at every value of one control: ``values`` are as the reader sees them, ``start`` is where it opened.

    ``kind`` is ``"slider"`` for a number, which has an order, or ``"choice"``.
    """

    name: str
    kind: str
    values: list[str]
    start: int
    frames: list[Shown]

    def thinned(self, most: int) -> "Recording":
        """At most ``most`` of the frames, evenly spread; the first, the last and the opening one stay."""
        spread = np.linspace(0, len(self.frames) - 1, min(most - 1, len(self.frames))).round().astype(int)
        kept = sorted({*spread.tolist(), self.start})
        picked = [(self.values[place], self.frames[place]) for place in kept]
        values, frames = (list(column) for column in zip(*picked, strict=True))
        return self._replace(values=values, frames=frames, start=kept.index(self.start))


def keep() -> None:
    """From now on an explorer that this IPython kernel displays carries its frames, under `MIME`, beside its still."""
    from IPython import get_ipython

    get_ipython().display_formatter.mimebundle_formatter.for_type(Explorer, with_frames)


def with_frames(explorer: Explorer[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The display bundle of an explorer and its metadata, with the frames of its main control if that has values."""
    data, metadata = explorer._repr_mimebundle_()
    recording = record(explorer)
    return (data if recording is None else data | {MIME: parcel(explorer, recording)}), metadata


def record(explorer: Explorer[Any]) -> Recording | None:
    """Move the main control of an explorer through its values and back; ``None`` where it has nothing to move.

    Raises what a value raises, as `Explorer.sweep` does.
    """
    widget = _main_widget(explorer)
    if widget is None:
        return None
    before, opened, values = explorer.state, widget.value, values_of(widget)
    if opened not in values:  # a slider may open between two of its steps
        values = sorted([*values, opened])
    frames = []
    with explorer.stage.hold_sync():
        for value in values:
            widget.value = value
            frames.append(Shown(explorer.stage.scene, explorer.stage.marks, explorer.stage.words))
        explorer.state = before
    kind = "slider" if isinstance(widget, SLIDERS) else "choice"
    recording = Recording(widget.description, kind, [*map(_said(widget), values)], values.index(opened), frames)
    return recording.thinned(MOST) if len(frames) > MOST else recording


def parcel(explorer: Explorer[Any], recording: Recording) -> dict[str, Any]:
    """What travels: the control in words, and the packed frames, fewer of them where they would be too large."""
    packed = pack(recording.frames)
    while len(packed) > LARGEST and len(recording.frames) > 3:
        recording = recording.thinned(2 * len(recording.frames) // 3)
        packed = pack(recording.frames)
    control = {name: getattr(recording, name) for name in ("name", "kind", "values", "start")}
    return control | {"label": explorer.stage.label, "lines": explorer.stage.lines, "packed": packed}


def pack(frames: Sequence[Shown]) -> str:
    """Frames in base64: gzip of the length of a JSON text (4 bytes, little end first), that text, and its bytes.

    The JSON holds ``items``, ``scenes`` of ``(width, height, places of its items)``, ``frames`` of ``(place of its
    scene, places of its marks, words)`` and ``lengths`` of the binary parts that follow. In an item ``data`` and
    ``palette`` are places among those. What frames have in common is there once: most of a picture stays as it was.
    """
    binaries, items, scenes = _Pool(), _Pool(), _Pool()

    def place_of(item: Primitive) -> int:
        parts = {name: binaries.place_of(item[name]) for name in ("data", "palette") if item.get(name) is not None}
        return items.place_of(json.dumps(item | parts))

    rows = []
    for scene, marks, words in frames:
        painted = json.dumps([scene["width"], scene["height"], [*map(place_of, scene["items"])]])
        rows.append([scenes.place_of(painted), [*map(place_of, marks)], words])
    lists = {"items": [*map(json.loads, items)], "scenes": [*map(json.loads, scenes)], "frames": rows}
    text = json.dumps(lists | {"lengths": [*map(len, binaries)]}, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(struct.pack("<I", len(text)) + text + b"".join(binaries), mtime=0)).decode()


class _Pool(dict[Any, int]):
    """Things in the order in which they first came, each with its place."""

    def place_of(self, thing: Any) -> int:
        return self.setdefault(thing, len(self))


def _main_widget(explorer: Explorer[Any]) -> ipywidgets.Widget | None:
    """The first widget of the main control that has values to go through: itself, or a part of a composite."""
    name = explorer.main_control or next(iter(explorer.controls))
    return next(filter(_has_values, widgets_of(explorer.controls[name])), None)


def _has_values(widget: ipywidgets.Widget) -> bool:
    return isinstance(widget, SLIDERS) or hasattr(widget, "options") or isinstance(getattr(widget, "value", None), bool)


def _said(widget: ipywidgets.Widget) -> Callable[[Any], str]:
    """How a value of a widget reads beside it."""
    if hasattr(widget, "options"):
        labels = [option[0] if isinstance(option, tuple) else str(option) for option in widget.options]
        return dict(zip(values_of(widget), labels, strict=True)).__getitem__
    if isinstance(widget, SLIDERS):
        return lambda value: format(value, widget.readout_format)
    return {False: "off", True: "on"}.__getitem__
