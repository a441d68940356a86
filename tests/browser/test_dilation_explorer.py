"""The dilation explorer under a reader's hands: its words are held to PyTorch's counts, its picture to its scene.

Screenshots: ``dilation_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

import pytest
import torch
from looks import centre, corners, crowded, mispainted, tab_stops, unreadable, words_of
from torch.nn import functional as F

from segedu.classroom.explorers import DilationExplorer
from segedu.classroom.explorers.controls import values_of
from segedu.receptive_field import Layer, stacked

expect = pytest.importorskip("playwright.sync_api").expect

CELL = """
from segedu.classroom.explorers import DilationExplorer
DilationExplorer().sweep()
"""


@pytest.fixture
def twin():
    """One in this process, to be set alike."""
    return DilationExplorer()


def counts(state):
    """Taps on the map of each unit, and units that read each cell, by PyTorch: a sum of ones and its gradient."""
    image = torch.ones(1, 1, state["size"], state["size"], requires_grad=True)
    ones, padding = torch.ones(1, 1, state["kernel"], state["kernel"]), state["rate"] * (state["kernel"] // 2)
    taps = F.conv2d(image, ones, None, state["stride"], padding, state["rate"])
    (readers,) = torch.autograd.grad(taps.sum(), image)
    return taps[0, 0].int(), readers[0, 0].int()


def agrees(explorer, twin, **state):
    """Set the twin; the page says what the analyser and PyTorch say, and paints what the twin describes."""
    twin.state = state
    state = twin.state
    taps, readers = counts(state)
    padding = state["rate"] * (state["kernel"] // 2)
    (level,) = stacked([Layer("conv", state["kernel"], state["stride"], state["rate"], padding)], state["size"])
    keeps = f"{level.field.size} cells wide. Padding {padding} keeps {state['size']} × {state['size']}"
    leaves = f", stride {state['stride']} leaves {level.units} × {level.units}" if state["stride"] > 1 else ""
    share = 100 * float(taps.double().mean()) / state["kernel"] ** 2
    unread = int((readers == 0).sum())
    expect(explorer.words).to_contain_text(f"= {keeps}{leaves}. {share:.1f} % of taps are on the map")
    expect(explorer.words).to_contain_text(
        f"; {unread} cells are unread." if unread else f"all {state['kernel'] ** 2}."
    )
    expect(explorer.words).to_have_text(twin.stage.words)
    assert mispainted(explorer, twin.stage, corners(twin.stage)) == []


def test_it_answers_to_keys_mouse_and_pointer(module_lab, explorer, twin):
    agrees(explorer, twin)
    controls = ["rate", "column", "play", "stop", "retweet", "kernel", "stride", "map size"]
    assert tab_stops(explorer) == [*controls, "Reset", "the picture"]
    for name, slider, key, dragged in (
        ("rate", "rate", "PageUp", 3),
        ("column", "column", "ArrowLeft", 2),
        ("stride", "stride", "End", 2),
        ("size", "map size", "PageUp", 41),
    ):
        explorer.slider(slider).press(key)
        expect(explorer.words).not_to_have_text(twin.stage.words)
        agrees(explorer, twin, **{name: int(explorer.slider(slider).get_attribute("aria-valuetext"))})
        explorer.drag(slider, dragged)
        agrees(explorer, twin, **{name: dragged})
    active = module_lab.active_cell
    explorer.select("kernel").press("ArrowDown")
    agrees(explorer, twin, kernel=5)
    taps, readers = counts(twin.state)
    explorer.point(*centre(explorer, twin.stage, ("output", 3, 20)))
    expect(explorer.words).to_contain_text(
        f"Output unit at row 3, column 20: {taps[3, 20]} of 25 taps on the map, {25 - taps[3, 20]} in padding."
    )
    explorer.point(*centre(explorer, twin.stage, ("input", 4, 20)), click=True)
    module_lab.page.mouse.move(5, 5)
    for key, row, col in ((None, 4, 20), ("ArrowDown", 5, 20), ("ArrowLeft", 5, 19), ("Shift+ArrowDown", 13, 19)):
        if key:
            explorer.picture.press(key)
        who = f"= {readers[row, col]} output units read it." if readers[row, col] else ": no output unit reads it."
        expect(explorer.words).to_contain_text(f"Input cell at row {row}, column {col}: ")
        expect(explorer.words).to_contain_text(who)
        agrees(explorer, twin, pinned={"panel": "input", "row": row, "col": col})
    explorer.picture.press("PageDown")  # the same place of the other map
    agrees(explorer, twin, pinned={"panel": "output", "row": 6, "col": 9})
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    assert module_lab.active_cell == active  # none of these keys reached the notebook

    explorer.part.locator(".fa-play").click()
    expect(explorer.words).not_to_contain_text("column 2: ")  # where it set out
    explorer.button("Reset").click()
    agrees(explorer, twin, **DilationExplorer().state)
    expect(explorer.part.locator(".fa-play")).to_be_visible()  # while it plays, the button is one for a pause


def test_it_is_readable_in_both_themes_and_widths_and_keeps_up_with_a_drag(module_lab, explorer, twin, shots):
    explorer.point(*centre(explorer, twin.stage, ("output", 1, 2)), click=True)
    module_lab.page.mouse.move(5, 5)
    agrees(explorer, twin, pinned={"panel": "output", "row": 1, "col": 2})
    assert unreadable(module_lab, explorer, twin.stage, corners(twin.stage), shots / "dilation") == []

    shown = []
    for name, control in twin.controls.items():
        for value in values_of(control):
            twin.state = {name: value} if name == "kernel" else {name: value, "stride": max(2, twin.state["stride"])}
            shown.append(words_of(twin.stage))
    assert crowded(module_lab, explorer, shown) == []

    explorer.button("Reset").click()
    for rate in (24, 1, 17):
        explorer.drag("rate", rate)
    agrees(explorer, twin, **DilationExplorer().state | {"rate": 17})
