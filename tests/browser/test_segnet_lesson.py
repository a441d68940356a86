"""Lesson 03 as a reader meets it: every cell runs, the explorer answers, and the verdicts stand below.

Screenshots: ``lesson_unpooling_light.png`` and the like, in the folder of the fixture ``shots``.
"""

from pathlib import Path

import pytest
from looks import TALL, THEMES, WIDTHS, mispainted

from segedu.classroom.explorers import UnpoolingExplorer

expect = pytest.importorskip("playwright.sync_api").expect

LESSON = Path(__file__).resolve().parents[2] / "notebooks" / "03_segnet.ipynb"


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorer_answers(lab, shots):
    lab.page.set_viewport_size({"width": WIDTHS[0], "height": TALL})
    lab.open(LESSON)
    lab.run_all()
    explorer, twin = lab.explorer(0), UnpoolingExplorer()
    expect(lab.page.locator(".segedu-explorer")).to_have_count(1)
    expect(explorer.words).to_have_text(twin.stage.words)

    explorer.drag("height", 9)
    explorer.select("pattern").select_option("bar")
    twin.state = {"height": 9, "pattern": "bar"}
    for theme in THEMES:
        lab.theme(theme)
        expect(explorer.words).to_have_text(twin.stage.words)
        assert mispainted(explorer, twin.stage, [("pooled", 0, 0)]) == []
        explorer.screenshot(shots / f"lesson_unpooling_{theme}.png")

    claims, verdicts = zip(*lab.verdicts, strict=True)
    assert [*claims] == ["N1", "N2", "N3", "N4"]
    assert {*verdicts} <= {"holds", "holds with limits", "refuted"}
