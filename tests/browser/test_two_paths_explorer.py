"""The two paths explorer under a reader's hands, with a small BiSeNet that had a few steps to learn streets.

What the clock says differs between the page and the twin in this process, so the words are compared without it.
Screenshots: ``two_paths_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

import re
from itertools import product

import pytest
import torch
from looks import centre, crowded, mispainted, tab_stops, unreadable, words_of

from segedu import data
from segedu.classroom.explorers import TwoPathsExplorer
from segedu.models import create
from segedu.train import Recipe, fit

expect = pytest.importorskip("playwright.sync_api").expect

SIZE = (96, 128)
CELL = """
import torch
from segedu import data
from segedu.classroom.explorers import TwoPathsExplorer
from segedu.models import create

streets = data.load("streets", split="val", size=SIZE)
model = create("bisenet", len(streets.classes), backbone="resnet_mini")
model.load_state_dict(torch.load("WEIGHTS", weights_only=True))
images, labels = streets.batch(range(3))
explorer = TwoPathsExplorer(model, images, labels, streets.classes, streets.palette, streets.mean, streets.std)
explorer.sweep()
"""
CLOCK = r"[\d.]+\sms|[\d.]+\s% of the time"


@pytest.fixture(scope="module")
def trained():
    """A BiSeNet that tells sky, road, buildings and cars apart."""
    torch.manual_seed(0)
    streets = data.load("streets", split="train", size=SIZE)
    model = create("bisenet", len(streets.classes), backbone="resnet_mini")
    recipe = Recipe(steps=60, batch_size=4, lr=0.01, optimizer="adamw")
    fit(model, streets, recipe, device="cpu", progress=False)
    return model


@pytest.fixture
def explorer(lab, trained, tmp_path):
    """The explorer on the page."""
    weights = tmp_path / "bisenet.pt"
    torch.save(trained.state_dict(), weights)
    lab.run_cells(CELL.replace("SIZE", str(SIZE)).replace("WEIGHTS", weights.as_posix()))
    lab.picture.wait_for()
    return lab.explorer(0)


@pytest.fixture
def twin(trained):
    """One in this process, to be set alike."""
    streets = data.load("streets", split="val", size=SIZE)
    images, labels = streets.batch(range(3))
    return TwoPathsExplorer(trained, images, labels, streets.classes, streets.palette, streets.mean, streets.std)


def painted(stage):
    """Cells of all panels with a palette, by the corners: in a narrow window a frame blends with small ones there."""
    panels = {item["panel"]: item["shape"] for item in stage.scene["items"] if item.get("panel") and item["palette"]}
    inset = {name: 2 if rows > 24 else 0 for name, (rows, _) in panels.items()}
    return [
        cell
        for name, (rows, cols) in panels.items()
        for cell in ((name, inset[name], inset[name]), (name, rows - 1 - inset[name], cols - 1 - inset[name]))
    ]


def agrees(explorer, twin, **state):
    """Set the twin; the page says what the library finds, and paints what the twin describes."""
    twin.state = state
    pattern = r"\s+".join(map(re.escape, re.sub(CLOCK, "CLOCK", twin.stage.words).split()))
    expect(explorer.words).to_have_text(re.compile(f"^{pattern.replace('CLOCK', f'(?:{CLOCK})')}$"))
    assert mispainted(explorer, twin.stage, painted(twin.stage)) == []


def test_it_answers_to_keys_mouse_and_pointer(lab, explorer, twin):
    agrees(explorer, twin)
    switches = [f"{name}: on" for name in ("spatial path", "context path", "attention refinement", "fusion gate")]
    choices = ["global context", "image size ×", "image", "Reset", "the picture"]
    assert tab_stops(explorer) == [*switches, *choices]
    for switch, control in zip(switches, ("spatial", "context", "refinement", "fusion_gate"), strict=True):
        explorer.button(switch).press("Space")
        agrees(explorer, twin, **{control: False})
        expect(explorer.button(switch.replace(": on", ": off"))).to_be_visible()
        if control == "context":
            explorer.button("context path: off").click()
            agrees(explorer, twin, context=True)
    explorer.button("Reset").click()
    agrees(explorer, twin, **twin._start)
    for joined in ("multiplied", "left out", "added"):
        explorer.select("global context").select_option(joined)
        agrees(explorer, twin, joined=joined)
    explorer.slider("image size ×").press("Home")
    agrees(explorer, twin, scale=0.125)
    explorer.slider("image size ×").press("ArrowRight")
    agrees(explorer, twin, scale=0.25)
    explorer.slider("image").press("ArrowRight")
    agrees(explorer, twin, image=1)

    active = lab.active_cell
    explorer.point(*centre(explorer, twin.stage, ("truth", 20, 30)))
    expect(explorer.words).to_contain_text(re.compile(r"Row 20, column 30, truth \w+: now \w+, as trained \w+"))
    explorer.point(*centre(explorer, twin.stage, ("truth", 20, 30)), click=True)
    lab.page.mouse.move(5, 5)
    agrees(explorer, twin, pinned={"panel": "truth", "row": 20, "col": 30})
    explorer.picture.press("Shift+ArrowDown")
    agrees(explorer, twin, pinned={"panel": "truth", "row": 28, "col": 30})
    explorer.picture.press("PageDown")
    agrees(explorer, twin, pinned={"panel": "spatial", "row": 0, "col": 0})
    explorer.picture.press("Escape")
    agrees(explorer, twin, pinned=None)
    assert lab.active_cell == active  # none of these keys reached the notebook

    explorer.button("Reset").click()
    agrees(explorer, twin, **twin._start)
    explorer.slider("image size ×").focus()
    lab.page.wait_for_timeout(3000)  # its pictures are asked for, and come
    with lab.frozen_kernel():
        explorer.slider("image size ×").press("ArrowLeft")
        agrees(explorer, twin, scale=0.875)
    explorer.drag("image size ×", 0.5)
    agrees(explorer, twin, scale=0.5)


def test_it_is_readable_in_both_themes_and_widths(lab, explorer, twin, shots):
    assert unreadable(lab, explorer, twin.stage, [], shots / "two_paths_as_trained") == []
    explorer.button("spatial path: on").click()
    agrees(explorer, twin, spatial=False)
    assert unreadable(lab, explorer, twin.stage, painted(twin.stage), shots / "two_paths_no_spatial") == []
    explorer.button("Reset").click()
    explorer.select("global context").select_option("multiplied")
    explorer.slider("image size ×").press("Home")
    explorer.slider("image size ×").press("ArrowRight")
    explorer.slider("image size ×").press("ArrowRight")
    agrees(explorer, twin, **twin._start | {"joined": "multiplied", "scale": 0.375})
    explorer.point(*centre(explorer, twin.stage, ("errors", 40, 60)), click=True)
    lab.page.mouse.move(5, 5)
    agrees(explorer, twin, pinned={"panel": "errors", "row": 40, "col": 60})
    assert unreadable(lab, explorer, twin.stage, painted(twin.stage), shots / "two_paths") == []

    shown = []
    for spatial, context, others, joined, scale in product(
        (True, False), (True, False), (True, False), ("added", "multiplied"), (0.125, 1.0)
    ):
        twin.state = {"spatial": spatial, "context": context, "refinement": others, "fusion_gate": others}
        twin.state = {"joined": joined, "scale": scale}
        for row, col in ((0, 0), (95, 127), (47, 63), (50, 20)):
            twin.state = {"pinned": {"panel": "truth", "row": row, "col": col}}
            shown.append(words_of(twin.stage))
        twin.state = {"pinned": None}
        shown.append(words_of(twin.stage))
    assert crowded(lab, explorer, shown) == []
