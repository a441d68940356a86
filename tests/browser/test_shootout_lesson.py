"""Lesson 08 as a reader meets it: every cell runs, and the explorer lets the reader set a budget.

Screenshots: ``lesson_budget_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

LESSON, CLAIMS = "08_shootout.ipynb", []


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorer_answers(lesson, photographed):
    expect(lesson.page.locator(".segedu-explorer")).to_have_count(1)
    explorer = lesson.explorer(0)
    expect(explorer.words).to_contain_text("No limit is set: all 9 networks fit.")
    explorer.slider("parameters, 1000").press("Home")
    expect(explorer.words).to_contain_text("Nobody can win")
    explorer.button("Reset").click()
    expect(explorer.words).to_contain_text("wins with mean IoU")
    photographed(explorer, "budget")
