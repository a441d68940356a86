"""The loss landscape under a reader's hands: every slider moves the curves, and the page says what the losses say.

Screenshots: ``loss_landscape_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from itertools import product

import pytest
from looks import centre, crowded, mispainted, tab_stops, unreadable, words_of

from segedu.classroom.explorers import LossLandscape

expect = pytest.importorskip("playwright.sync_api").expect

CELL = """
from segedu.classroom.explorers import LossLandscape
LossLandscape().sweep()
"""
CELLS = [("scene", 0, 0), ("scene", 3, 24), ("scene", 2, 5)]


@pytest.fixture
def twin():
    """One in this process, to be set alike."""
    return LossLandscape()


def agrees(explorer, twin, **state):
    """Set the twin; the page says and paints what it describes."""
    twin.state = state
    expect(explorer.words).to_have_text(twin.stage.words)
    assert mispainted(explorer, twin.stage, CELLS if twin.stage.hovered is None else []) == []


def hover(explorer, twin, *cell):
    """Point at a cell of both."""
    explorer.point(*centre(explorer, twin.stage, cell))
    twin.stage.hovered = dict(zip(("panel", "row", "col"), cell, strict=True))


def test_it_answers_to_keys_mouse_and_pointer(module_lab, explorer, twin):
    agrees(explorer, twin)
    sliders = {"p": "p", "object, %": "objects", "false alarm": "false_alarm"}
    others = {"focal γ": "gamma", "focal α": "alpha", "Tversky α": "tversky_alpha"}
    assert tab_stops(explorer) == [*sliders, "show", *others, "Reset", "the picture"]
    for description, name in (sliders | others).items():
        explorer.slider(description).press("Home")
        agrees(explorer, twin, **{name: twin.controls[name].min})
        explorer.slider(description).press("ArrowRight")
        agrees(explorer, twin, **{name: round(twin.controls[name].min + twin.controls[name].step, 9)})
    explorer.drag("p", 0.8)
    agrees(explorer, twin, p=0.8)
    explorer.drag("object, %", 21)
    agrees(explorer, twin, objects=21)
    explorer.select("show").select_option("its pull")
    agrees(explorer, twin, pulls=True)

    active = module_lab.active_cell
    for cell in (("pixel", 0, 10), ("object", 0, 48), ("scene", 1, 5), ("scene", 3, 20)):
        hover(explorer, twin, *cell)
        agrees(explorer, twin)
    explorer.point(*centre(explorer, twin.stage, ("pixel", 0, 24)), click=True)
    module_lab.page.mouse.move(5, 5)
    twin.stage.hovered = None
    agrees(explorer, twin, pinned={"panel": "pixel", "row": 0, "col": 24})
    for key, panel, col in (("ArrowRight", "pixel", 25), ("Shift+ArrowLeft", "pixel", 17), ("PageDown", "object", 17)):
        explorer.picture.press(key)
        agrees(explorer, twin, pinned={"panel": panel, "row": 0, "col": col})
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    assert module_lab.active_cell == active  # none of these keys reached the notebook
    explorer.button("Reset").click()
    agrees(explorer, twin, **LossLandscape().state)


def test_it_is_readable_in_both_themes_and_widths(module_lab, explorer, twin, shots):
    assert unreadable(module_lab, explorer, twin.stage, CELLS, shots / "loss_landscape") == []
    explorer.select("show").select_option("its pull")
    explorer.drag("object, %", 2)
    hover(explorer, twin, "object", 0, 34)
    agrees(explorer, twin, pulls=True, objects=2)
    explorer.screenshot(shots / "loss_landscape_pointed.png")
    module_lab.page.mouse.move(5, 5)
    twin.stage.hovered = None
    assert unreadable(module_lab, explorer, twin.stage, CELLS, shots / "loss_landscape_pulls") == []

    shown = []
    for p, objects, false_alarm, pulls in product((0.02, 0.5, 0.98), (1, 50), (0.0, 0.5), (False, True)):
        twin.state = {"p": p, "objects": objects, "false_alarm": false_alarm, "pulls": pulls, "pinned": None}
        for gamma, alpha in ((0.0, 1.0), (5.0, 0.05)):
            twin.state = {"gamma": gamma, "alpha": alpha, "pinned": None}
            shown.append(words_of(twin.stage))
            for panel, row, col in (
                ("pixel", 0, 0),
                ("object", 0, 0),
                ("object", 0, 48),
                ("scene", 0, 0),
                ("scene", 3, 24),
            ):
                twin.state = {"pinned": {"panel": panel, "row": row, "col": col}}
                shown.append(words_of(twin.stage))
    assert crowded(module_lab, explorer, shown) == []

    explorer.button("Reset").click()
    for p in (0.98, 0.02, 0.4):
        explorer.drag("p", p)
    agrees(explorer, twin, **LossLandscape().state | {"p": 0.4})


def test_a_slider_under_the_hand_has_its_pictures_before_the_kernel_answers(module_lab, explorer, twin):
    explorer.slider("object, %").focus()
    module_lab.page.wait_for_timeout(1500)  # they are asked for, and come
    with module_lab.frozen_kernel():
        for objects in (6, 7, 8, 7):
            explorer.slider("object, %").press("ArrowRight" if objects > twin.state["objects"] else "ArrowLeft")
            agrees(explorer, twin, objects=objects)
    agrees(explorer, twin)
