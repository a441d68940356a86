"""Lesson 00 as a newcomer meets it: every cell runs, the explorer answers, and the verdicts stand below.

Screenshots: ``lesson_pixels_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

LESSON, CLAIMS = "00_pixels.ipynb", ["S1", "S2", "L7"]


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorer_answers(lesson, photographed):
    expect(lesson.page.locator(".segedu-explorer")).to_have_count(1)
    explorer = lesson.explorer(0)
    expect(explorer.words).to_contain_text("Cells of 8 × 8 pixels")
    explorer.slider("cell, pixels").press("End")
    expect(explorer.words).to_contain_text("Cells of 32 × 32 pixels")
    explorer.drag("cell, pixels", 16)
    expect(explorer.words).to_contain_text("Cells of 16 × 16 pixels")
    photographed(explorer, "pixels")
