"""JupyterLab in Chromium, as fixtures.

The fixture ``lab`` opens a notebook from a copy, runs it, moves its controls and looks at it; a test that leaves a
console error or a request to anywhere else behind fails. Without Chromium these tests skip, in CI they fail.

Screenshots of the explorers go to the folder that the environment variable SEGEDU_SCREENSHOTS names, if it is set.
"""

import os
from pathlib import Path

import pytest
from lab import VIEWPORT, Lab, Server, browser, chromium
from looks import TALL, THEMES, WIDTHS

LESSONS = Path(__file__).resolve().parents[2] / "notebooks"
PATIENCE = 20_000  # ms until a page must show what is expected of it


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.fspath).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def context():
    """A headless Chromium that opens pages as a dense screen shows them. Missing, it skips, but fails in CI."""
    path = chromium()
    if path is None:
        if os.environ.get("CI") or os.environ.get("SEGEDU_REQUIRE_BROWSER"):
            pytest.fail("no Chromium on the PATH, and this run requires the browser tests: install chromium")
        pytest.skip("no Chromium on the PATH: install chromium to run the browser tests")
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE)
    with browser(path) as opened:
        yield opened.new_context(viewport=VIEWPORT, device_scale_factor=2)


@pytest.fixture(scope="session")
def server(context, tmp_path_factory):
    """One JupyterLab for all browser tests of this process."""
    with Server(tmp_path_factory.mktemp("jupyterlab")) as running:
        yield running


def _opened(context, server):
    lab = Lab(context.new_page(), server)
    yield lab
    lab.page.close()
    server.forget()
    assert lab.outside == []
    assert lab.errors == []


@pytest.fixture
def lab(context, server):
    """A fresh page, a fresh kernel; afterwards no console error and no request beyond loopback may be on record."""
    yield from _opened(context, server)


@pytest.fixture(scope="module")
def module_lab(context, server):
    """The same for all tests of a module, which share its page and kernel: a start costs ten seconds."""
    yield from _opened(context, server)


@pytest.fixture(scope="module")
def opened(module_lab, request):
    """The explorer that the module's ``CELL`` makes, on the page."""
    module_lab.run_cells(request.module.CELL)
    module_lab.picture.wait_for()
    return module_lab.explorer(0)


@pytest.fixture
def explorer(opened):
    """The same as it opens, for each test; no hand is on it."""
    opened.button("Reset").click()
    opened.page.mouse.move(5, 5)
    return opened


@pytest.fixture
def shots(tmp_path) -> Path:
    """Where screenshots go: ``SEGEDU_SCREENSHOTS``, else a folder of the test's own."""
    return Path(os.environ.get("SEGEDU_SCREENSHOTS", tmp_path))


@pytest.fixture
def lesson(lab, request):
    """The lesson that the module names as ``LESSON``, run whole, with a verdict for each of the module's ``CLAIMS``."""
    lab.page.set_viewport_size({"width": WIDTHS[0], "height": TALL})
    lab.open(LESSONS / request.module.LESSON)
    lab.run_all()
    assert [claim for claim, _ in lab.verdicts] == request.module.CLAIMS
    assert {verdict for _, verdict in lab.verdicts} <= {"holds", "holds with limits", "refuted"}
    return lab


@pytest.fixture
def photographed(lab, shots):
    """Photographs an explorer of a lesson in every theme and width."""

    def photograph(explorer, name: str) -> None:
        for theme in THEMES:
            lab.theme(theme)
            for width in WIDTHS:
                lab.page.set_viewport_size({"width": width, "height": TALL})
                explorer.picture.wait_for()
                explorer.screenshot(shots / f"lesson_{name}_{theme}_{width}.png")

    return photograph
