"""The unpooling explorer under a reader's hands: its words are held to PyTorch, its picture to its scene.

Screenshots: ``unpooling_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from itertools import product

import pytest
import torch
from looks import centre, crowded, mispainted, tab_stops, unreadable, words_of
from torch.nn import functional as F

from segedu.classroom.explorers import UnpoolingExplorer

expect = pytest.importorskip("playwright.sync_api").expect

CELL = """
from segedu.classroom.explorers import UnpoolingExplorer
UnpoolingExplorer().sweep()
"""


@pytest.fixture
def twin():
    """One in this process, to be set alike."""
    return UnpoolingExplorer()


def plain_cells(twin):
    """Cells of the panels that no dot and no digit lies on."""
    result = twin.compute(twin.state)
    held = {result.source(window) for window in product(*map(range, result.pooled.shape))}
    free = [cell for cell in product(*map(range, result.values.shape)) if cell not in held]
    ends = (free[0], free[-1])
    names = [item["panel"] for item in twin.stage.scene["items"] if item.get("panel")]
    return [(name, *cell) for name in names if name not in ("pooled", "offsets") for cell in ends] + [("pooled", 0, 0)]


def agrees(explorer, twin, **state):
    """Set the twin; the page says what PyTorch finds, and paints what the twin describes."""
    twin.state = state
    values = torch.tensor(twin.compute(twin.state).values)
    pooled, indices = F.max_pool2d(values[None, None], 2, ceil_mode=True, return_indices=True)
    back = F.max_unpool2d(pooled, indices, 2, output_size=values.shape)[0, 0]
    height, width = values.shape
    down, across = pooled.shape[-2:]
    expect(explorer.words).to_contain_text(f"{height} × {width} cells, {down} × {across} windows")
    expect(explorer.words).to_contain_text(f"their holes miss {(values - back).mean():.2f}. ")
    expect(explorer.words).to_have_text(twin.stage.words)
    assert mispainted(explorer, twin.stage, plain_cells(twin) if twin.state["pinned"] is None else []) == []


def test_it_answers_to_keys_mouse_and_pointer(module_lab, explorer, twin):
    agrees(explorer, twin)
    stops = ["pattern", "noise", "seed", "round to", "height", "width", "show", "Reset", "the picture"]
    assert tab_stops(explorer) == stops
    for name, key, dragged in (("noise", "End", 0.2), ("seed", "ArrowRight", 7), ("height", "Home", 9)):
        explorer.slider(name).press(key)
        expect(explorer.words).not_to_have_text(twin.stage.words)
        kind = type(twin.state[name])
        agrees(explorer, twin, **{name: kind(explorer.slider(name).get_attribute("aria-valuetext"))})
        explorer.drag(name, dragged)
        agrees(explorer, twin, **{name: dragged})
    explorer.select("pattern").select_option("bar")
    agrees(explorer, twin, pattern="bar")
    explorer.select("round to").select_option("halves")
    agrees(explorer, twin, rounding=0.5)
    explorer.select("show").select_option("its error")
    agrees(explorer, twin, differences=True)

    active = module_lab.active_cell
    explorer.point(*centre(explorer, twin.stage, ("map", 8, 3)))
    expect(explorer.words).to_contain_text("Row 8, column 3: ")
    explorer.point(*centre(explorer, twin.stage, ("nearest", 4, 4)), click=True)
    module_lab.page.mouse.move(5, 5)
    row = col = 4
    for key, south, east in ((None, 0, 0), ("ArrowDown", 1, 0), ("ArrowLeft", 0, -1), ("Shift+ArrowUp", -5, 0)):
        if key:
            explorer.picture.press(key)
        row, col = row + south, col + east
        expect(explorer.words).to_contain_text(f"Row {row}, column {col}: ")
        agrees(explorer, twin, pinned={"panel": "nearest", "row": row, "col": col})
    explorer.picture.press("PageDown")  # the same place of the bilinear map
    agrees(explorer, twin, pinned={"panel": "bilinear", "row": row, "col": col})
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    assert module_lab.active_cell == active  # none of these keys reached the notebook
    explorer.button("Reset").click()
    agrees(explorer, twin, **UnpoolingExplorer().state)


def test_it_is_readable_in_both_themes_and_widths_and_keeps_up_with_a_drag(module_lab, explorer, twin, shots):
    assert unreadable(module_lab, explorer, twin.stage, plain_cells(twin), shots / "unpooling") == []
    explorer.slider("height").press("End")
    explorer.slider("width").press("ArrowRight")
    explorer.select("round to").select_option("quarters")
    explorer.point(*centre(explorer, twin.stage, ("map", 2, 3)))
    agrees_with = {"height": 11, "width": 9, "rounding": 0.25}
    twin.state = agrees_with
    explorer.point(*centre(explorer, twin.stage, ("map", 5, 4)), click=True)
    module_lab.page.mouse.move(5, 5)
    agrees(explorer, twin, pinned={"panel": "map", "row": 5, "col": 4})
    assert unreadable(module_lab, explorer, twin.stage, [], shots / "unpooling_pinned") == []
    explorer.select("show").select_option("its error")
    agrees(explorer, twin, differences=True)
    assert unreadable(module_lab, explorer, twin.stage, [], shots / "unpooling_errors") == []

    shown = []
    patterns, roundings = ("edge", "bar", "blob", "noise only"), (0.0, 0.5)
    for pattern, rounding, noise, (height, width) in product(
        patterns, roundings, (0.0, 0.5), ((4, 4), (5, 11), (11, 4), (11, 11))
    ):
        size = {"height": height, "width": width, "pinned": None}
        twin.state = {"pattern": pattern, "rounding": rounding, "noise": noise, **size}
        shown.append(words_of(twin.stage))
        for panel, row, col in (("map", 0, 0), ("shuffled", height - 1, width - 1), ("indices", height - 1, 2)):
            twin.state = {"pinned": {"panel": panel, "row": row, "col": col}}
            shown.append(words_of(twin.stage))
    assert crowded(module_lab, explorer, shown) == []

    explorer.button("Reset").click()
    for size in (11, 4, 7):
        explorer.drag("width", size)
    agrees(explorer, twin, **UnpoolingExplorer().state | {"width": 7})


def test_a_slider_under_the_hand_has_its_pictures_before_the_kernel_answers(module_lab, explorer, twin):
    explorer.slider("seed").focus()
    module_lab.page.wait_for_timeout(1000)  # they are asked for, and come
    with module_lab.frozen_kernel():
        for seed in (1, 2, 3, 2):
            explorer.slider("seed").press("ArrowRight" if seed > twin.state["seed"] else "ArrowLeft")
            agrees(explorer, twin, seed=seed)
    agrees(explorer, twin)
