"""The ASPP explorer under a reader's hands: its words are held to PyTorch's counts, its picture to its scene.

Screenshots: ``aspp_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from itertools import product

import pytest
import torch
from looks import centre, crowded, mispainted, tab_stops, unreadable, words_of
from torch.nn import functional as F

from segedu.classroom.explorers import ASPPExplorer
from segedu.classroom.explorers.aspp_heads import PRESETS, RATES

expect = pytest.importorskip("playwright.sync_api").expect

CELL = """
from segedu.classroom.explorers import ASPPExplorer
ASPPExplorer().sweep()
"""


@pytest.fixture
def twin():
    """One in this process, to be set alike."""
    return ASPPExplorer()


def taps_on_map(size, rate):
    """At every cell, by PyTorch: a sum of ones."""
    return F.conv2d(torch.ones(1, 1, size, size), torch.ones(1, 1, 3, 3), padding=rate, dilation=rate)[0, 0]


def cells_of(twin):
    """Two of every branch, near a corner and in the middle, where there are no marks."""
    panels = {item["panel"]: item["shape"] for item in twin.stage.scene["items"] if item.get("panel")}
    size, _ = panels["map"]
    near = size // 8
    places = ((near, size - 1 - near), (size // 2, size // 2))
    return [(panel, *place) for panel in panels if panel.startswith("branch") for place in places]


def agrees(explorer, twin, **state):
    """Set the twin; the page says what PyTorch says, and paints what the twin describes."""
    twin.state = state
    state = twin.state
    rates = [state[rate] for rate in RATES if state[rate]]
    means = [float(taps_on_map(state["size"], rate).double().mean()) for rate in rates]
    said = ", ".join(f"{mean:.2f} at {rate}" for mean, rate in list(zip(means, rates, strict=True))[1:])
    expect(explorer.words).to_contain_text(f"of 9: {means[0]:.2f} at rate {rates[0]}, {said}.")
    expect(explorer.words).to_have_text(twin.stage.words)
    assert mispainted(explorer, twin.stage, cells_of(twin)) == []


def test_it_answers_to_keys_mouse_and_pointer(module_lab, explorer, twin):
    agrees(explorer, twin)
    controls = ["DeepLab", "map size", "rate 1", "rate 2", "rate 3", "rate 4"]
    assert tab_stops(explorer)[-len(controls) - 2 :] == [*controls, "Reset", "the picture"]
    for name, slider, key, dragged in (
        ("size", "map size", "ArrowLeft", 48),
        ("rate1", "rate 1", "Home", 3),
        ("rate2", "rate 2", "ArrowRight", 20),
        ("rate3", "rate 3", "End", 25),
        ("rate4", "rate 4", "ArrowRight", 30),
    ):
        explorer.slider(slider).press(key)
        expect(explorer.words).not_to_have_text(twin.stage.words)
        agrees(explorer, twin, **{name: int(explorer.slider(slider).get_attribute("aria-valuetext"))})
        explorer.drag(slider, dragged)
        agrees(explorer, twin, **{name: dragged})
    explorer.select("DeepLab").select_option("v2: rates")
    agrees(explorer, twin, head="v2")
    for name, preset in PRESETS.items():
        explorer.button(name).click()
        agrees(explorer, twin, **preset.state)

    active = module_lab.active_cell
    explorer.point(*centre(explorer, twin.stage, ("rates", 0, 29)))
    expect(explorer.words).to_contain_text(f"; mean {float(taps_on_map(41, 30).double().mean()):.2f}.")
    explorer.point(*centre(explorer, twin.stage, ("map", 4, 20)), click=True)
    module_lab.page.mouse.move(5, 5)
    for key, row, col in ((None, 4, 20), ("ArrowDown", 5, 20), ("ArrowLeft", 5, 19), ("Shift+ArrowDown", 13, 19)):
        if key:
            explorer.picture.press(key)
        lost = sum(9 - int(taps_on_map(41, rate)[row, col]) for rate in (6, 12, 18, 24))
        expect(explorer.words).to_contain_text(f"Row {row}, column {col} sees ")
        expect(explorer.words).to_contain_text(f"; {lost} of 36 read zeros.")
        agrees(explorer, twin, pinned={"panel": "map", "row": row, "col": col})
    explorer.picture.press("PageDown")  # the same place of the first branch
    agrees(explorer, twin, pinned={"panel": "branch 0", "row": 13, "col": 19})
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    assert module_lab.active_cell == active  # none of these keys reached the notebook
    explorer.button("Reset").click()
    agrees(explorer, twin, **ASPPExplorer().state)


def test_it_is_readable_in_both_themes_and_widths_and_keeps_up_with_a_drag(module_lab, explorer, twin, shots):
    assert unreadable(module_lab, explorer, twin.stage, cells_of(twin), shots / "aspp") == []
    explorer.button("v3 + rate 24").click()
    explorer.point(*centre(explorer, twin.stage, ("rates", 0, 29)), click=True)
    module_lab.page.mouse.move(5, 5)
    agrees(explorer, twin, **PRESETS["v3 + rate 24"].state, pinned={"panel": "rates", "row": 0, "col": 29})
    assert unreadable(module_lab, explorer, twin.stage, cells_of(twin), shots / "aspp_rate") == []

    shown = []
    for head, size, last, fourth in product(("v2", "v3"), (8, 33, 65), (2, 18, 36), (0, 24)):
        twin.state = {"head": head, "size": size, "rate3": last, "rate4": fourth, "pinned": None}
        for panel, row, col in (("map", size // 2, size - 1), ("rates", 0, 0), ("rates", 0, 30), ("rates", 0, 65)):
            twin.state = {"pinned": {"panel": panel, "row": row, "col": col}}
            shown.append(words_of(twin.stage))
    assert crowded(module_lab, explorer, shown) == []

    explorer.button("Reset").click()
    for size in (65, 8, 40):
        explorer.drag("map size", size)
    agrees(explorer, twin, **ASPPExplorer().state | {"size": 40})


def test_a_slider_under_the_hand_has_its_pictures_before_the_kernel_answers(module_lab, explorer, twin):
    explorer.slider("rate 3").focus()
    module_lab.page.wait_for_timeout(1500)  # they are asked for, and come
    with module_lab.frozen_kernel():
        for rate in (19, 20, 21, 20):
            explorer.slider("rate 3").press("ArrowRight" if rate > twin.state["rate3"] else "ArrowLeft")
            agrees(explorer, twin, rate3=rate)
    agrees(explorer, twin)
