"""The mask editor under a reader's hands: clicks and arrow keys paint, and the page shows what the library scores.

Screenshots: ``mask_editor_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from itertools import product

import numpy as np
import pytest
from looks import centre, crowded, mispainted, tab_stops, unreadable, words_of

from segedu.classroom.explorers import MaskEditor
from segedu.classroom.explorers.mask_editor_masks import EDITS, TRUTHS, Masks, drawn, mask_of

expect = pytest.importorskip("playwright.sync_api").expect

CELL = """
from segedu.classroom.explorers import MaskEditor
MaskEditor().sweep()
"""
CELLS = [("truth", 8, 10), ("truth", 0, 0)] + [("prediction", *place) for place in ((8, 10), (8, 6), (8, 17), (0, 23))]


@pytest.fixture
def twin():
    """One in this process, to be set alike."""
    return MaskEditor()


def agrees(explorer, twin, cells=()):
    """The page says and paints what the twin describes."""
    expect(explorer.words).to_have_text(twin.stage.words)
    assert mispainted(explorer, twin.stage, cells) == []


def click(explorer, twin, row, col):
    """A click on the prediction of both."""
    explorer.point(*centre(explorer, twin.stage, ("prediction", row, col)), click=True)
    twin.stage.hovered = twin.stage.pinned = {"panel": "prediction", "row": row, "col": col}


def leave(explorer, twin):
    explorer.page.mouse.move(5, 5)
    twin.stage.hovered = None


def predicted(twin):
    return mask_of(Masks(*twin.state["masks"]).predicted)


def test_it_answers_to_keys_mouse_and_pointer(module_lab, explorer, twin):
    agrees(explorer, twin, CELLS)
    buttons = ["Truth", "Erode", "Dilate", "Shift", "Noise", "Clear", "Undo"]
    stops = ["truth", *buttons, "tool", "brush", "tolerance", "void", "Reset", "the picture"]
    assert tab_stops(explorer) == stops
    for name in buttons:
        explorer.button(name).click()
        twin.masks.buttons[name].click()
        agrees(explorer, twin)
    explorer.select("truth").select_option("thin line")
    twin.masks.truth.value = "thin line"
    agrees(explorer, twin)
    explorer.select("tool").select_option("erase")
    explorer.slider("brush").press("ArrowRight")
    twin.state = {"tool": "erase", "brush": 3}
    explorer.drag("tolerance", 3)
    explorer.select("void").select_option("around the object")
    twin.state = {"tolerance": 3, "void": True}
    agrees(explorer, twin)
    explorer.button("Reset").click()
    twin.reset()
    agrees(explorer, twin, CELLS)


def test_clicks_paint_and_the_brush_follows_the_pointer(explorer, twin):
    start = predicted(twin)
    for row, col in ((8, 10), (8, 11), (3, 2)):
        click(explorer, twin, row, col)
        expect(explorer.words).to_contain_text(f"Row {row}, column {col}: ")
        agrees(explorer, twin)
    assert (predicted(twin) ^ start).sum() == 3
    click(explorer, twin, 3, 2)  # once more on the same pixel
    expect(explorer.words).to_contain_text("1 fewer invented")
    explorer.point(*centre(explorer, twin.stage, ("prediction", 12, 20)))
    twin.stage.hovered = {"panel": "prediction", "row": 12, "col": 20}
    agrees(explorer, twin)
    leave(explorer, twin)
    explorer.slider("brush").press("End")
    explorer.select("tool").select_option("paint")
    twin.state = {"brush": 5, "tool": "paint"}
    click(explorer, twin, 15, 0)
    expect(explorer.words).to_contain_text("9 more invented")
    leave(explorer, twin)
    agrees(explorer, twin, [("prediction", 15, 2), ("prediction", 13, 0), ("prediction", 12, 0)])


def test_arrow_keys_draw_on_the_prediction_and_look_on_the_truth(module_lab, explorer, twin):
    active = module_lab.active_cell
    explorer.select("tool").select_option("paint")
    explorer.button("Clear").click()
    twin.state = {"tool": "paint", "masks": ("disc", drawn(EDITS["Clear"](TRUTHS["disc"])), twin.state["masks"][1])}
    agrees(explorer, twin)
    explorer.picture.focus()
    place = {"panel": "truth", "row": 8, "col": 12}  # the middle
    keys = ["ArrowUp", "ArrowUp", "Shift+ArrowLeft", "PageDown", "ArrowRight", "ArrowRight", "ArrowDown"]
    steps = {
        "ArrowUp": (-1, 0),
        "ArrowDown": (1, 0),
        "ArrowRight": (0, 1),
        "Shift+ArrowLeft": (0, -8),
        "PageDown": (0, 0),
    }
    for turn, key in enumerate(keys):
        explorer.picture.press(key)
        if turn:  # the first key only comes to the middle
            down, right = steps[key]
            place = {"panel": place["panel"], "row": place["row"] + down, "col": place["col"] + right}
        if key == "PageDown":
            place = place | {"panel": "prediction"}
        twin.stage.pinned = place
        agrees(explorer, twin)
    assert {tuple(spot) for spot in np.argwhere(predicted(twin)).tolist()} == {(7, 4), (7, 5), (7, 6), (8, 6)}
    explorer.picture.press("Escape")
    twin.stage.pinned = None
    agrees(explorer, twin)
    assert module_lab.active_cell == active  # none of these keys reached the notebook


def test_it_is_readable_in_both_themes_and_widths(module_lab, explorer, twin, shots):
    assert unreadable(module_lab, explorer, twin.stage, CELLS, shots / "mask_editor") == []
    for name in ("Dilate", "Noise"):
        explorer.button(name).click()
        twin.masks.buttons[name].click()
    explorer.select("void").select_option("around the object")
    explorer.slider("brush").press("ArrowRight")
    twin.state = {"void": True, "brush": 3}
    explorer.point(*centre(explorer, twin.stage, ("prediction", 8, 20)))
    twin.stage.hovered = {"panel": "prediction", "row": 8, "col": 20}
    agrees(explorer, twin)
    explorer.screenshot(shots / "mask_editor_pointed.png")
    leave(explorer, twin)
    assert unreadable(module_lab, explorer, twin.stage, CELLS[:1], shots / "mask_editor_void") == []

    shown = []
    for truth, (name, edit), void in product(TRUTHS, EDITS.items(), (False, True)):
        mask = TRUTHS[truth]
        changed = edit(edit(mask)) if name == "Noise" else edit(mask)
        for now, before in ((changed, mask), (mask, changed), (~changed, changed)):
            twin.state = {"masks": (truth, drawn(now), drawn(before)), "void": void}
            for panel, row, col in (("truth", 15, 23), ("prediction", 15, 23), ("prediction", 6, 10)):
                twin.stage.hovered = {"panel": panel, "row": row, "col": col}
                shown.append(words_of(twin.stage))
            twin.stage.hovered = None
            shown.append(words_of(twin.stage))
    assert crowded(module_lab, explorer, shown) == []


def test_a_slider_under_the_hand_has_its_pictures_before_the_kernel_answers(module_lab, explorer, twin):
    explorer.slider("tolerance").focus()
    module_lab.page.wait_for_timeout(1000)  # they are asked for, and come
    with module_lab.frozen_kernel():
        for tolerance in (2, 3, 2):
            explorer.slider("tolerance").press("ArrowRight" if tolerance > twin.state["tolerance"] else "ArrowLeft")
            twin.state = {"tolerance": tolerance}
            agrees(explorer, twin)
    agrees(explorer, twin)
