"""The receptive-field explorer under a reader's hands: its words are held to the analyser, its picture to its scene.

Screenshots: ``receptive_field_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from dataclasses import replace
from functools import lru_cache
from itertools import product

import pytest
import torch
from looks import centre, crowded, mispainted, tab_stops, unreadable, words_of

from segedu import data
from segedu.classroom.explorers import ReceptiveFieldExplorer
from segedu.receptive_field import EffectiveField, Layer, StackNet, expected_heat, receptive_field, stacked
from segedu.receptive_field.presets import PRESETS

expect = pytest.importorskip("playwright.sync_api").expect

CELL = """
from segedu import data
from segedu.classroom.explorers import ReceptiveFieldExplorer

streets = data.load("streets", split="val", size=(512, 512))
ReceptiveFieldExplorer(streets.batch([3])[0], streets.mean, streets.std).sweep()
"""
NOTES = "the notes' 5x5 example"


@pytest.fixture
def twin():
    """One in this process, to be set alike."""
    streets = data.load("streets", split="val", size=(512, 512))
    return ReceptiveFieldExplorer(streets.batch([3])[0], streets.mean, streets.std)


@lru_cache(maxsize=64)
def analysed(layers, pixels):
    """What the analyser says of the stack as a network, which it traces."""
    return receptive_field(StackNet(layers, pixels), (pixels, pixels)).output


def whole(number):
    return f"{number:g}".replace("-", "−")


def agrees(explorer, twin, **state):
    """Set the twin; the page says what the analyser finds, and paints what the twin describes."""
    twin.state = state
    state = twin.state
    layers = state["layers"][: state["layer"] + 1]
    levels, output = stacked(layers, state["pixels"]), analysed(layers, state["pixels"])
    units = levels[-1].units
    unit = tuple(min(int(part * units), units - 1) for part in state["place"])
    box = output.box(*unit)
    rows, columns = (f"{whole(first)} to {whole(last)}" for first, last in box)
    expect(explorer.words).to_contain_text(
        f"Layer {len(layers)} of {len(state['layers'])}: {units} × {units} units see "
    )
    expect(explorer.words).to_contain_text(f"{whole(max(output.sizes))} px")
    expect(explorer.words).to_contain_text(f"Unit {unit[0]}, {unit[1]} sees rows {rows}, columns {columns}: ")
    if state["heat"] == "expected":
        heat = torch.from_numpy(expected_heat(levels, state["pixels"], unit))
        share = 100 * EffectiveField(heat, unit, box).inside_half
        expect(explorer.words).to_contain_text(f"expected: {share:.1f} % of unit {unit[0]}, {unit[1]}'s gradient")
    expect(explorer.words).to_have_text(twin.stage.words)
    assert mispainted(explorer, twin.stage, clear(twin)) == []


def side(twin, panel):
    """How many cells a panel has on a side."""
    (cells,) = (item["shape"][0] for item in twin.stage.scene["items"] if item.get("panel") == panel)
    return cells


def clear(twin):
    """Cells that nothing else is drawn over, the heat map neither."""
    cells = [("map", side(twin, "map") * part // 4, side(twin, "map") // 4) for part in (1, 3)]
    if twin.state["heat"] == "none" and side(twin, "picture") <= 64:
        cells.append(("picture", side(twin, "picture") - 1, 1))
    return cells


def edited(twin, **numbers):
    """The stack with other numbers in its chosen layer."""
    layers, at = twin.state["layers"], twin.state["layer"]
    return (*layers[:at], replace(layers[at], **numbers), *layers[at + 1 :])


def test_a_stack_is_chosen_and_edited_by_keys_and_mouse(module_lab, explorer, twin):
    start = twin.state
    agrees(explorer, twin)
    edits = ["preset", "Add", "Remove", "Up", "kind", "kernel", "stride", "dilation", "padding"]
    assert tab_stops(explorer) == ["layers", "picture", "heat", *edits, "Reset", "the picture"]  # nothing is below
    explorer.select("preset").select_option(NOTES)
    agrees(explorer, twin, layers=PRESETS[NOTES], layer=1, pixels=5)
    active = module_lab.active_cell
    explorer.select("layers").press("ArrowUp")
    agrees(explorer, twin, layer=0)
    assert module_lab.active_cell == active
    explorer.select("picture").select_option("64 × 64 px")
    agrees(explorer, twin, pixels=64)
    explorer.select("heat").select_option("none")
    agrees(explorer, twin, heat="none")

    for name, key, dragged in (
        ("kernel", "ArrowRight", 7),
        ("stride", "Home", 2),
        ("dilation", "ArrowRight", 3),
        ("padding", "ArrowRight", 9),
    ):
        explorer.slider(name).press(key)
        expect(explorer.words).not_to_have_text(twin.stage.words)
        agrees(
            explorer, twin, layers=edited(twin, **{name: int(explorer.slider(name).get_attribute("aria-valuetext"))})
        )
        explorer.drag(name, dragged)
        agrees(explorer, twin, layers=edited(twin, **{name: dragged}))
    explorer.select("kind").select_option("transposed")
    agrees(explorer, twin, layers=edited(twin, kind="transposed"))

    first, second = twin.state["layers"]
    explorer.button("Down").click()
    agrees(explorer, twin, layers=(second, first), layer=1)
    explorer.button("Add").click()
    agrees(explorer, twin, layers=(second, first, Layer(padding=1)), layer=2)
    explorer.button("Up").click()
    agrees(explorer, twin, layers=(second, Layer(padding=1), first), layer=1)
    explorer.button("Remove").click()
    agrees(explorer, twin, layers=(second, first), layer=1)
    explorer.select("heat").select_option("measured")
    agrees(explorer, twin, heat="measured")
    explorer.button("Reset").click()
    agrees(explorer, twin, **start)

    fields = [analysed(start["layers"], start["pixels"]).box(unit, unit)[0] for unit in range(side(twin, "map"))]
    seers = [[unit for unit, (first, last) in enumerate(fields) if first <= at <= last] for at in (3, 200)]
    explorer.point(*centre(explorer, twin.stage, ("picture", 3, 200)))
    expect(explorer.words).to_contain_text(
        f"Pixel at row 3, column 200: in the field of units in rows {seers[0][0]} to {seers[0][-1]}, "
        f"columns {seers[1][0]} to {seers[1][-1]}: {len(seers[0]) * len(seers[1])}."
    )
    explorer.point(*centre(explorer, twin.stage, ("map", 2, 5)))
    (top, bottom), (left, right) = fields[2], fields[5]
    expect(explorer.words).to_contain_text(
        f"Unit 2, 5 sees rows {whole(top)} to {whole(bottom)}, columns {whole(left)} to {whole(right)}: "
    )
    explorer.point(*centre(explorer, twin.stage, ("map", 2, 5)), click=True)
    module_lab.page.mouse.move(5, 5)
    for key, row, col in ((None, 2, 5), ("ArrowDown", 3, 5), ("ArrowLeft", 3, 4), ("Shift+ArrowUp", 0, 4)):
        if key:
            explorer.picture.press(key)
        expect(explorer.words).to_contain_text(f"Unit {row}, {col} sees")
        agrees(explorer, twin, pinned={"panel": "map", "row": row, "col": col})
    explorer.picture.press("PageUp")  # the same place of the picture: a pixel
    twin.state = {"pinned": {"panel": "picture", "row": 16, "col": 144}}
    expect(explorer.words).to_have_text(twin.stage.words)
    assert mispainted(explorer, twin.stage, clear(twin)) == []
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    assert module_lab.active_cell == active


def test_it_is_readable_in_both_themes_and_widths_and_keeps_up_with_a_drag(module_lab, explorer, twin, shots):
    explorer.point(*centre(explorer, twin.stage, ("map", 1, 2)), click=True)
    module_lab.page.mouse.move(5, 5)
    agrees(explorer, twin, pinned={"panel": "map", "row": 1, "col": 2})
    assert unreadable(module_lab, explorer, twin.stage, clear(twin), shots / "receptive_field") == []

    shown = []
    for layers, pixels in product(PRESETS.values(), (5, 64, 512)):
        for layer in range(0, len(layers), 4):
            twin.state = {"layers": layers, "pixels": pixels, "layer": layer, "pinned": None}
            for panel, row, col in (("map", side(twin, "map") - 1, 0), ("picture", 3, 4)):
                twin.state = {"pinned": {"panel": panel, "row": row, "col": col}}
                shown.append(words_of(twin.stage))
    assert crowded(module_lab, explorer, shown) == []

    explorer.button("Reset").click()
    twin.reset()
    for rate in (18, 1, 11):
        explorer.drag("dilation", rate)
    agrees(explorer, twin, layers=edited(twin, dilation=11))
