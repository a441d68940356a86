"""Pictures that are in the page before the hand asks for them.

A move of a slider takes a round trip from the page to the kernel and back, most of it outside our hands, and that is
long enough to be felt. So while a slider has the pointer or the focus, ``ahead.js`` asks what the picture would be at
that slider's other values. All arithmetic stays here, where it is tested; the page only looks its picture up. The
kernel hears of every move as ever, and has the last word.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import ipywidgets

from segedu.classroom.explorers.scene import Primitive, Scene
from segedu.classroom.explorers.stage import NOTHING, Stage

BUDGET = 0.04  # seconds for one batch: a move that comes meanwhile waits for it
DEAR = 0.2  # seconds for one picture, above which no more are made ahead


class Knob(NamedTuple):
    """A slider, and what each of its values leads to: of a control its value, of an explorer its state."""

    slider: ipywidgets.Widget
    leads_to: Callable[[float], Any]


class Frame(NamedTuple):
    """What a stage shows: a scene, the marks over it, and the words."""

    scene: Scene
    marks: Sequence[Primitive]
    words: str


class Ahead:
    """Answers a stage's questions about the values that its sliders may have next.

    ``frame`` makes the picture of a state, one at a time under ``lock``. Once a value of a slider would lead to another
    state than it did when its picture was sent, because something else has moved, the page is told to forget the
    pictures; `look` looks for that.
    """

    def __init__(
        self,
        stage: Stage,
        knobs: Sequence[Knob],
        frame: Callable[[Mapping[str, Any]], Frame],
        lock: AbstractContextManager[Any],
    ) -> None:
        self._stage, self._knobs, self._frame, self._lock = stage, tuple(knobs), frame, lock
        self._slider: int | None = None
        self._sent: dict[float, Mapping[str, Any]] = {}
        for place, knob in enumerate(knobs):
            knob.slider.add_class(f"segedu-slider-{place}")
        stage.sliders = [knob.slider for knob in knobs]
        stage.observe(lambda change: self._answer(**change.new), "ask")

    def look(self) -> None:
        """Make the page forget pictures that have become wrong."""
        if self._slider is None:
            return
        leads_to = self._knobs[self._slider].leads_to
        if any(leads_to(value) != state for value, state in self._sent.items()):
            self._forget()

    def _forget(self) -> None:
        self._slider, self._sent = None, {}
        self._stage.ahead = NOTHING

    def _answer(self, turn: int, slider: int, values: list[float]) -> None:
        """Make the pictures of these values, as many as there is time for."""
        with self._lock:
            self._stage.ahead = self._made(turn, slider, values)

    def _made(self, turn: int, slider: int, values: list[float]) -> dict[str, Any]:
        if slider != self._slider:
            self._slider, self._sent = slider, {}
        pictures, slowest = [], 0.0
        started = time.perf_counter()
        for value in values:
            before = time.perf_counter()
            state = self._knobs[slider].leads_to(value)
            frame = self._frame(state)
            self._sent[value] = state
            pictures.append(frame._asdict() | {"value": value, "scene": frame.scene.to_dict()})
            slowest = max(slowest, time.perf_counter() - before)
            if time.perf_counter() - started > BUDGET:
                break
        return {"turn": turn, "slider": slider, "pictures": pictures, "more": slowest < DEAR}
