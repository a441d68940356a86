"""Lesson 02 as a reader meets it: every cell runs, the explorer answers, and the verdicts stand below.

Screenshots: ``lesson_skip_surgery_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from pathlib import Path

import pytest
from looks import TALL, THEMES, WIDTHS

expect = pytest.importorskip("playwright.sync_api").expect

LESSON = Path(__file__).resolve().parents[2] / "notebooks" / "02_unet.ipynb"


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorer_answers(lab, shots):
    lab.page.set_viewport_size({"width": WIDTHS[0], "height": TALL})
    lab.open(LESSON)
    lab.run_all()
    expect(lab.page.locator(".segedu-explorer")).to_have_count(1)
    explorer = lab.explorer(0)
    expect(explorer.words).to_contain_text("As trained: every skip × 1.")
    explorer.select("look at").select_option("skip 2")
    expect(explorer.words).to_contain_text("Skip 2 alone at 0: ")
    explorer.select("skips of").select_option("the next image")
    expect(explorer.words).to_contain_text("the outlines of image 1 fit better")
    for theme in THEMES:
        lab.theme(theme)
        for width in WIDTHS:
            lab.page.set_viewport_size({"width": width, "height": TALL})
            expect(explorer.picture).to_be_visible()
            explorer.screenshot(shots / f"lesson_skip_surgery_{theme}_{width}.png")

    claims, verdicts = zip(*lab.verdicts, strict=True)
    assert [*claims] == ["U1", "U2", "U3"]
    assert {*verdicts} <= {"holds", "holds with limits", "refuted"}
