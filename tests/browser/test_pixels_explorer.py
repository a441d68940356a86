"""The pixels explorer under a reader's hands, on painted streets.

Screenshots: ``pixels_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from itertools import product

import pytest
from looks import centre, crowded, mispainted, tab_stops, unreadable, words_of

from segedu import data
from segedu.classroom.explorers import Pixels

expect = pytest.importorskip("playwright.sync_api").expect

CELL = """
from segedu import data
from segedu.classroom.explorers import Pixels

streets = data.load("streets", split="val")
images, labels = streets.batch(range(3))
Pixels(images, labels, streets.classes, streets.palette, streets.mean, streets.std).sweep()
"""
PLACES = [("labels", 8, 60), ("cells", 8, 60), ("cells", 80, 60), ("errors", 40, 80)]


@pytest.fixture
def twin():
    """One in this process, to be set alike."""
    streets = data.load("streets", split="val")
    images, labels = streets.batch(range(3))
    return Pixels(images, labels, streets.classes, streets.palette, streets.mean, streets.std)


def agrees(explorer, twin, places=PLACES, **state):
    """Set the twin; the page says what the library finds, and paints what the twin describes."""
    twin.state = state
    expect(explorer.words).to_have_text(twin.stage.words)
    assert mispainted(explorer, twin.stage, places) == []


def test_it_answers_to_keys_mouse_and_pointer(module_lab, explorer, twin):
    agrees(explorer, twin)
    assert tab_stops(explorer) == ["cell, pixels", "a cell takes", "image", "show", "Reset", "the picture"]
    explorer.slider("cell, pixels").press("End")
    agrees(explorer, twin, cell=32)
    explorer.slider("cell, pixels").press("Home")
    agrees(explorer, twin, cell=1)
    explorer.drag("cell, pixels", 16)
    agrees(explorer, twin, cell=16)
    explorer.select("a cell takes").select_option("the mean of its numbers")
    agrees(explorer, twin, rule="the mean of its numbers")
    explorer.slider("image").press("ArrowRight")
    agrees(explorer, twin, image=1)

    explorer.point(*centre(explorer, twin.stage, ("cells", 20, 30)), click=True)
    module_lab.page.mouse.move(5, 5)
    agrees(explorer, twin, pinned={"panel": "cells", "row": 20, "col": 30})
    explorer.picture.press("Shift+ArrowDown")
    agrees(explorer, twin, pinned={"panel": "cells", "row": 28, "col": 30})
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    explorer.button("Reset").click()
    agrees(explorer, twin, **twin._start)
    explorer.slider("cell, pixels").focus()
    module_lab.page.wait_for_timeout(3000)  # its pictures are asked for, and come
    with module_lab.frozen_kernel():
        explorer.slider("cell, pixels").press("ArrowRight")
        agrees(explorer, twin, cell=9)


def test_it_is_readable_in_both_themes_and_widths(module_lab, explorer, twin, shots):
    assert unreadable(module_lab, explorer, twin.stage, PLACES, shots / "pixels") == []
    explorer.drag("cell, pixels", 20)
    explorer.select("show").select_option("Car")
    opaque = [("cells", 60, 60), ("errors", 40, 80)]  # what is pale blends with the page
    agrees(explorer, twin, opaque, cell=20, **{"class": "Car"})
    explorer.point(*centre(explorer, twin.stage, ("errors", 20, 100)), click=True)
    module_lab.page.mouse.move(5, 5)
    agrees(explorer, twin, opaque, pinned={"panel": "errors", "row": 20, "col": 100})
    assert unreadable(module_lab, explorer, twin.stage, opaque, shots / "pixels_class") == []

    shown = []
    for image, cell, name in product(range(3), (1, 7, 32), ("all classes", "SignSymbol", "Pedestrian")):
        twin.state = {"image": image, "cell": cell, "class": name}
        for row, col in ((0, 0), (95, 127), (47, 63)):
            twin.state = {"pinned": {"panel": "labels", "row": row, "col": col}}
            shown.append(words_of(twin.stage))
        twin.state = {"pinned": None}
        shown.append(words_of(twin.stage))
    assert crowded(module_lab, explorer, shown) == []
