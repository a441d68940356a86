"""Lesson 05 as a reader meets it: every cell runs, both explorers answer, and the verdicts stand below.

Screenshots: ``lesson_aspp_light.png``, ``lesson_crf_light.png`` and the like, in the folder of the fixture ``shots``.
"""

import pytest
from looks import THEMES

from segedu.classroom.explorers import ASPPExplorer, CRFExplorer

expect = pytest.importorskip("playwright.sync_api").expect

LESSON, CLAIMS = "05_deeplab.ipynb", ["D5", "D6", "D7"]


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorers_answer(lesson, shots):
    expect(lesson.page.locator(".segedu-explorer")).to_have_count(2)
    explorers = {"aspp": (lesson.explorer(0), ASPPExplorer()), "crf": (lesson.explorer(1), CRFExplorer())}
    for explorer, twin in explorers.values():
        expect(explorer.words).to_have_text(twin.stage.words)

    pyramid, its_twin = explorers["aspp"]
    pyramid.drag("map size", 20)
    its_twin.state = {"size": 20}
    field, its_own = explorers["crf"]
    field.drag("iterations", 2)
    its_own.state = {"iterations": 2}
    for theme in THEMES:
        lesson.theme(theme)
        for name, (explorer, twin) in explorers.items():
            expect(explorer.words).to_have_text(twin.stage.words)
            explorer.screenshot(shots / f"lesson_{name}_{theme}.png")
