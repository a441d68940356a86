"""The CRF explorer under a reader's hands: its words are held to the library's CRF, its picture to its scene.

Screenshots: ``crf_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from itertools import product

import pytest
from looks import centre, crowded, mispainted, tab_stops, unreadable, words_of

import segedu.crf
from segedu.classroom.explorers import CRFExplorer
from segedu.classroom.explorers.crf_crops import example_crops
from segedu.classroom.explorers.crf_unaries import unaries
from segedu.metrics import ConfusionMatrix

expect = pytest.importorskip("playwright.sync_api").expect

CELL = """
from segedu.classroom.explorers import CRFExplorer
CRFExplorer()
"""
CROPS = {crop.name: crop for crop in example_crops()}


@pytest.fixture
def twin():
    """One in this process, to be set alike."""
    return CRFExplorer()


def painted(stage):
    """Cells of all panels with a palette, next to the corners: in a narrow window the frames blend with those."""
    panels = {item["panel"]: item["shape"] for item in stage.scene["items"] if item.get("panel") and item["palette"]}
    return [cell for name, (rows, cols) in panels.items() for cell in ((name, 2, 2), (name, rows - 3, cols - 3))]


def agrees(explorer, twin, **state):
    """Set the twin; the page says what its own code computes, and paints what the twin describes."""
    twin.state = state
    crop = CROPS[twin.state["crop"][0]]
    logits = unaries(crop, twin.state["stride"])[None]
    code = twin.stage.words.split("\n")[-1]
    after = eval(code, vars(segedu.crf) | {"logits": logits, "images": crop.image[None]})
    counts = ConfusionMatrix(len(crop.classes), device="cpu")
    counts.update(after, crop.labels[None])
    expect(explorer.words).to_contain_text(f"before and {100 * counts.scores().mean_iou:.1f}\xa0% after")
    expect(explorer.words).to_have_text(twin.stage.words)
    assert mispainted(explorer, twin.stage, painted(twin.stage)) == []


def test_it_answers_to_keys_mouse_and_pointer(module_lab, explorer, twin):
    agrees(explorer, twin)
    sliders = {
        "iterations": ("iterations", "End"),
        "position_std": ("θα position std", "ArrowRight"),
        "colour_std": ("θβ colour std", "ArrowLeft"),
        "bilateral_weight": ("bilateral weight", "ArrowRight"),
        "gaussian_std": ("θγ position std", "ArrowLeft"),
        "gaussian_weight": ("Gaussian weight", "Home"),
    }
    stops = ["crop", "class", "unaries' stride", *(slider for slider, _ in sliders.values())]
    assert tab_stops(explorer) == [*stops, "Reset", "the picture"]
    for name, (slider, key) in sliders.items():
        explorer.slider(slider).press(key)
        expect(explorer.words).not_to_have_text(twin.stage.words)
        moved = type(twin.state[name])(explorer.slider(slider).get_attribute("aria-valuetext"))
        agrees(explorer, twin, **{name: moved})
    explorer.drag("θα position std", 50)
    agrees(explorer, twin, position_std=50)
    explorer.select("unaries' stride").select_option("16")
    agrees(explorer, twin, stride=16)
    explorer.select("crop").select_option("thin poles")
    agrees(explorer, twin, crop=("thin poles", "SignSymbol"))
    explorer.select("class").select_option("Pole")
    agrees(explorer, twin, crop=("thin poles", "Pole"))

    active = module_lab.active_cell
    explorer.point(*centre(explorer, twin.stage, ("edges", 40, 50)))
    expect(explorer.words).to_contain_text("Row 40, column 50, truth Pole: before ")
    explorer.point(*centre(explorer, twin.stage, ("after", 30, 90)), click=True)
    module_lab.page.mouse.move(5, 5)
    steps = ((None, "after", 30), ("Shift+ArrowDown", "after", 38), ("PageDown", "mistakes", 38))
    for key, panel, row in steps:
        if key:
            explorer.picture.press(key)
        expect(explorer.words).to_contain_text(f"Row {row}, column 90, truth SignSymbol: ")
        agrees(explorer, twin, pinned={"panel": panel, "row": row, "col": 90})
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    assert module_lab.active_cell == active  # none of these keys reached the notebook
    explorer.button("Reset").click()
    agrees(explorer, twin, **CRFExplorer().state)


def test_it_is_readable_in_both_themes_and_widths(module_lab, explorer, twin, shots):
    assert unreadable(module_lab, explorer, twin.stage, painted(twin.stage), shots / "crf") == []
    for name, label, stride, row, col in (("thin poles", "Pole", 8, 40, 50), ("green car", "Car", 16, 60, 40)):
        explorer.select("crop").select_option(name)
        explorer.select("class").select_option(label)
        explorer.select("unaries' stride").select_option(str(stride))
        explorer.point(*centre(explorer, twin.stage, ("after", row, col)), click=True)
        module_lab.page.mouse.move(5, 5)
        agrees(explorer, twin, crop=(name, label), stride=stride, pinned={"panel": "after", "row": row, "col": col})
        shot = shots / f"crf_{name.replace(' ', '_')}"
        assert unreadable(module_lab, explorer, twin.stage, painted(twin.stage), shot) == []

    shown = []
    for name, iterations, weight in product(CROPS, (0, 10), (0, 12)):
        settings = {"stride": 32, "iterations": iterations, "bilateral_weight": weight, "pinned": None}
        longest = max(CROPS[name].classes, key=len)
        twin.state = settings | {"crop": (name, longest), "position_std": 60, "gaussian_std": 2.5}
        shown.append(words_of(twin.stage))
        for row, col in ((0, 0), (95, 127), (48, 63), (48, 64)):
            twin.state = {"pinned": {"panel": "edges", "row": row, "col": col}}
            shown.append(words_of(twin.stage))
    assert crowded(module_lab, explorer, shown) == []


def test_a_slider_under_the_hand_has_its_pictures_before_the_kernel_answers(module_lab, explorer, twin):
    explorer.slider("iterations").focus()
    module_lab.page.wait_for_timeout(3000)  # they are asked for, and come
    with module_lab.frozen_kernel():
        for iterations in (6, 7, 6):
            key = "ArrowRight" if iterations > twin.state["iterations"] else "ArrowLeft"
            explorer.slider("iterations").press(key)
            agrees(explorer, twin, iterations=iterations)
    agrees(explorer, twin)
