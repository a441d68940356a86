"""Lesson 07 as a reader meets it: every cell runs, both explorers answer, and the verdicts stand below.

Screenshots: ``lesson_loss_landscape_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

import pytest
from looks import TALL, THEMES, WIDTHS, mispainted

from segedu.classroom.explorers import LossLandscape, MaskEditor

expect = pytest.importorskip("playwright.sync_api").expect

LESSON, CLAIMS = "07_losses.ipynb", ["L1", "L2", "L3", "L4", "L5", "L6", "L7"]


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorers_answer(lesson, shots):
    expect(lesson.page.locator(".segedu-explorer")).to_have_count(2)
    landscape, editor = lesson.explorer(0), lesson.explorer(1)
    twins = LossLandscape(), MaskEditor()
    for explorer, twin in zip((landscape, editor), twins, strict=True):
        expect(explorer.words).to_have_text(twin.stage.words)

    landscape.drag("object, %", 21)
    landscape.select("show").select_option("its pull")
    twins[0].state = {"objects": 21, "pulls": True}
    editor.select("truth").select_option("1 % speck")
    editor.button("Clear").click()
    twins[1].masks.truth.value = "1 % speck"
    twins[1].masks.buttons["Clear"].click()
    for theme in THEMES:
        lesson.theme(theme)
        for width in WIDTHS:
            lesson.page.set_viewport_size({"width": width, "height": TALL})
            for name, explorer, twin in zip(("loss_landscape", "mask_editor"), (landscape, editor), twins, strict=True):
                expect(explorer.words).to_have_text(twin.stage.words)
                explorer.screenshot(shots / f"lesson_{name}_{theme}_{width}.png")
        assert mispainted(editor, twins[1].stage, [("truth", 7, 11), ("prediction", 0, 0)]) == []
