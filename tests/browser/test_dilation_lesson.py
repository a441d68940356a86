"""Lesson 04 as a reader meets it: every cell runs, each explorer answers, and the verdicts stand below.

Screenshots: ``lesson_dilation_light.png`` and the like, in the folder of the fixture ``shots``.
"""

import pytest
from looks import THEMES, mispainted

from segedu import data
from segedu.classroom.explorers import DilationExplorer, GriddingExplorer, ReceptiveFieldExplorer

expect = pytest.importorskip("playwright.sync_api").expect

LESSON, CLAIMS = "04_dilation.ipynb", ["D1", "D2", "D3", "D4"]


@pytest.fixture
def twins():
    """The lesson's explorers, made in this process, in their order on the page."""
    streets = data.load("streets", split="val", size=(512, 512))
    stack = ReceptiveFieldExplorer(streets.batch([3])[0], streets.mean, streets.std)
    return {"dilation": DilationExplorer(), "receptive_field": stack, "gridding": GriddingExplorer()}


@pytest.mark.slow
def test_the_lesson_runs_and_its_explorers_answer(lesson, twins, shots):
    expect(lesson.page.locator(".segedu-explorer")).to_have_count(len(twins))
    explorers = {name: lesson.explorer(place) for place, name in enumerate(twins)}
    for name, twin in twins.items():
        expect(explorers[name].words).to_have_text(twin.stage.words)

    explorers["dilation"].drag("rate", 17)
    twins["dilation"].state = {"rate": 17}
    explorers["receptive_field"].select("heat").select_option("none")
    twins["receptive_field"].state = {"heat": "none"}
    explorers["gridding"].drag("rate 2", 7)
    twins["gridding"].state = {"rate2": 7}
    cells = {"dilation": ("output", 0, 0), "receptive_field": ("map", 1, 1), "gridding": ("chosen", 0, 1)}
    for theme in THEMES:
        lesson.theme(theme)
        for name, twin in twins.items():
            expect(explorers[name].words).to_have_text(twin.stage.words)
            assert mispainted(explorers[name], twin.stage, [cells[name]]) == []
            explorers[name].screenshot(shots / f"lesson_{name}_{theme}.png")
