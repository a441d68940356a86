"""Lesson 02 as a reader meets it: every cell runs, both explorers answer, and the verdicts stand below.

Screenshots: ``lesson_skip_surgery_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

LESSON, CLAIMS = "02_unet.ipynb", ["U1", "U2", "U3"]


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorers_answer(lesson, photographed):
    expect(lesson.page.locator(".segedu-explorer")).to_have_count(2)
    explorer = lesson.explorer(0)
    expect(explorer.words).to_contain_text("As trained: every skip × 1.")
    explorer.select("look at").select_option("skip 2")
    expect(explorer.words).to_contain_text("Skip 2 alone at 0: ")
    explorer.select("skips of").select_option("the next image")
    expect(explorer.words).to_contain_text("the outlines of image 1 fit better")
    photographed(explorer, "skip_surgery")
    explorer = lesson.explorer(1)
    expect(explorer.words).to_contain_text("As trained: every skip × 1.")
    explorer.select("look at").select_option("skip 3")
    expect(explorer.words).to_contain_text("Skip 3 alone at 0: ")
    expect(explorer.words).to_contain_text("IoU of Pavement")
    photographed(explorer, "skip_surgery_streets")
