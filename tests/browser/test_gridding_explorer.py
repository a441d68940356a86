"""The gridding explorer under a reader's hands: its words are held to the library, its picture to its scene.

Screenshots: ``gridding_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from itertools import product

import pytest
from looks import centre, corners, crowded, mispainted, tab_stops, unreadable, words_of

from segedu.classroom.explorers import GriddingExplorer
from segedu.classroom.explorers.gridding import RATES
from segedu.receptive_field import gridding, plan

expect = pytest.importorskip("playwright.sync_api").expect

CELL = """
from segedu.classroom.explorers import GriddingExplorer
GriddingExplorer().sweep()
"""


@pytest.fixture
def twin():
    """One in this process, to be set alike."""
    return GriddingExplorer()


def agrees(explorer, twin, **state):
    """Set the twin; the page says what the library finds, and paints what the twin describes."""
    twin.state = state
    found = gridding([twin.state[rate] for rate in RATES])
    planned = plan(found.size)
    expect(explorer.words).to_contain_text(
        f"Rates {', '.join(map(str, found.rates))} see a field of {found.size} × {found.size} cells "
        f"and read {found.reached**2} of its {found.size**2}: "
    )
    expect(explorer.words).to_contain_text(f"M₂ = {found.hdc_distance} {'≤' if found.hdc_passes else '>'} 3, ")
    expect(explorer.words).to_contain_text("without holes" if found.coverage == 1 else "with holes")
    expect(explorer.words).to_contain_text(f"plan({found.size}) chooses rates {', '.join(map(str, planned))}: ")
    expect(explorer.words).to_have_text(twin.stage.words)
    middle = found.size // 2
    holes = [("chosen", row, middle) for row, paths in enumerate(found.axis_paths) if not paths][:1]
    inside = [("chosen", middle, middle), ("planned", middle, middle)] if twin.state["pinned"] is None else []
    assert mispainted(explorer, twin.stage, [*corners(twin.stage), *holes, *inside]) == []


def test_it_answers_to_keys_mouse_and_pointer(module_lab, explorer, twin):
    agrees(explorer, twin)
    assert tab_stops(explorer) == ["rate 1", "rate 2", "rate 3", "Reset", "the picture"]
    for rate, key, dragged in (("rate 1", "Home", 3), ("rate 2", "ArrowRight", 6), ("rate 3", "End", 9)):
        name = rate.replace(" ", "")
        explorer.slider(rate).press(key)
        expect(explorer.words).not_to_have_text(twin.stage.words)
        agrees(explorer, twin, **{name: int(explorer.slider(rate).get_attribute("aria-valuetext"))})
        explorer.drag(rate, dragged)
        agrees(explorer, twin, **{name: dragged})

    active = module_lab.active_cell
    paths = gridding((3, 6, 9)).axis_paths
    middle = len(paths) // 2
    explorer.point(*centre(explorer, twin.stage, ("chosen", middle, middle - 9)))
    down, across = paths[middle], paths[middle - 9]
    expect(explorer.words).to_contain_text(f"one of {down} × {across} = {down * across} paths.")
    explorer.point(*centre(explorer, twin.stage, ("chosen", middle, middle)), click=True)
    module_lab.page.mouse.move(5, 5)
    row = col = middle
    for key, south, east in ((None, 0, 0), ("ArrowDown", 1, 0), ("ArrowLeft", 0, -1), ("Shift+ArrowUp", -8, 0)):
        if key:
            explorer.picture.press(key)
        row, col = row + south, col + east
        down, across = paths[row], paths[col]
        expect(explorer.words).to_contain_text(f"{down} × {across} = {down * across} paths.")
        agrees(explorer, twin, pinned={"panel": "chosen", "row": row, "col": col})
    explorer.picture.press("PageDown")  # the same place of the planned field
    agrees(explorer, twin, pinned={"panel": "planned", "row": row, "col": col})
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    assert module_lab.active_cell == active  # none of these keys reached the notebook
    explorer.button("Reset").click()
    agrees(explorer, twin, **GriddingExplorer().state)


def test_it_is_readable_in_both_themes_and_widths_and_keeps_up_with_a_drag(module_lab, explorer, twin, shots):
    explorer.point(*centre(explorer, twin.stage, ("chosen", 4, 8)), click=True)
    module_lab.page.mouse.move(5, 5)
    agrees(explorer, twin, pinned={"panel": "chosen", "row": 4, "col": 8})
    assert unreadable(module_lab, explorer, twin.stage, corners(twin.stage), shots / "gridding") == []

    shown = []
    for rates in product((1, 3, 10, 12), repeat=3):
        twin.state = dict(zip(RATES, rates, strict=True)) | {"pinned": None}
        last = gridding(rates).size - 1
        for panel, row, col in (("chosen", 1, last), ("planned", last, 0), ("planned", last - 3, last - 2)):
            twin.state = {"pinned": {"panel": panel, "row": row, "col": col}}
            shown.append(words_of(twin.stage))
    assert crowded(module_lab, explorer, shown) == []

    explorer.button("Reset").click()
    for rate in (12, 1, 7):
        explorer.drag("rate 2", rate)
    agrees(explorer, twin, **GriddingExplorer().state | {"rate2": 7})


def test_a_slider_under_the_hand_has_its_pictures_before_the_kernel_answers(module_lab, explorer, twin):
    explorer.slider("rate 2").focus()
    module_lab.page.wait_for_timeout(1000)  # they are asked for, and come
    with module_lab.frozen_kernel():
        for rate in (3, 4, 5, 4):
            explorer.slider("rate 2").press("ArrowRight" if rate > twin.state["rate2"] else "ArrowLeft")
            agrees(explorer, twin, rate2=rate)
        explorer.slider("rate 3").press("ArrowRight")  # its pictures nobody could make
        module_lab.page.wait_for_timeout(300)
        agrees(explorer, twin)
    agrees(explorer, twin, rate3=3)
    explorer.slider("rate 2").press("ArrowRight")  # and those of this one have become wrong
    agrees(explorer, twin, rate2=5)
