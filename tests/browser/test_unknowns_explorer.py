"""The unknowns explorer under a reader's hands, with the course's trained U-Net and objects that it never saw.

Screenshots: ``unknowns_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from itertools import product

import pytest
from looks import centre, crowded, mispainted, panels_of, tab_stops, unreadable, words_of

expect = pytest.importorskip("playwright.sync_api").expect

CELL = """
from segedu import data
from segedu.classroom.explorers import Unknowns
from segedu.inference import inference
from segedu.models import create
from segedu.ood import Mahalanobis

streets = data.load("streets", split="val", size=(96, 128), unknown_object=1.0)
images, labels = streets.batch(range(3))
model = create("unet", weights="streets")
distance = Mahalanobis(len(streets.classes), len(streets.classes))
with inference(model):
    logits = model(images)["out"]
distance.update(logits, labels)
more = {"Mahalanobis": distance.fit().scores(logits)}
unknown = streets.unknown_mask(range(3))
explorer = Unknowns(
    model, images, labels, unknown, streets.classes, streets.palette, streets.mean, streets.std, more=more
)
explorer.sweep()
"""
PAINTED = ("score", "prediction")


@pytest.fixture(scope="module")
def twin():
    """One in this process, to be set alike: made by the same lines as the one on the page."""
    made = {}
    exec(CELL, made)
    return made["explorer"]


@pytest.fixture(autouse=True)
def start(twin):
    twin.reset()


def cells(stage):
    """Cells near the corners of the maps that have a palette; a frame blends with those at the edge."""
    shapes = {name: panels_of(stage)[name]["shape"] for name in PAINTED}
    return [(name, row, col) for name, (rows, cols) in shapes.items() for row, col in ((2, 2), (rows - 3, cols - 3))]


def agrees(explorer, twin, **state):
    """Set the twin; the page says what the library finds, and paints what the twin describes."""
    twin.state = state
    expect(explorer.words).to_have_text(twin.stage.words, use_inner_text=True)
    assert mispainted(explorer, twin.stage, cells(twin.stage)) == []


def test_it_answers_to_keys_mouse_and_pointer(module_lab, explorer, twin):
    agrees(explorer, twin)
    assert tab_stops(explorer) == ["score", "scene", "known flagged, %", "Reset", "the picture"]
    for name in ("energy", "Mahalanobis", "max logit", "entropy"):
        explorer.select("score").select_option(name)
        agrees(explorer, twin, score=name)
    explorer.slider("scene").press("ArrowRight")
    agrees(explorer, twin, image=1)
    explorer.slider("known flagged, %").press("Home")
    agrees(explorer, twin, flagged=0)
    explorer.drag("known flagged, %", 40)
    agrees(explorer, twin, flagged=40)

    active = module_lab.active_cell
    explorer.point(*centre(explorer, twin.stage, ("flagged", 60, 90)))
    expect(explorer.words).to_contain_text("Row 60, column 90, truth")
    explorer.point(*centre(explorer, twin.stage, ("flagged", 60, 90)), click=True)
    module_lab.page.mouse.move(5, 5)
    agrees(explorer, twin, pinned={"panel": "flagged", "row": 60, "col": 90})
    explorer.slider("known flagged, %").press("ArrowRight")  # the pixel stays, and hears another verdict
    agrees(explorer, twin, flagged=41)
    explorer.picture.press("Shift+ArrowUp")
    agrees(explorer, twin, pinned={"panel": "flagged", "row": 52, "col": 90})
    explorer.picture.press("PageUp")
    agrees(explorer, twin, pinned={"panel": "score", "row": 52, "col": 90})
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    assert module_lab.active_cell == active  # none of these keys reached the notebook
    explorer.button("Reset").click()
    agrees(explorer, twin, **twin._start)


def test_a_slider_under_the_hand_has_its_pictures_before_the_kernel_answers(module_lab, explorer, twin):
    agrees(explorer, twin)
    explorer.slider("known flagged, %").focus()
    module_lab.page.wait_for_timeout(1500)  # they are asked for, and come
    with module_lab.frozen_kernel():
        for share in (6, 7, 6):
            explorer.slider("known flagged, %").press("ArrowRight" if share > twin.state["flagged"] else "ArrowLeft")
            agrees(explorer, twin, flagged=share)


def test_it_is_readable_in_both_themes_and_widths(module_lab, explorer, twin, shots):
    assert unreadable(module_lab, explorer, twin.stage, cells(twin.stage), shots / "unknowns_opened") == []
    explorer.select("score").select_option("entropy")
    explorer.slider("scene").press("End")
    explorer.drag("known flagged, %", 12)
    agrees(explorer, twin, score="entropy", image=2, flagged=12)
    explorer.point(*centre(explorer, twin.stage, ("scene", 60, 30)), click=True)
    module_lab.page.mouse.move(5, 5)
    agrees(explorer, twin, pinned={"panel": "scene", "row": 60, "col": 30})
    assert unreadable(module_lab, explorer, twin.stage, cells(twin.stage), shots / "unknowns") == []

    shown = []
    for score, image, flagged in product(twin.separations, range(3), (0, 50, 100)):
        twin.state = {"score": score, "image": image, "flagged": flagged, "pinned": None}
        shown.append(words_of(twin.stage))
        for row, col in ((0, 0), (95, 127), (47, 63)):
            twin.state = {"pinned": {"panel": "flagged", "row": row, "col": col}}
            shown.append(words_of(twin.stage))
    assert crowded(module_lab, explorer, shown) == []
