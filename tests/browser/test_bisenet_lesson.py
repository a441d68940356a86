"""Lesson 06 as a reader meets it: every cell runs, the explorer answers, and the verdicts stand below.

Screenshots: ``lesson_two_paths_light_1280.png`` and the like, in the folder of the fixture ``shots``.
"""

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

LESSON, CLAIMS = "06_bisenet.ipynb", ["B1", "B2", "B3", "B4", "B5", "B6"]


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorer_answers(lesson, photographed):
    expect(lesson.page.locator(".segedu-explorer")).to_have_count(1)
    explorer = lesson.explorer(0)
    as_trained = explorer.words.inner_text()
    explorer.button("spatial path: on").click()
    expect(explorer.button("spatial path: off")).to_be_visible()
    expect(explorer.words).not_to_have_text(as_trained)
    photographed(explorer, "two_paths")
