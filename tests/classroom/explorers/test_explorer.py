"""The frame of an explorer, on the smallest explorer there is: one number, coloured."""

import ipywidgets
import numpy as np
import pytest
import traitlets

from segedu.classroom.explorers import Explorer
from segedu.classroom.explorers.ahead import Knob
from segedu.classroom.explorers.controls import values_of
from segedu.classroom.explorers.scene import SIGNED, Scene, cells, ring, text


class Doubling(Explorer[int]):
    """Shows twice the number of its slider, or of nothing when the switch is off; it cannot double 13."""

    def __init__(self):
        self.seen = []
        controls = {
            "number": ipywidgets.IntSlider(3, min=0, max=20, step=2),
            "share": ipywidgets.FloatSlider(0.3, min=0, max=0.5, step=0.1),
            "on": ipywidgets.Checkbox(True),
            "unit": ipywidgets.Dropdown(options=[("metres", "m"), ("seconds", "s")]),
        }
        super().__init__("doubling", controls)

    def compute(self, state):
        self.seen.append({name: state[name] for name in self.controls})
        if state["number"] == 13:
            raise ArithmeticError("13 has no double here")
        return 2 * state["number"] * state["on"]

    def draw(self, result):
        return Scene(40, 30, [cells((0, 0, 40, 30), np.full((2, 3), result, np.uint8), SIGNED, panel="double")])

    def marks(self, result, scene, cell):
        return [text((20, 15), str(result))] if cell is None else [ring(scene.place(cell))]

    def words(self, result, scene, cell):
        return f"doubled: {result}" + ("" if cell is None else f" at {cell['row']}, {cell['col']}")


@pytest.fixture
def doubling():
    return Doubling()


def test_a_control_moves_the_picture_and_the_words(doubling):
    doubling.controls["number"].value = 8
    assert doubling.stage.words == "doubled: 16"
    assert set(doubling.stage.scene["items"][0]["data"]) == {16}


def test_setting_several_controls_computes_once(doubling):
    doubling.seen.clear()
    doubling.state = {"number": 6, "share": 0.2, "unit": "s"}
    assert doubling.seen == [{"number": 6, "share": 0.2, "on": True, "unit": "s"}]
    assert doubling.state == {"number": 6, "share": 0.2, "on": True, "unit": "s", "pinned": None}


def test_reset_goes_back_to_the_first_state(doubling):
    first = doubling.state
    doubling.state = {"number": 6, "on": False, "pinned": {"panel": "double", "row": 0, "col": 0}}
    doubling.reset_button.click()
    assert doubling.state == first
    assert doubling.stage.words == "doubled: 6"


def test_sweep_visits_every_value_of_every_control_and_comes_back(doubling):
    first = doubling.state
    doubling.seen.clear()
    assert doubling.sweep() is doubling
    visited = {name: sorted({state[name] for state in doubling.seen}) for name in doubling.controls}
    assert visited == {
        "number": [0, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20],
        "share": [0, 0.1, 0.2, 0.3, 0.4, 0.5],
        "on": [False, True],
        "unit": ["m", "s"],
    }
    assert doubling.state == first


def test_a_failure_is_said_and_raised(doubling):
    with pytest.raises(ArithmeticError, match="13 has no double"):
        doubling.controls["number"].value = 13
    assert doubling.stage.words == "This setting failed: ArithmeticError: 13 has no double here"
    doubling.reset()
    assert doubling.stage.words == "doubled: 6"


def test_sweep_raises_what_one_value_causes(doubling):
    doubling.controls["number"].step = 1
    with pytest.raises(ArithmeticError):
        doubling.sweep()


def test_the_pinned_cell_is_explained_before_the_hovered_one(doubling):
    doubling.stage.hovered = {"panel": "double", "row": 1, "col": 2}
    assert doubling.stage.words == "doubled: 6 at 1, 2"
    doubling.stage.pinned = {"panel": "double", "row": 0, "col": 1}
    assert doubling.stage.words == "doubled: 6 at 0, 1"
    assert doubling.stage.marks == [ring((0.25, 0.5))]
    doubling.stage.pinned = doubling.stage.hovered = None
    assert doubling.stage.words == "doubled: 6"
    assert doubling.stage.marks == [text((20, 15), "6")]


def test_a_pointer_left_behind_by_another_scene_is_no_error(doubling):
    doubling.stage.hovered = {"panel": "gone", "row": 1, "col": 2}
    assert doubling.stage.words == "doubled: 6"


def test_pointing_computes_nothing_again(doubling):
    doubling.seen.clear()
    doubling.stage.hovered = {"panel": "double", "row": 0, "col": 0}
    assert doubling.seen == []


