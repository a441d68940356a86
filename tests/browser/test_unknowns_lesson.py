"""Lesson 09 as a reader meets it: every cell runs, the explorer answers, and the six questions are answered below.

Screenshots: ``lesson_unknowns_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

LESSON, CLAIMS = "09_unknowns.ipynb", []


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorer_answers(lesson, photographed):
    answers = next(text for text in lesson.outputs if text.startswith("1. Does the largest logit"))
    assert [line[0] for line in answers.splitlines() if not line.startswith(" ")] == [*"123456"]
    expect(lesson.page.locator(".segedu-explorer")).to_have_count(1)
    explorer = lesson.explorer(0)
    before = explorer.words.inner_text()
    explorer.select("score").select_option("energy")
    expect(explorer.words).not_to_have_text(before)
    photographed(explorer, "unknowns")
