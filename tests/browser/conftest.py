"""JupyterLab in Chromium: a real server with the tests' own interpreter, a real page, and nothing but loopback.

The fixture ``lab`` opens a notebook from a copy, runs it, moves its controls and looks at it; a test that leaves a
console error or a request to anywhere else behind fails. Without Chromium these tests skip, in CI they fail.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
KERNEL_TIMEOUT = 120_000  # ms; a busy machine takes its time to start one
PATIENCE = 20_000  # ms until a page must show what is expected of it


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.fspath).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium from the system, as a context that opens pages. Missing, it skips, but fails in CI."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        if os.environ.get("CI") or os.environ.get("SEGEDU_REQUIRE_BROWSER"):
            pytest.fail("no Chromium on the PATH, and this run requires the browser tests: install chromium")
        pytest.skip("no Chromium on the PATH: install chromium to run the browser tests")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser.new_context(viewport={"width": 1100, "height": 900}, device_scale_factor=2)
        browser.close()


class Server:
    """A JupyterLab server on a free port of 127.0.0.1 whose settings, data and notebooks all lie in one folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "notebooks"
        self.token = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        state = {name: str(folder / name.lower()) for name in STATE_FOLDERS}
        for path in (self.root, *map(Path, state.values())):
            path.mkdir(parents=True)
        self.settings = Path(state["JUPYTERLAB_SETTINGS_DIR"])
        _write_settings(Path(state["JUPYTER_CONFIG_DIR"]), self.settings)
        _write_kernel(Path(state["JUPYTER_DATA_DIR"]))
        environment = os.environ | state | {"JUPYTER_PATH": state["JUPYTER_DATA_DIR"], "JUPYTER_TOKEN": self.token}
        environment |= {"OMP_NUM_THREADS": "1"}
        options = [f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.root}"]
        options += ["--ServerApp.ip=127.0.0.1", "--LabApp.expose_app_in_browser=True", "--no-browser", "--allow-root"]
        self.log = (folder / "server.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=self.log, stderr=self.log
        )
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                return self.api("status")
            except OSError:
                time.sleep(0.1)
        self.log.seek(0)
        raise RuntimeError(f"JupyterLab did not start; it said:\n{self.log.read()[-4000:]}")

    def api(self, path: str, method: str = "GET"):
        """Call the server's REST interface."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def forget(self) -> None:
        """Shut the kernels down, of which the server keeps one per path, and drop the theme that a test chose."""
        for session in self.api("sessions"):
            self.api(f"sessions/{session['id']}", "DELETE")
        (self.settings / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings").unlink(missing_ok=True)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


STATE_FOLDERS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
    "IPYTHONDIR",
    "MPLCONFIGDIR",
)


def _write_settings(config: Path, settings: Path) -> None:
    """No news from the network, and every cell in the page: a windowed notebook only renders what is on screen."""
    disabled = {"@jupyterlab/apputils-extension:announcements": True}
    _write_json(config / "labconfig" / "page_config.json", {"disabledExtensions": disabled})
    _write_json(settings / "@jupyterlab/notebook-extension/tracker.jupyterlab-settings", {"windowingMode": "none"})


def _write_kernel(data: Path) -> None:
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3 (ipykernel)", "language": "python"}
    _write_json(data / "kernels" / "python3" / "kernel.json", spec)


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture(scope="session")
def server(chromium, tmp_path_factory):
    """One JupyterLab for all browser tests of this process."""
    running = Server(tmp_path_factory.mktemp("jupyterlab"))
    yield running
    running.stop()


class Lab:
    """One page of JupyterLab with one notebook in it, as a reader meets it."""

    def __init__(self, page, server: Server) -> None:
        self.page, self.server = page, server
        self.outside: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self._record(request.url))
        page.on("websocket", lambda socket: self._record(socket.url))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _record(self, url: str) -> None:
        """Chromium resolves no other name anyway; intercepting requests would switch its cache off."""
        if urlsplit(url).hostname not in (None, "127.0.0.1"):
            self.outside.append(url)

    def open(self, notebook: Path | nbformat.NotebookNode, name: str = "lesson.ipynb") -> None:
        """Open a copy of a notebook, a file's or one just made, and wait until its kernel is idle."""
        copy = self.server.root / name
        if isinstance(notebook, Path):
            shutil.copy(notebook, copy)
        else:
            nbformat.write(notebook, copy)
        self.page.goto(f"{self.server.url}/doc/tree/{name}?token={self.server.token}")
        self.page.wait_for_function(KERNEL_IS_IDLE, timeout=KERNEL_TIMEOUT)

    def run_all(self) -> None:
        """Run every cell and wait for the last; a cell that raised fails the test with its traceback."""
        ok = self.command("notebook:run-all-cells")
        failed = self.page.locator('.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]')
        if failed.count() or ok is False:
            raise AssertionError("a cell failed:\n" + "\n".join(failed.all_inner_texts()))

    def command(self, name: str, **arguments):
        """Run a command of JupyterLab and wait until it is done."""
        return self.page.evaluate(COMMAND, [name, arguments])

    def theme(self, name: str) -> None:
        """Switch to JupyterLab's ``"light"`` or ``"dark"`` theme, and wait until the page wears it."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name.capitalize()}")
        light = str(name == "light").lower()
        self.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{light}'")
        self.page.wait_for_timeout(300)  # the style sheet lands a moment after the attribute

    def slider(self, description: str):
        """The handle of the slider with this description: focus it, press keys on it, read its ``aria-valuetext``."""
        label = re.compile(rf"^{re.escape(description)}$")
        row = self.page.locator(".widget-slider").filter(has=self.page.locator(".widget-label", has_text=label))
        return row.locator(".noUi-handle")

    def run_cells(self, *sources: str) -> None:
        """Open a notebook made of these code cells, and run it."""
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        self.open(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}))
        self.run_all()

    def select(self, description: str):
        """The drop-down list with this description."""
        label = re.compile(rf"^{re.escape(description)}$")
        row = self.page.locator(".widget-dropdown").filter(has=self.page.locator(".widget-label", has_text=label))
        return row.locator("select")

    def button(self, name: str):
        """The widget button with this text."""
        return self.page.locator(".jupyter-button", has_text=name)

    @property
    def words(self):
        """The line in which an explorer says what it shows."""
        return self.page.locator(".segedu-stage-words")

    @property
    def picture(self):
        """The canvas that an explorer draws on."""
        return self.page.locator("canvas.segedu-stage-picture")

    @property
    def outputs(self) -> list[str]:
        """What the cells printed or returned as text, in order."""
        return self.page.locator(".jp-RenderedText").all_inner_texts()

    @property
    def active_cell(self) -> int:
        """The cell that the notebook's own keys would act on."""
        return self.page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex")

    def point(self, x: float, y: float, *, click: bool = False) -> None:
        """Move the pointer to a place of the picture, in its own pixels, and click there or not."""
        (self.picture.click if click else self.picture.hover)(position={"x": x, "y": y})

    def colour(self, x: float, y: float) -> tuple[int, ...]:
        """The colour that the picture shows at a place, in its own pixels: RGBA, clear where nothing is painted."""
        return tuple(self.picture.evaluate(PIXEL, [x, y]))

    def screenshot(self, path: Path, of: str | None = None) -> None:
        """Save what the reader sees, or the first element that matches the selector ``of``."""
        (self.page.locator(of).first if of else self.page).screenshot(path=path)


COMMAND = """async ([name, given]) => {
  const done = await window.jupyterapp.commands.execute(name, given);
  return typeof done === "boolean" ? done : null; // whatever else a command returns cannot leave the page
}"""

KERNEL_IS_IDLE = """() => {
  const context = window.jupyterapp?.shell.currentWidget?.context;
  return context?.isReady && context.sessionContext?.session?.kernel?.status === "idle";
}"""

PIXEL = """(canvas, [x, y]) => {
  const density = canvas.width / canvas.clientWidth;
  return [...canvas.getContext("2d").getImageData(Math.round(x * density), Math.round(y * density), 1, 1).data];
}"""


def _opened(context, server):
    lab = Lab(context.new_page(), server)
    yield lab
    lab.page.close()
    server.forget()
    assert lab.outside == []
    assert lab.errors == []


@pytest.fixture
def lab(chromium, server):
    """A fresh page, a fresh kernel; afterwards no console error and no request beyond loopback may be on record."""
    yield from _opened(chromium, server)


@pytest.fixture(scope="module")
def module_lab(chromium, server):
    """The same for all tests of a module, which share its page and kernel: a start costs ten seconds."""
    yield from _opened(chromium, server)
