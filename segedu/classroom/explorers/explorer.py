"""The frame of every explorer: controls, a pure computation, a drawing, and the words that say what is shown."""

import contextlib
import threading
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar, Generic, Self, TypeVar

import ipywidgets

from segedu.classroom.explorers.ahead import Ahead, Frame, Knob
from segedu.classroom.explorers.controls import knobs_of, takes, values_of
from segedu.classroom.explorers.scene import Cell, Primitive, Scene
from segedu.classroom.explorers.stage import Stage

State = Mapping[str, Any]
Result = TypeVar("Result")


class _AbstractWidget(type(ipywidgets.VBox), ABCMeta):  # type: ignore[misc]
    """The class of widgets that cannot be made before they have all of their methods."""


class Explorer(ipywidgets.VBox, Generic[Result], metaclass=_AbstractWidget):  # type: ignore[misc]
    """Binds ipywidgets controls to ``compute(state) -> result``, and the result to a `Stage`.

    A subclass defines `compute` (pure, so that a test can hold it to the library), `draw`, `marks` and `words`.
    ``state`` is read and set as a dict: each control's value under its name, and the ``"pinned"`` cell or ``None``.
    The controls stand in ``columns``, which a narrow page sets one below the other; the Tab key follows them. A control
    is a widget with options, a switch, a number with ``min``, ``max`` and ``step`` (a slider, a ``Play``), or a
    `CompositeControl`. Two controls may be linked: one move of both is one computation.
    """

    lines_of_words: ClassVar[int] = 3
    """How many lines the words may take before the picture below them moves."""

    main_control: ClassVar[str | None] = None
    """The control that still moves on a page without a kernel, see `frames`; where none is named, the first."""

    def __init__(self, label: str, *columns: Mapping[str, ipywidgets.Widget]) -> None:
        self.controls = {name: control for column in columns for name, control in column.items()}
        self.stage = Stage(label, lines=self.lines_of_words)
        self.reset_button = ipywidgets.Button(description="Reset", tooltip="Back to how this explorer opened")
        self.reset_button.on_click(lambda _: self.reset())
        self._start = self.state
        self._computed: State = {}
        self._together = False
        self._lock = threading.RLock()  # a kernel may run the callbacks of widgets in several threads
        self._ahead = Ahead(self.stage, [*self._knobs()], self._frame, self._lock)
        self._recompute()
        for name, control in self.controls.items():
            control.observe(lambda _, name=name: self._moved(name), "value")
        self.stage.observe(lambda _: self._point(), ["hovered", "pinned"])
        self.reset_button.layout.margin = "2px 2px 2px auto"
        *boxes, last = (ipywidgets.VBox([*column.values()]) for column in columns)
        last.children += (self.reset_button,)
        grid = ipywidgets.Layout(grid_template_columns="repeat(auto-fit, minmax(300px, 420px))")
        panel = ipywidgets.GridBox([*boxes, last], layout=grid)
        super().__init__([panel, self.stage])
        self.add_class("segedu-explorer")

    @abstractmethod
    def compute(self, state: State) -> Result:
        """What the controls ask for, with no side effect."""

    @abstractmethod
    def draw(self, result: Result) -> Scene:
        """The picture of a result."""

    @abstractmethod
    def marks(self, result: Result, scene: Scene, cell: Cell | None) -> list[Primitive]:
        """What to draw over the scene, with the cell that the reader points at, if any; cheaper than a new scene."""

    @abstractmethod
    def words(self, result: Result, scene: Scene, cell: Cell | None) -> str:
        """What is shown now, in words; with the cell that the reader points at, if any."""

    def releases(self, control: str, cell: Cell) -> bool:
        """Whether a move of this control lets a pinned cell go; an explorer says so where it would mean another."""
        return False

    @property
    def state(self) -> dict[str, Any]:
        """Every control's value under its name, and the ``"pinned"`` cell (``None`` when there is none).

        Setting takes any part of it and draws once. Raises ``ValueError`` for a name, a value or a cell that is not
        there.
        """
        return self._controlled | {"pinned": self.stage.pinned}

    @state.setter
    def state(self, changes: State) -> None:
        controls = {name: value for name, value in changes.items() if name != "pinned"}
        for name, value in controls.items():
            if name not in self.controls:
                raise ValueError(
                    f"{name!r} is no control of this explorer: it has {', '.join(self.controls)} and pinned"
                )
            if not takes(self.controls[name], value):
                values = values_of(self.controls[name])
                raise ValueError(f"{name} is {value!r}, but its control runs from {values[0]!r} to {values[-1]!r}")
        before, pinned = self.state, changes.get("pinned")
        self._set(changes)
        if pinned is not None and not self._scene.holds(pinned):
            panels = self._scene.panels
            self._set(before)
            raise ValueError(f"pinned is {pinned}, which is no cell of the panels (rows, cols) {panels}")

    def _set(self, changes: State) -> None:
        """Several controls and the pinned cell at once, in one picture."""
        with self._one_picture():
            for name, value in changes.items():
                if name != "pinned":
                    self.controls[name].value = value
            self.stage.pinned = changes.get("pinned", self.stage.pinned)

    def reset(self) -> None:
        """Back to how this explorer opened; what plays stops."""
        for widget in widgets_of(self):
            if isinstance(widget, ipywidgets.Play):
                widget.playing = False
        self.state = self._start

    def sweep(self) -> Self:
        """Visit every value of every control and a cell of every panel, then reset; return the explorer, to be shown.

        An error that only one value causes would otherwise wait for a reader to move there: here it is raised. A value
        that a control has had already, because it follows another that was swept, is not visited again.
        """
        with self.stage.hold_sync():
            visited: list[State] = []
            for name, control in self.controls.items():
                for value in values_of(control):
                    if all(value != state[name] for state in visited):
                        self.state = {name: value}
                        visited.append(self.state)
                self.reset()
            for panel, (rows, _) in self._scene.panels.items():
                self.state = {"pinned": {"panel": panel, "row": rows - 1, "col": 0}}
            self.reset()
        return self

    @property
    def _controlled(self) -> dict[str, Any]:
        return {name: control.value for name, control in self.controls.items()}

    @contextlib.contextmanager
    def _one_picture(self) -> Iterator[None]:
        """Hold the drawing back until several controls have moved."""
        with self._lock:
            outer, self._together = self._together, True
            try:
                yield
            finally:
                self._together = outer
            self._recompute()

    def _moved(self, name: str) -> None:
        with self._one_picture():
            if self.stage.pinned is not None and self.releases(name, self.stage.pinned):
                self.stage.set_trait("pinned", None)

    def _knobs(self) -> Iterator[Knob]:
        """Every slider with the state that each of its values leads to."""
        for name, control in self.controls.items():
            for slider, leads_to in knobs_of(control):
                yield Knob(slider, partial(self._after, name, leads_to))

    def _after(self, name: str, leads_to: Callable[[float], Any], value: float) -> State:
        """The state once a slider of a control has moved to a value."""
        pinned = self.stage.pinned
        kept = pinned is not None and not self.releases(name, pinned)
        return self._controlled | {name: leads_to(value), "pinned": pinned if kept else None}

    def _frame(self, state: State) -> Frame:
        """What the stage shows of a state while no cell is under the pointer."""
        result = self.compute(state)
        scene = self.draw(result)
        pinned = state["pinned"]
        cell = pinned if pinned is not None and scene.holds(pinned) else None
        return Frame(scene, self.marks(result, scene, cell), self.words(result, scene, cell))

    def _recompute(self) -> None:
        if self._together:
            return
        state = self._controlled
        if state != self._computed:  # else a linked control has followed, and the picture shows it already
            with self._said_if_it_fails():
                result = self.compute(state)
                self._scene = self.draw(result)
            self._result, self._computed = result, state
        self._point()

    def _point(self) -> None:
        with self._lock, self._said_if_it_fails():
            if self._together:
                return
            pointed = (cell for cell in (self.stage.pinned, self.stage.hovered) if cell is not None)
            cell = next((cell for cell in pointed if self._scene.holds(cell)), None)
            marks = self.marks(self._result, self._scene, cell)
            self._ahead.look()
            self.stage.show(self._scene, marks, self.words(self._result, self._scene, cell))

    @contextlib.contextmanager
    def _said_if_it_fails(self) -> Iterator[None]:
        """A reader sees no traceback of a callback, so the words tell of it; `sweep` and tests get the error."""
        try:
            yield
        except Exception as error:
            self.stage.words = f"This setting failed: {type(error).__name__}: {error}"
            raise

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.stage.with_still(super()._repr_mimebundle_(**kwargs))


def widgets_of(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """A widget and all that stands in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets_of(child)
