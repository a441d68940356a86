"""Lesson 06 as a reader meets it: every cell runs, the explorer answers, and the verdicts stand below.

Screenshots: ``lesson_two_paths_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from pathlib import Path

import pytest
from looks import TALL, THEMES, WIDTHS

expect = pytest.importorskip("playwright.sync_api").expect

LESSON = Path(__file__).resolve().parents[2] / "notebooks" / "06_bisenet.ipynb"


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorer_answers(lab, shots):
    lab.page.set_viewport_size({"width": WIDTHS[0], "height": TALL})
    lab.open(LESSON)
    lab.run_all()
    expect(lab.page.locator(".segedu-explorer")).to_have_count(1)
    explorer = lab.explorer(0)
    as_trained = explorer.words.inner_text()
    explorer.button("spatial path: on").click()
    expect(explorer.button("spatial path: off")).to_be_visible()
    expect(explorer.words).not_to_have_text(as_trained)
    for theme in THEMES:
        lab.theme(theme)
        for width in WIDTHS:
            lab.page.set_viewport_size({"width": width, "height": TALL})
            expect(explorer.picture).to_be_visible()
            explorer.screenshot(shots / f"lesson_two_paths_{theme}_{width}.png")

    claims, verdicts = zip(*lab.verdicts, strict=True)
    assert [*claims] == ["B1", "B2", "B3", "B4", "B5", "B6"]
    assert {*verdicts} <= {"holds", "holds with limits", "refuted"}
