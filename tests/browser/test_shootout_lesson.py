"""Lesson 08 as a reader meets it: every cell runs, and the explorer lets the reader set a budget.

Screenshots: ``lesson_budget_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

from pathlib import Path

import pytest
from looks import TALL, WIDTHS

expect = pytest.importorskip("playwright.sync_api").expect

LESSON = Path(__file__).resolve().parents[2] / "notebooks" / "08_shootout.ipynb"


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorer_answers(lab, photographed):
    lab.page.set_viewport_size({"width": WIDTHS[0], "height": TALL})
    lab.open(LESSON)
    lab.run_all()
    expect(lab.page.locator(".segedu-explorer")).to_have_count(1)
    explorer = lab.explorer(0)
    expect(explorer.words).to_contain_text("No limit is set: all 9 networks fit.")
    explorer.slider("parameters, 1000").press("Home")
    expect(explorer.words).to_contain_text("Nobody can win")
    explorer.button("Reset").click()
    expect(explorer.words).to_contain_text("wins with mean IoU")
    photographed(explorer, "budget")
