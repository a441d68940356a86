"""The fusion explorer under a reader's hands: keys, pointer, words, a burst of moves, a narrow window."""

import re
import sys

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

SETUP = """
import sys
import torch
from torch import nn
from segedu.classroom.explorers import FusionExplorer
from segedu.models import create

torch.manual_seed(0)
model = create("fcn8s", num_classes=3, backbone="vgg_mini")
for score in model.score.values():
    nn.init.normal_(score.weight)  # they start at zero, and a zero map shows nothing
images = torch.randn(2, 3, 96, 128)
labels = torch.arange(2 * 96 * 128).view(2, 96, 128) // 32 % 3
palette = torch.tensor([[0, 114, 178], [230, 159, 0], [0, 158, 115]], dtype=torch.uint8)
explorer = FusionExplorer(model, images, labels, ["Water", "Sand", "Grass"], palette, (0.5,) * 3, (0.5,) * 3)
print(sys.executable)
"""


CLIPPED = """[...document.querySelectorAll(".segedu-explorer .widget-label, .segedu-explorer .widget-readout")]
  .filter((label) => label.scrollWidth > label.clientWidth).map((label) => label.textContent)"""


@pytest.fixture(scope="module")
def swept(module_lab):
    """The explorer on its page, swept."""
    module_lab.run_cells(SETUP, "explorer.sweep()")
    module_lab.picture.wait_for()
    return module_lab


@pytest.fixture
def explorer(swept):
    """The explorer as it opens."""
    swept.button("Reset").click()
    expect(swept.words).to_contain_text(re.compile("As trained.*Image 0.*Point at a picture", re.DOTALL))
    return swept


def test_keys_and_pointer_reach_everything(explorer):
    lab, words = explorer, explorer.words
    assert lab.outputs == [sys.executable + "\n"]
    expect(words).to_contain_text("As trained: conv7 + pool4 + pool3.")
    expect(words).to_have_attribute("aria-live", "polite")
    assert lab.page.evaluate(CLIPPED) == []
    cell = lab.active_cell

    lab.slider("pool3 ×").press("Home")
    expect(words).to_contain_text("pool3 × 0.0: the finest map that joins has cells of 16 px.")
    assert float(lab.slider("pool3 ×").get_attribute("aria-valuetext")) == 0
    lab.slider("pool4 ×").press("ArrowLeft")
    expect(words).to_contain_text("pool4 × 0.9")
    lab.slider("image").press("ArrowRight")
    expect(words).to_contain_text("Image 1: mIoU")
    lab.select("class").select_option("Sand")

    lab.point(100, 100)  # in the map of conv7, whose cells are 46 pixels wide
    expect(words).to_contain_text(re.compile(r"Row 48, column 80, truth \w+: conv7 [+−].* for Sand\. Predicted \w+\."))
    lab.page.mouse.move(5, 5)
    expect(words).to_contain_text("Point at a picture")
    lab.point(100, 100, click=True)
    lab.page.mouse.move(5, 5)
    expect(words).to_contain_text("Row 48, column 80,")

    lab.picture.press("ArrowRight")
    expect(words).to_contain_text("Row 48, column 112,")
    lab.picture.press("ArrowDown")
    expect(words).to_contain_text("Row 80, column 112,")
    lab.picture.press("PageDown")  # the same place, now in steps of pool4's cells
    lab.picture.press("ArrowLeft")
    expect(words).to_contain_text("Row 88, column 104,")
    lab.picture.press("Shift+ArrowLeft")
    expect(words).to_contain_text("Row 88, column 8,")
    lab.picture.press("Escape")
    expect(words).to_contain_text("Point at a picture")
    assert lab.active_cell == cell  # none of these keys reached the notebook

    lab.button("Reset").click()
    expect(words).to_contain_text("As trained: conv7 + pool4 + pool3.")
    expect(words).to_contain_text("Image 0: mIoU")
    assert float(lab.slider("pool4 ×").get_attribute("aria-valuetext")) == 1


def test_a_burst_of_moves_ends_on_the_last(explorer):
    lab = explorer
    for key in ["ArrowRight"] * 9 + ["ArrowLeft"] * 8 + ["ArrowRight"] * 8 + ["End"]:
        lab.slider("pool4 ×").press(key)
    expect(lab.words).to_contain_text("pool4 × 2.0")  # a value that was not passed on the way
    assert lab.slider("pool4 ×").get_attribute("aria-valuetext") == "2"


def test_a_reset_does_not_overtake_the_moves_before_it(explorer):
    lab = explorer
    with lab.frozen_kernel():
        for _ in range(4):  # the page sends the first, and keeps the newest until the kernel has answered
            lab.slider("pool3 ×").press("ArrowLeft")
        lab.button("Reset").click()
    expect(lab.words).to_contain_text("As trained: conv7 + pool4 + pool3.")
    lab.page.wait_for_timeout(1000)  # nothing comes after it
    expect(lab.words).to_contain_text("As trained: conv7 + pool4 + pool3.")
    assert float(lab.slider("pool3 ×").get_attribute("aria-valuetext")) == 1


def test_a_narrow_window_shrinks_the_picture_and_the_cells_with_it(explorer):
    lab = explorer
    wide = lab.picture.bounding_box()
    assert wide["width"] == pytest.approx(840, abs=1)
    lab.page.set_viewport_size({"width": 620, "height": 900})
    lab.page.wait_for_function("document.querySelector('canvas.segedu-stage-picture').clientWidth < 560")
    narrow = lab.picture.bounding_box()
    shrunk = narrow["width"] / wide["width"]
    assert narrow["height"] / wide["height"] == pytest.approx(shrunk, abs=0.01)
    lab.point(100 * shrunk, 100 * shrunk)
    expect(lab.words).to_contain_text("Row 48, column 80,")
    lab.page.set_viewport_size({"width": 1100, "height": 900})
    lab.page.wait_for_function("document.querySelector('canvas.segedu-stage-picture').clientWidth > 830")
