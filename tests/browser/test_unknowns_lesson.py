"""Lesson 09 as a reader meets it: every cell runs, the explorer answers, and the six questions are answered below.

Screenshots: ``lesson_unknowns_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from pathlib import Path

import pytest
from looks import TALL, WIDTHS

expect = pytest.importorskip("playwright.sync_api").expect

LESSON = Path(__file__).resolve().parents[2] / "notebooks" / "09_unknowns.ipynb"


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorer_answers(lab, photographed):
    lab.page.set_viewport_size({"width": WIDTHS[0], "height": TALL})
    lab.open(LESSON)
    lab.run_all()
    answers = next(text for text in lab.outputs if text.startswith("1. Does the largest logit"))
    assert [line[0] for line in answers.splitlines() if not line.startswith(" ")] == [*"123456"]
    expect(lab.page.locator(".segedu-explorer")).to_have_count(1)
    explorer = lab.explorer(0)
    before = explorer.words.inner_text()
    explorer.select("score").select_option("energy")
    expect(explorer.words).not_to_have_text(before)
    photographed(explorer, "unknowns")
