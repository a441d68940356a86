"""The stage in the browser paints what the still paints, in the reader's theme, and reports cells."""

import nbformat
import numpy as np
import pytest

from segedu.classroom.explorers import Stage
from segedu.classroom.explorers.scene import SIGNED, Scene, cells

expect = pytest.importorskip("playwright.sync_api").expect

SCENE = """
import ipywidgets
import numpy as np
from segedu.classroom.explorers import Stage
from segedu.classroom.explorers.scene import Scene, cells, line, picture, rectangle, ring, text

inks = np.array([(0, 114, 178, 255), (0, 0, 0, 0)], np.uint8)
rgb = np.arange(27, dtype=np.uint8).reshape(3, 3, 3) * 9
scene = Scene(300, 200, [
    rectangle((0, 0, 300, 200), fill="background"),
    cells((10, 10, 40, 40), np.array([[0, 1], [1, 0]], np.uint8), inks, panel="checks"),
    picture((60, 10, 60, 60), rgb, panel="photo"),
    line([(10, 100), (290, 100)], stroke="rest", width=4),
    rectangle((140, 20, 40, 40), stroke="now", width=4),
    text((200, 40), "words", plate=True),
])
other = Scene(300, 200, [rectangle((0, 0, 9, 9)), cells((10, 10, 40, 40), np.zeros((3, 3), np.uint8), inks)])
stage = Stage("checks and a photo", lines=5)
stage.show(scene, [ring((240, 150), 10, width=4)], "ready")
stage.observe(lambda _: setattr(stage, "words", f"{stage.hovered} {stage.pinned}"), ["hovered", "pinned"])
switch = ipywidgets.Button(description="Other scene")
switch.on_click(lambda _: stage.show(other, [], "five\\nlines\\nof\\nwords\\nnow"))
ipywidgets.VBox([switch, stage])
"""
BLUE, VERMILION, CLEAR = (0, 114, 178, 255), (213, 94, 0, 255), (0, 0, 0, 0)


@pytest.fixture(scope="module")
def stage(module_lab):
    """A stage with one primitive of each kind on it."""
    lab = module_lab
    lab.run_cells(SCENE)
    lab.page.wait_for_function("document.querySelector('canvas.segedu-stage-picture').clientWidth === 300")
    return lab


def luminance(colour):
    return sum(colour[:3]) / 3


def test_it_paints_each_primitive_in_both_themes(stage):
    for theme in ("light", "dark"):
        stage.theme(theme)
        ground = stage.colour(280, 190)
        assert (luminance(ground) > 200) == (theme == "light")
        assert [stage.colour(x, y) for x, y in ((20, 20), (40, 20), (20, 40), (40, 40))] == [BLUE, ground, ground, BLUE]
        assert [stage.colour(70 + 20 * col, 20)[:3] for col in range(3)] == [(0, 9, 18), (27, 36, 45), (54, 63, 72)]
        assert stage.colour(150, 100) == BLUE
        assert stage.colour(140, 40) == stage.colour(250, 150) == VERMILION
        assert stage.colour(160, 40) == stage.colour(240, 150) == ground
        plate = [luminance(stage.colour(x, 40)) for x in range(196, 245)]
        ink = max(plate, key=lambda value: abs(value - luminance(ground)))
        assert abs(ink - luminance(ground)) > 120  # the words stand out from their plate


def test_it_reports_the_cell_under_the_hand(stage):
    stage.point(20, 40)
    expect(stage.words).to_have_text("{'panel': 'checks', 'row': 1, 'col': 0} None")
    stage.point(119, 11, click=True)
    photo = "{'panel': 'photo', 'row': 0, 'col': 2}"
    expect(stage.words).to_have_text(f"{photo} {photo}")
    stage.point(200, 150)
    expect(stage.words).to_have_text(f"None {photo}")
    stage.point(200, 150, click=True)
    expect(stage.words).to_have_text("None None")

    expect(stage.picture).to_have_attribute("aria-label", "checks and a photo")
    stage.picture.press("ArrowUp")  # nothing is pinned: the first key pins the middle of the first panel
    expect(stage.words).to_have_text("None {'panel': 'checks', 'row': 1, 'col': 1}")
    for _ in range(3):
        stage.picture.press("ArrowUp")  # the edge stops it
    expect(stage.words).to_have_text("None {'panel': 'checks', 'row': 0, 'col': 1}")
    stage.picture.press("PageUp")
    expect(stage.words).to_have_text("None {'panel': 'photo', 'row': 0, 'col': 2}")


def test_another_scene_leaves_nothing_of_the_first_and_stands_where_it_stood(stage):
    place = stage.picture.bounding_box()
    stage.button("Other scene").click()
    expect(stage.words).to_have_text("five lines of words now")
    stage.page.evaluate("new Promise(requestAnimationFrame)")
    assert stage.picture.bounding_box() == place
    assert [stage.colour(x, y) for x, y in ((20, 20), (40, 20), (20, 40), (40, 40))] == [BLUE] * 4
    assert [stage.colour(x, y) for x, y in ((70, 20), (150, 100), (140, 40), (250, 150), (280, 190))] == [CLEAR] * 5


def test_a_notebook_that_was_not_run_shows_the_still(lab, tmp_path):
    stage = Stage("a blue map")
    stage.show(Scene(300, 200, [cells((0, 0, 300, 200), np.zeros((2, 3), np.uint8), SIGNED, panel="map")]), [], "")
    data, metadata = stage._repr_mimebundle_()
    output = nbformat.v4.new_output("execute_result", data, execution_count=1, metadata=metadata)
    cell = nbformat.v4.new_code_cell("stage", outputs=[output], execution_count=1)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "stored.ipynb")
    lab.open(tmp_path / "stored.ipynb")
    still = lab.page.locator(".jp-RenderedImage img")
    expect(still).to_be_visible()
    assert still.bounding_box()["width"] == pytest.approx(300, abs=1)
    assert lab.page.get_by_text("Error displaying widget").count() == 0
