"""The site as a reader opens it: from a folder, without a network, in both themes, on a wide and a narrow window.

Its lessons are the course's own as they are stored, and one made here whose explorers have their frames.
"""

import itertools
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from lab import Widgets
from looks import THEMES, WIDTHS, corners, mispainted
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import expect
from website.build import build
from website.lessons import lesson

from segedu.classroom.explorers import DilationExplorer, GriddingExplorer, MaskEditor, frames

LESSONS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.ipynb"))
FIRST = "# 99 · Play: a lesson with frames\n\n**The question.** Does it move?\n\nClaims X1 · a second"
PATIENCE = 120_000  # ms: a busy machine takes its time to lay a lesson out
GROUND = "getComputedStyle(document.body).backgroundColor"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
GROUNDS = {"dark": "rgb(21, 24, 28)", "light": "rgb(255, 255, 255)"}
UNSEEN = "[...document.images].filter((image) => image.loading !== 'lazy' && !image.naturalWidth).length"
PICTURE = "async (canvas) => { await new Promise(requestAnimationFrame); return canvas.toDataURL(); }"


class Masked(MaskEditor):
    main_control = "masks"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site."""
    cells = [new_markdown_cell(FIRST), new_markdown_cell("## Play\n\n$x_i$ and $$\\frac{1}{2}$$")]
    for explorer in (DilationExplorer(), Masked(), GriddingExplorer()):
        data, metadata = frames.with_frames(explorer)
        if isinstance(explorer, GriddingExplorer):
            del data[frames.MIME]
        shown = new_output("execute_result", data, metadata=metadata, execution_count=1)
        cells.append(new_code_cell(f"{type(explorer).__name__}().sweep()", outputs=[shown]))
    stored = [lesson(path, nbformat.read(path, as_version=4)) for path in LESSONS]
    folder = tmp_path_factory.mktemp("course") / "a site"
    build([*stored, lesson(LESSONS[0].with_name("99_play.ipynb"), new_notebook(cells=cells))], folder)
    return folder


@pytest.fixture
def page(context):
    """A page without a network that remembers no theme; it may load files alone and leave no error on the console."""
    own, wrong = context.browser.new_context(offline=True, device_scale_factor=2), []
    own.set_default_timeout(PATIENCE)
    opened = own.new_page()
    opened.on("request", lambda request: _refuse_all_but_files(request.url, wrong))
    opened.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    yield opened
    own.close()
    assert wrong == []


def _refuse_all_but_files(url, wrong):
    if urlsplit(url).scheme not in ("file", "data"):
        wrong.append(f"the page asked for {url}")


def shown(page, site, name):
    page.goto((site / name).as_uri())
    return page


@pytest.fixture
def play(page, site):
    """The lesson with frames, its explorers awake."""
    shown(page, site, "99_play.html")
    expect(page.locator("canvas")).to_have_count(2)
    return page


def explorer(page, place):
    return Widgets(page, page.locator(".segedu-explorer").nth(place))


def moved(made, control, value):
    """The stage of an explorer that a hand has set to a value."""
    made.state = {control: value}
    return made.stage


def test_every_page_stands_in_every_theme_and_width(page, site, shots):
    for path in sorted(site.glob("*.html")):
        shown(page, site, path.name)
        assert page.evaluate(UNSEEN) == 0, path.name
        for width, theme in itertools.product(WIDTHS, THEMES):
            page.emulate_media(color_scheme=theme)
            page.set_viewport_size({"width": width, "height": 1000})
            assert page.evaluate(GROUND) == GROUNDS[theme]
            assert page.evaluate(OVERFLOW) == 0, path.name
            if path.stem in ("index", "99_play"):
                page.screenshot(path=shots / f"site_{path.stem}_{theme}_{width}.png")


def test_the_index_leads_to_every_lesson_and_each_to_the_next(page, site):
    shown(page, site, "index.html")
    assert page.locator(".cards h2").count() == len(LESSONS) + 1
    page.locator(".cards a").first.click()
    for _ in LESSONS:
        page.locator(".around .after").click()
    expect(page).to_have_title("99 · Play: a lesson with frames")
    assert page.locator("math").count() == 2
    page.locator(".contents a").click()
    assert page.url.endswith("99_play.html#Play")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_slider_moved_by_keys_shows_the_frame_of_its_value(play, width):
    play.set_viewport_size({"width": width, "height": 1000})
    widget, made = explorer(play, 0), DilationExplorer()
    slider = widget.part.get_by_role("slider", name="rate")
    for keys, rate in (([], 6), (["ArrowRight"], 7), (["Home"], 1), (["End", "ArrowLeft"], 23)):
        for key in keys:
            slider.press(key)
        stage = moved(made, "rate", rate)
        expect(widget.words).to_have_text(stage.words)
        expect(slider).to_have_attribute("aria-valuetext", str(rate))
        assert mispainted(widget, stage, corners(stage)) == []
    expect(widget.picture).to_have_attribute("aria-label", made.stage.label)


def test_a_list_shows_the_frame_of_its_choice(play):
    widget, made = explorer(play, 1), Masked()
    before = widget.words.inner_text()
    widget.part.get_by_label("truth").select_option("thin line")
    made.masks.truth.value = "thin line"
    expect(widget.words).to_have_text(made.stage.words)
    assert widget.words.inner_text() != before
    expect(widget.part.locator("figcaption")).to_contain_text("Here this one control moves.")


def test_an_explorer_without_frames_says_that_it_is_still(play):
    still = play.locator(".segedu-explorer").nth(2)
    expect(still.locator("img")).to_have_attribute("alt", GriddingExplorer().stage.label)
    expect(still.locator("figcaption")).to_have_text("A still picture. To play with it, run the lesson: make lab.")


def test_the_theme_switch_holds_from_page_to_page_and_repaints(play, site):
    play.emulate_media(color_scheme="light")
    widget = explorer(play, 0)

    light = widget.picture.evaluate(PICTURE)
    play.get_by_role("button", name="Dark theme").click()
    assert play.evaluate(GROUND) == GROUNDS["dark"]
    assert widget.picture.evaluate(PICTURE) != light
    shown(play, site, "index.html")
    assert play.evaluate(GROUND) == GROUNDS["dark"]
    play.get_by_role("button", name="Light theme").click()
    assert play.evaluate(GROUND) == GROUNDS["light"]