class Pair(ipywidgets.HBox):
    """Two sliders that hold one value, a tuple; the second never exceeds the first."""

    value = traitlets.Tuple((1, 1))

    def __init__(self):
        self.sliders = [ipywidgets.IntSlider(1, min=1, max=3) for _ in range(2)]
        super().__init__(self.sliders)
        for slider in self.sliders:
            slider.observe(lambda _: setattr(self, "value", tuple(slider.value for slider in self.sliders)), "value")
        self.observe(self._move, "value")

    def _move(self, change):
        for slider, value in zip(self.sliders, change["new"], strict=True):
            slider.value = value

    def sweep_values(self):
        return [(first, second) for first in range(1, 4) for second in range(1, first + 1)]

    def takes(self, value):
        return value in self.sweep_values()

    def knobs(self):
        first, second = self.sliders
        return [Knob(first, lambda value: (value, second.value)), Knob(second, lambda value: (first.value, value))]


class Adding(Explorer[int]):
    """Adds what its controls hold: a composite, and a slider that a player moves."""

    lines_of_words = 5

    def __init__(self):
        self.seen = []
        self.player = ipywidgets.Play(1, min=0, max=4, step=2)
        follower = ipywidgets.IntSlider(1, min=0, max=4, step=2)
        ipywidgets.link((self.player, "value"), (follower, "value"))
        super().__init__("adding", {"pair": Pair(), "follower": follower, "player": self.player})

    def compute(self, state):
        self.seen.append((state["pair"], state["player"]))
        return sum(state["pair"]) + state["player"]

    def draw(self, result):
        return Scene(40, 30)

    def marks(self, result, scene, cell):
        return []

    def words(self, result, scene, cell):
        return str(result)


def test_a_composite_control_is_set_moved_and_swept_like_any_other():
    adding = Adding()
    adding.state = {"pair": (3, 2)}
    assert [slider.value for slider in adding.controls["pair"].sliders] == [3, 2]
    adding.controls["pair"].sliders[1].value = 1
    assert adding.stage.words == "5"
    assert adding.state["pair"] == (3, 1)
    with pytest.raises(ValueError, match=r"pair is \(1, 2\), but its control runs from \(1, 1\) to \(3, 3\)"):
        adding.state = {"pair": (1, 2)}
    adding.reset()
    adding.seen.clear()
    adding.sweep()
    assert {pair for pair, _ in adding.seen} == set(adding.controls["pair"].sweep_values())


def test_linked_controls_compute_once_a_move_and_are_swept_once():
    adding = Adding()
    adding.seen.clear()
    adding.player.value = 4
    adding.controls["follower"].value = 2
    assert adding.seen == [((1, 1), 4), ((1, 1), 2)]
    adding.reset()
    adding.seen.clear()
    adding.sweep()
    assert sorted(played for pair, played in adding.seen if pair == (1, 1)) == [0, 1, 1, 2, 4]  # 1: back from each


def test_reset_stops_what_plays():
    adding = Adding()
    inner = ipywidgets.Play()
    adding.controls["pair"].children += (inner,)
    inner.playing = adding.player.playing = True
    adding.reset_button.click()
    assert (inner.playing, adding.player.playing) == (False, False)


def test_the_words_get_the_room_that_the_explorer_asks_for(doubling):
    assert (doubling.stage.lines, Adding().stage.lines) == (3, 5)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"numbr": 1}, "'numbr' is no control of this explorer: it has number, share, on, unit and pinned"),
        ({"number": 21}, "number is 21, but its control runs from 0 to 20"),
        ({"share": "much"}, "share is 'much'"),
        ({"unit": "kg"}, "unit is 'kg', but its control runs from 'm' to 's'"),
        ({"pinned": {"panel": "double", "row": 2, "col": 0}}, "no cell of the panels"),
    ],
)
def test_a_state_that_is_not_there_is_refused_and_changes_nothing(doubling, state, says):
    before = doubling.state
    with pytest.raises(ValueError, match=says):
        doubling.state = {"number": 4} | state
    assert doubling.state == before


def test_the_steps_of_a_float_slider_are_the_ones_that_it_shows():
    slider = ipywidgets.FloatSlider(1, min=0, max=2, step=0.1)
    assert values_of(slider) == [round(0.1 * step, 1) for step in range(21)]


def test_what_is_displayed_is_the_same_in_every_run(doubling):
    other = Doubling().sweep()
    (mine, _), (theirs, _) = doubling._repr_mimebundle_(), other._repr_mimebundle_()
    assert {kind for kind in mine if mine[kind] != theirs[kind]} == {"application/vnd.jupyter.widget-view+json"}
    assert {"text/plain", "image/png"} < mine.keys()


def test_a_state_with_a_pin_on_a_panel_that_it_brings_along_is_set_at_once():
    class Growing(Doubling):
        def draw(self, result):
            side = max(result // 2, 1)
            return Scene(40, 30, [cells((0, 0, 40, 30), np.zeros((side, side), np.uint8), SIGNED, panel="double")])

    growing = Growing()
    corner = {"panel": "double", "row": 19, "col": 19}
    saved = growing.state | {"number": 20, "pinned": corner}
    growing.state = saved
    assert growing.state == saved
    with pytest.raises(ValueError, match=r"no cell of the panels .rows, cols. \{'double': .4, 4.\}"):
        growing.state = {"number": 4, "pinned": corner}
    assert growing.state == saved
