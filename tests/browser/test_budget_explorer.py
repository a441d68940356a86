"""The budget explorer under a reader's hands: limits grey networks out, and the page says who wins.

Screenshots: ``budget_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from itertools import product

import pytest
from looks import centre, crowded, mispainted, tab_stops, unreadable, words_of

from segedu.classroom.explorers.budget_picture import LIST, PLOT

expect = pytest.importorskip("playwright.sync_api").expect

CELL = """
from segedu.classroom.explorers import Budget
from segedu.classroom.explorers.budget_ranking import Entrant

MEANS = {
    ("FCN-32s", "32s"): (137, 249, 15.8, 98, 27.2, 7.1),
    ("FCN-16s", "16s"): (138, 274, 15.8, 101, 30.0, 9.3),
    ("FCN-8s", "8s"): (138, 328, 15.8, 108, 32.4, 12.0),
    ("U-Net", "U-Net"): (274, 1151, 36.0, 412, 31.6, 18.3),
    ("SegNet", "SegNet"): (124, 524, 25.1, 231, 29.9, 14.4),
    ("DeepLab v1", "v1"): (153, 653, 15.8, 264, 30.4, 11.0),
    ("DeepLab v3, stride 16", "v3/16"): (272, 301, 7.8, 80, 30.9, 10.2),
    ("DeepLab v3, stride 8", "v3/8"): (272, 881, 8.4, 150, 36.1, 15.9),
    ("BiSeNet", "BiSeNet"): (255, 302, 8.4, 95, 35.2, 16.4),
}
entrants = [
    Entrant(*names, parameters * 1000, macs * 10**6, int(memory * 2**20), time)
    for names, (parameters, macs, memory, time, *_) in MEANS.items()
]
scores = {
    data: {
        name: [
            {"mean_iou": iou - less + seed * 0.7, "boundary_f1": edges - seed * 0.4, "Pole": 0.0}
            for seed in (-1, 0, 1)
        ]
        for (name, _), (*_, iou, edges) in MEANS.items()
    }
    for data, less in (("streets", 0), ("camvid", 8))
}
budget = Budget(entrants, scores).sweep()
budget
"""
CORNERS = [(PLOT, 0, 1), (PLOT, 32, 1)]


@pytest.fixture
def twin():
    """One in this process, to be set alike."""
    names = {}
    exec(CELL, names)
    return names["budget"]


def agrees(explorer, twin, **state):
    """Set the twin; the page says and paints what it describes."""
    twin.state = state
    expect(explorer.words).to_have_text(twin.stage.words)
    assert mispainted(explorer, twin.stage, []) == []


def test_it_answers_to_keys_mouse_and_pointer(module_lab, explorer, twin):
    agrees(explorer, twin)
    sliders = {
        "multiply-adds, M": "macs",
        "parameters, 1000": "parameters",
        "memory, MiB": "memory",
        "time, ms": "time",
    }
    assert tab_stops(explorer) == ["data", "score", "drawn over", *sliders, "Reset", "the picture"]
    for description, name in sliders.items():
        explorer.slider(description).press("ArrowLeft")
        slider = twin.controls[name]
        agrees(explorer, twin, **{name: round(slider.max - slider.step, 9)})
        explorer.slider(description).press("Home")
        agrees(explorer, twin, **{name: 0.0})
        explorer.button("Reset").click()
        twin.reset()
    explorer.select("score").select_option("boundary F1")
    explorer.select("drawn over").select_option("peak memory, MiB")
    explorer.select("data").select_option("camvid")
    agrees(explorer, twin, score="boundary_f1", cost="memory", source="camvid")

    active = module_lab.active_cell
    explorer.point(*centre(explorer, twin.stage, (LIST, 3, 0)), click=True)
    module_lab.page.mouse.move(5, 5)
    agrees(explorer, twin, pinned={"panel": LIST, "row": 3, "col": 0})
    explorer.picture.press("ArrowDown")
    agrees(explorer, twin, pinned={"panel": LIST, "row": 4, "col": 0})
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    assert module_lab.active_cell == active  # none of these keys reached the notebook


def test_it_is_readable_in_both_themes_and_widths(module_lab, explorer, twin, shots):
    assert unreadable(module_lab, explorer, twin.stage, CORNERS, shots / "budget") == []
    explorer.drag("multiply-adds, M", 640)
    explorer.point(*centre(explorer, twin.stage, (LIST, 7, 0)), click=True)
    module_lab.page.mouse.move(5, 5)
    agrees(explorer, twin, macs=640, pinned={"panel": LIST, "row": 7, "col": 0})
    assert unreadable(module_lab, explorer, twin.stage, CORNERS, shots / "budget_limited") == []

    shown = []
    for score, cost in product(("mean_iou", "boundary_f1", "Pole"), ("macs", "parameters", "memory", "time")):
        for limits in ({}, {"macs": 640.0, "parameters": 200.0, "memory": 20.0, "time": 110.0}):
            twin.reset()
            twin.state = {"score": score, "cost": cost} | limits
            for row in range(9):
                twin.state = {"pinned": {"panel": LIST, "row": row, "col": 0}}
                shown.append(words_of(twin.stage))
    assert crowded(module_lab, explorer, shown) == []


def test_a_slider_under_the_hand_has_its_pictures_before_the_kernel_answers(module_lab, explorer, twin):
    explorer.slider("memory, MiB").focus()
    module_lab.page.wait_for_timeout(2500)  # they are asked for, and come
    slider = twin.controls["memory"]
    with module_lab.frozen_kernel():
        for presses in (1, 2, 3):
            explorer.slider("memory, MiB").press("ArrowLeft")
            agrees(explorer, twin, memory=round(slider.max - presses * slider.step, 9))
    agrees(explorer, twin)
