"""What is sent ahead of a move is what the move then shows, for as long as that is so."""

import threading
import time

import ipywidgets
import numpy as np
import pytest
import torch

from segedu.classroom.explorers import DilationExplorer, Explorer, GriddingExplorer, ReceptiveFieldExplorer
from segedu.classroom.explorers.ahead import BUDGET, DEAR
from segedu.classroom.explorers.scene import SIGNED, Scene, cells, ring
from segedu.classroom.explorers.stage import NOTHING


class Sum(Explorer[int]):
    """Shows the sum of two sliders; ``seconds`` is what a computation takes. The second slider lets a pin go."""

    def __init__(self):
        self.seconds = 0.0
        sliders = {name: ipywidgets.IntSlider(1, min=0, max=9) for name in ("first", "second")}
        super().__init__("sum", sliders | {"on": ipywidgets.Checkbox(True)})

    def compute(self, state):
        time.sleep(self.seconds)
        return (state["first"] + state["second"]) * state["on"]

    def draw(self, result):
        return Scene(40, 30, [cells((0, 0, 40, 30), np.full((2, 3), result, np.uint8), SIGNED, panel="sum")])

    def marks(self, result, scene, cell):
        return [] if cell is None else [ring(scene.place(cell))]

    def words(self, result, scene, cell):
        return f"{result}, {cell}"

    def releases(self, control, cell):
        return control == "second"


PIN = {"panel": "sum", "row": 1, "col": 1}


@pytest.fixture
def explorer():
    return Sum()


def ask(explorer, slider, *values):
    """Ask as the page does; the pictures that came, by value."""
    turn = explorer.stage.ask.get("turn", 0) + 1
    explorer.stage.ask = {"turn": turn, "slider": slider, "values": list(values)}
    came = explorer.stage.ahead
    assert (came["turn"], came["slider"]) == (explorer.stage.ask["turn"], slider)
    return {
        picture["value"]: {part: picture[part] for part in ("scene", "marks", "words")} for picture in came["pictures"]
    }


def shown(explorer):
    return {part: getattr(explorer.stage, part) for part in ("scene", "marks", "words")}


def agree_with_moves(explorer, slider, values):
    start = explorer.state
    came = ask(explorer, slider, *(value for value in values if value != explorer.stage.sliders[slider].value))
    assert came
    for value, picture in came.items():
        explorer.state = start
        explorer.stage.sliders[slider].value = value
        assert picture == shown(explorer)
    explorer.state = start


@pytest.mark.parametrize("pinned", [None, PIN])
@pytest.mark.parametrize("slider", [0, 1])
def test_pictures_are_those_of_the_moves(explorer, slider, pinned):
    explorer.state = {"pinned": pinned}
    agree_with_moves(explorer, slider, [0, 1, 9])


@pytest.mark.parametrize("make", [DilationExplorer, GriddingExplorer])
def test_those_of_the_course_agree_too(make):
    explorer = make()
    for slider, widget in enumerate(explorer.stage.sliders):
        agree_with_moves(explorer, slider, [widget.max, widget.min, widget.value])


def test_a_layer_keeps_to_what_its_kind_can_be(square):
    explorer = ReceptiveFieldExplorer(square, (0.5,) * 3, (0.5,) * 3, preset="VGG16")
    explorer.state = {"pixels": 64, "layer": 2}  # a pool: its padding may not exceed half its kernel
    for slider, widget in enumerate(explorer.stage.sliders):
        agree_with_moves(explorer, slider, [widget.min, widget.min + 2])


@pytest.fixture
def square():
    return torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)


def test_the_scene_says_of_which_values_it_is(explorer):
    explorer.state = {"first": 4, "second": 7}
    assert explorer.stage.at == [4, 7]


def test_pictures_hold_while_only_their_slider_moves(explorer):
    ask(explorer, 0, 3)
    before = explorer.stage.ahead
    explorer.controls["first"].value = 3
    assert explorer.stage.ahead is before


@pytest.mark.parametrize("change", [{"second": 5}, {"on": False}, {"pinned": PIN}])
def test_pictures_are_forgotten_when_anything_else_moves(explorer, change):
    ask(explorer, 0, 3)
    explorer.state = change
    assert explorer.stage.ahead == NOTHING
    agree_with_moves(explorer, 0, [3])


def test_a_batch_ends_when_its_time_is_over(explorer):
    explorer.seconds = 0.75 * BUDGET
    assert list(ask(explorer, 0, 3, 4, 5, 6)) == [3, 4]
    assert explorer.stage.ahead["more"]


def test_pictures_that_take_long_are_no_longer_asked_for(explorer):
    explorer.seconds = 1.1 * DEAR
    assert list(ask(explorer, 0, 3, 4)) == [3]
    assert not explorer.stage.ahead["more"]


def test_pictures_are_of_no_cell_under_the_pointer(explorer):
    explorer.stage.hovered = PIN
    assert ask(explorer, 0, 3)[3]["words"] == "4, None"


def test_threads_compute_one_after_the_other(explorer):
    """A kernel may run the callback of a slider and that of a question in two threads."""
    inside, overlaps = [], []

    def compute(state):
        overlaps.append(len(inside))
        inside.append(state)
        time.sleep(0.01)
        inside.pop()
        return state["first"]

    explorer.compute = compute
    asking = threading.Thread(target=lambda: [ask(explorer, 0, value) for value in range(2, 6)])
    asking.start()
    for value in range(6, 10):
        explorer.controls["first"].value = value
    asking.join()
    assert overlaps == [0] * 8
