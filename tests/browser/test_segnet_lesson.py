"""Lesson 03 as a reader meets it: every cell runs, the explorer answers, and the verdicts stand below.

Screenshots: ``lesson_unpooling_light.png`` and the like, in the folder of the fixture ``shots``.
"""

import pytest
from looks import THEMES, mispainted

from segedu.classroom.explorers import UnpoolingExplorer

expect = pytest.importorskip("playwright.sync_api").expect

LESSON, CLAIMS = "03_segnet.ipynb", ["N1", "N2", "N3", "N4"]


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorer_answers(lesson, shots):
    explorer, twin = lesson.explorer(0), UnpoolingExplorer()
    expect(lesson.page.locator(".segedu-explorer")).to_have_count(1)
    expect(explorer.words).to_have_text(twin.stage.words)

    explorer.drag("height", 9)
    explorer.select("pattern").select_option("bar")
    twin.state = {"height": 9, "pattern": "bar"}
    for theme in THEMES:
        lesson.theme(theme)
        expect(explorer.words).to_have_text(twin.stage.words)
        assert mispainted(explorer, twin.stage, [("pooled", 0, 0)]) == []
        explorer.screenshot(shots / f"lesson_unpooling_{theme}.png")
