"""The editor of a stack: buttons, sliders and presets make the stacks that they say, each with one change."""

import pytest

from segedu.classroom.explorers.layer_stack import DEEPEST, LARGEST, OWN, LayerList, LayerStack, name_of, nearest
from segedu.receptive_field import Layer

A, B, C = Layer(padding=1), Layer("pool", 2, 2), Layer(kernel=5, stride=2, dilation=3, padding=4)
PRESETS = {"two": (A, B), "three": (A, B, C)}


class Editor:
    """A `LayerStack` with its list, and what its changes looked like to whoever listens."""

    def __init__(self):
        self.picked, self.heard = [], []
        self.list = LayerList(2)
        self.stack = LayerStack(PRESETS, "three", self.list, self.picked.append)
        for control in (self.stack, self.list):
            control.observe(lambda _: self.heard.append((self.stack.value, self.list.value)), "value")

    def click(self, name):
        self.stack.buttons[name].click()
        return self.stack.value, self.list.value

    @property
    def shown(self):
        return self.stack.kind.value, *(slider.value for slider in self.stack.numbers.values())


@pytest.fixture
def editor():
    return Editor()


def test_it_opens_on_its_preset(editor):
    assert editor.stack.value == (A, B, C)
    assert editor.stack.preset.value == "three"
    assert editor.shown == ("conv", 5, 2, 3, 4)
    assert [label for label, _ in editor.list.select.options] == [
        "1  conv 3×3, padding 1",
        "2  pool 2×2, stride 2",
        "3  conv 5×5, stride 2, dilation 3, padding 4",
    ]
    assert editor.list.select.index == 2


@pytest.mark.parametrize(
    ("chosen", "button", "stack", "then"),
    [
        (1, "Add", (A, B, Layer(padding=1), C), 2),
        (2, "Add", (A, B, C, Layer(padding=1)), 3),
        (0, "Remove", (B, C), 0),
        (2, "Remove", (A, B), 1),
        (0, "Up", (A, B, C), 0),
        (2, "Up", (A, C, B), 1),
        (0, "Down", (B, A, C), 1),
        (2, "Down", (A, B, C), 2),
    ],
)
def test_a_button_changes_stack_and_choice_at_once(editor, chosen, button, stack, then):
    editor.list.value = chosen
    editor.heard.clear()
    assert editor.click(button) == (stack, then)
    assert set(editor.heard) <= {(stack, then)}  # nobody saw the one without the other
    assert len(editor.list.select.options) == len(stack)
    assert editor.list.select.index == then
    assert editor.stack.preset.value == {(A, B): "two", (A, B, C): "three"}.get(stack, OWN)


def test_the_list_chooses_what_the_sliders_show(editor):
    editor.list.select.value = 1
    assert editor.list.value == 1
    assert editor.shown == ("pool", 2, 2, 1, 0)


@pytest.mark.parametrize(("name", "number"), [("kernel", 7), ("stride", 4), ("dilation", 18), ("padding", 0)])
def test_a_slider_changes_the_chosen_layer(editor, name, number):
    editor.stack.numbers[name].value = number
    changed = {"kernel": 5, "stride": 2, "dilation": 3, "padding": 4} | {name: number}
    assert editor.stack.value == (A, B, Layer("conv", **changed))
    assert editor.heard == [(editor.stack.value, 2)]
    assert editor.stack.preset.value == OWN


def test_numbers_that_a_kind_cannot_have_become_the_nearest(editor):
    editor.stack.kind.value = "pool"
    assert editor.stack.value[2] == Layer("pool", 5, 2, 3, 2)
    editor.stack.numbers["padding"].value = 9
    assert editor.stack.value[2] == Layer("pool", 5, 2, 3, 2)
    assert editor.stack.numbers["padding"].value == 2
    editor.stack.numbers["kernel"].value = 2
    editor.stack.kind.value = "ASPP"
    assert editor.stack.value[2] == Layer("ASPP", 3, 2, 3, 1)
    assert editor.shown == ("ASPP", 3, 2, 3, 1)
    assert nearest("skip", 2, 1, 1, 5) == Layer("skip", 2, 1, 1, 5)


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("conv", ["kernel", "stride", "dilation", "padding"]),
        ("transposed", ["kernel", "stride", "dilation", "padding"]),
        ("ASPP", ["kernel", "dilation"]),
        ("skip", []),
    ],
)
def test_sliders_that_do_not_count_are_off(editor, kind, counts):
    editor.stack.kind.value = kind
    assert [name for name, slider in editor.stack.numbers.items() if not slider.disabled] == counts


def test_a_preset_is_heard_of_only_when_the_reader_picks_it(editor):
    editor.stack.preset.value = "two"
    assert (editor.stack.value, editor.list.value) == ((A, B), 1)
    assert editor.picked == ["two"]
    editor.stack.value = (A, B, C)
    assert editor.stack.preset.value == "three"
    editor.stack.numbers["kernel"].value = 9
    editor.stack.preset.value = OWN
    assert editor.picked == ["two"]
    assert editor.stack.value[1].kernel == 9


def test_buttons_that_can_do_nothing_are_off(editor):
    off = lambda: {name for name, button in editor.stack.buttons.items() if button.disabled}  # noqa: E731
    assert off() == {"Down"}
    editor.list.value = 0
    assert off() == {"Up"}
    editor.stack.value = (A,)
    assert off() == {"Up", "Down", "Remove"}
    editor.stack.value = (A,) * DEEPEST
    assert off() == {"Up", "Add"}
    for name in ("Add", "Up"):
        assert editor.click(name)[0] == (A,) * DEEPEST


def test_a_choice_beyond_a_shorter_stack_stays_and_shows_the_last(editor):
    editor.stack.value = (A, B)
    assert editor.list.value == 2
    assert editor.list.select.index == 1
    assert editor.shown[0] == "pool"
    editor.stack.value = (A, B, C)
    assert editor.list.select.index == 2


def test_what_can_be_set(editor):
    takes = editor.stack.takes
    assert takes((A,))
    assert all(map(takes, editor.stack.sweep_values()))
    assert not any(map(takes, [(), [A], (A, "conv"), (A,) * (DEEPEST + 1), (Layer(kernel=12),), None]))
    assert editor.list.takes(DEEPEST - 1)
    assert not any(map(editor.list.takes, [-1, DEEPEST, True, 0.5, None]))
    assert editor.list.sweep_values() == [0, 1, 2]


def test_a_sweep_meets_every_preset_kind_and_number(editor):
    stacks = editor.stack.sweep_values()
    assert len(stacks) == len(set(stacks))
    assert set(PRESETS.values()) <= set(stacks)
    last = [stack[2] for stack in stacks if len(stack) > 2]
    assert {layer.kind for layer in last} == {"conv", "pool", "transposed", "ASPP", "skip"}
    for name, most in LARGEST.items():
        assert {getattr(layer, name) for layer in last} >= set(range(1, most + 1))
    assert {len(stack) for stack in stacks} == {2, 3, 4}


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (Layer("transposed", 4, 2, 1, 1), "transposed 4×4, stride 2, padding 1"),
        (Layer("ASPP", dilation=6), "ASPP 6, 12, 18"),
        (Layer("skip"), "skip"),
        (Layer(kernel=1), "conv 1×1"),
    ],
)
def test_names(layer, name):
    assert name_of(layer) == name
