"""The skip surgery explorer under a reader's hands, with a small U-Net that had forty steps to learn cells.

Screenshots: ``skip_surgery_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

import re
from itertools import product

import pytest
import torch
from looks import centre, crowded, mispainted, tab_stops, unreadable, words_of

from segedu.classroom.explorers import SkipSurgeryExplorer
from segedu.data import Cells
from segedu.models import UNet
from segedu.train import Recipe, fit

expect = pytest.importorskip("playwright.sync_api").expect

WIDTH, SIZE = 4, (64, 64)
CELL = """
import torch
from segedu.classroom.explorers import SkipSurgeryExplorer
from segedu.data import Cells
from segedu.models import UNet

cells = Cells(SIZE, seed=1)
model = UNet(num_classes=2, width=WIDTH)
model.load_state_dict(torch.load("WEIGHTS", weights_only=True))
images, labels = cells.batch(range(3))
explorer = SkipSurgeryExplorer(model, images, labels, cells.classes, cells.palette, cells.mean, cells.std)
explorer.sweep()
"""


@pytest.fixture(scope="module")
def trained():
    """A U-Net that finds most pixels of a cell."""
    torch.manual_seed(0)
    model = UNet(num_classes=2, width=WIDTH)
    recipe = Recipe(steps=40, batch_size=4, lr=0.01, optimizer="adamw")
    fit(model, Cells(SIZE), recipe, device="cpu", progress=False)
    return model


@pytest.fixture
def explorer(lab, trained, tmp_path):
    """The explorer on the page."""
    weights = tmp_path / "unet.pt"
    torch.save(trained.state_dict(), weights)
    lab.run_cells(CELL.replace("SIZE", str(SIZE)).replace("WIDTH", str(WIDTH)).replace("WEIGHTS", weights.as_posix()))
    lab.picture.wait_for()
    return lab.explorer(0)


@pytest.fixture
def twin(trained):
    """One in this process, to be set alike."""
    cells = Cells(SIZE, seed=1)
    images, labels = cells.batch(range(3))
    return SkipSurgeryExplorer(trained, images, labels, cells.classes, cells.palette, cells.mean, cells.std)


def painted(stage):
    """Cells of all panels with a palette, next to the corners: in a narrow window the frames blend with those."""
    panels = {item["panel"]: item["shape"] for item in stage.scene["items"] if item.get("panel") and item["palette"]}
    return [cell for name, (rows, cols) in panels.items() for cell in ((name, 2, 2), (name, rows - 3, cols - 3))]


def agrees(explorer, twin, **state):
    """Set the twin; the page says what the library finds, and paints what the twin describes."""
    twin.state = state
    expect(explorer.words).to_have_text(twin.stage.words)
    assert mispainted(explorer, twin.stage, painted(twin.stage)) == []


def test_it_answers_to_keys_mouse_and_pointer(lab, explorer, twin):
    agrees(explorer, twin)
    sliders = ["skip 1 ×", "skip 2 ×", "skip 3 ×", "skip 4 ×"]
    assert tab_stops(explorer) == [*sliders, "image", "skips of", "look at", "Reset", "the picture"]
    for skip, (key, value) in enumerate((("Home", 0.0), ("ArrowRight", 1.1), ("End", 2.0), ("ArrowLeft", 0.9))):
        explorer.slider(sliders[skip]).press(key)
        agrees(explorer, twin, **{f"skip{skip + 1}": value})
    explorer.select("look at").select_option("skip 3")
    agrees(explorer, twin, look=2)
    explorer.slider("image").press("ArrowRight")
    agrees(explorer, twin, image=1)
    explorer.button("Reset").click()
    agrees(explorer, twin, **twin._start)

    explorer.select("skips of").select_option("the next image")
    expect(explorer.words).to_contain_text("the outlines of image 1 fit better")
    agrees(explorer, twin, donor="the next image")

    active = lab.active_cell
    explorer.point(*centre(explorer, twin.stage, ("truth", 20, 30)))
    expect(explorer.words).to_contain_text(re.compile(r"Row 20, column 30, truth \w+: margin [+−].*Worth of skip 1 "))
    explorer.point(*centre(explorer, twin.stage, ("truth", 20, 30)), click=True)
    lab.page.mouse.move(5, 5)
    agrees(explorer, twin, pinned={"panel": "truth", "row": 20, "col": 30})
    explorer.picture.press("Shift+ArrowDown")
    agrees(explorer, twin, pinned={"panel": "truth", "row": 28, "col": 30})
    explorer.picture.press("PageDown")
    agrees(explorer, twin, pinned={"panel": "prediction", "row": 28, "col": 30})
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    assert lab.active_cell == active  # none of these keys reached the notebook

    explorer.button("Reset").click()
    explorer.slider("skip 1 ×").focus()
    lab.page.wait_for_timeout(2000)  # its pictures are asked for, and come
    with lab.frozen_kernel():
        explorer.slider("skip 1 ×").press("ArrowLeft")
        agrees(explorer, twin, **twin._start | {"skip1": 0.9})
    explorer.drag("skip 1 ×", 0.4)
    agrees(explorer, twin, skip1=0.4)


def test_it_is_readable_in_both_themes_and_widths(lab, explorer, twin, shots):
    assert unreadable(lab, explorer, twin.stage, [], shots / "skip_surgery_as_trained") == []
    explorer.slider("skip 1 ×").press("Home")
    explorer.point(*centre(explorer, twin.stage, ("errors", 25, 25)), click=True)
    lab.page.mouse.move(5, 5)
    agrees(explorer, twin, skip1=0.0, pinned={"panel": "errors", "row": 25, "col": 25})
    assert unreadable(lab, explorer, twin.stage, painted(twin.stage), shots / "skip_surgery") == []
    explorer.picture.press("Escape")
    explorer.button("Reset").click()
    explorer.select("skips of").select_option("the next image")
    agrees(explorer, twin, **twin._start | {"donor": "the next image", "pinned": None})
    assert unreadable(lab, explorer, twin.stage, painted(twin.stage), shots / "skip_surgery_swapped") == []

    shown = []
    for skip1, others, donor, look in product((0.0, 1.0), (0.0, 2.0), ("this image", "the next image"), (0, 3)):
        twin.state = {"skip1": skip1, "skip2": others, "skip3": others, "skip4": others, "donor": donor, "look": look}
        for row, col in ((0, 0), (63, 63), (31, 32), (40, 25)):
            twin.state = {"pinned": {"panel": "image", "row": row, "col": col}}
            shown.append(words_of(twin.stage))
        twin.state = {"pinned": None}
        shown.append(words_of(twin.stage))
    assert crowded(lab, explorer, shown) == []
