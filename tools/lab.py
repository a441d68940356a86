"""JupyterLab in Chromium, for the browser tests and the benchmark of the explorers.

A real server with this interpreter, a real page, and nothing but loopback: settings, data and kernels of the user stay
untouched, and what a page asks of any other host is on record.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import nbformat

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
VIEWPORT = {"width": 1100, "height": 900}


def chromium() -> str | None:
    """Where the system's Chromium is, if there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def browser(path: str) -> Iterator[Any]:
    """A headless browser, Playwright's ``Browser``."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield launched
        launched.close()


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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
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


class Widgets:
    """The widgets on a page, or in a part of one, found by the words that a reader sees; and a hand for them."""

    def __init__(self, page, part=None) -> None:
        self.page, self.part = page, part or page

    def slider(self, description: str):
        """The handle of the slider with this description: focus it, press keys on it, read its ``aria-valuetext``."""
        return self._row(".widget-slider", description).locator(".noUi-handle")

    def drag(self, description: str, value: float, *, moves: int = 30) -> None:
        """Take the handle of a slider to a value by mouse, by way of as many places as there are moves."""
        handle, mouse = self.slider(description), self.page.mouse
        handle.hover()
        track, knob = (part.bounding_box() for part in (handle.locator("xpath=../.."), handle))
        low, now, high = (float(handle.get_attribute(f"aria-value{name}")) for name in ("min", "now", "max"))
        x, y = knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2
        mouse.down()
        mouse.move(x + (value - now) / (high - low) * track["width"], y, steps=moves)
        mouse.up()

    def select(self, description: str):
        """The list with this description, be it a drop-down one."""
        return self._row(".widget-dropdown, .widget-select", description).locator("select")

    def button(self, name: str):
        """The widget button with this text."""
        return self.part.locator(".jupyter-button", has_text=re.compile(rf"^{re.escape(name)}$"))

    @property
    def words(self):
        """The line in which an explorer says what it shows."""
        return self.part.locator(".segedu-stage-words")

    @property
    def picture(self):
        """The canvas that an explorer draws on."""
        return self.part.locator("canvas.segedu-stage-picture")

    def point(self, x: float, y: float, *, click: bool = False) -> None:
        """Move the pointer to a place of the picture, in its own pixels, and click there or not."""
        (self.picture.click if click else self.picture.hover)(position={"x": x, "y": y})

    def colour(self, x: float, y: float) -> tuple[int, ...]:
        """The colour that the picture shows at a place, in its own pixels: RGBA, clear where nothing is painted."""
        return self.colours([(x, y)])[0]

    def colours(self, places: Sequence[tuple[float, float]]) -> list[tuple[int, ...]]:
        """The same at many places of one picture."""
        return [tuple(colour) for colour in self.picture.evaluate(PIXELS, list(places))]

    def screenshot(self, path: Path) -> None:
        """Save what the reader sees."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.part.screenshot(path=path)

    def _row(self, kind: str, description: str):
        label = self.page.locator(".widget-label", has_text=re.compile(rf"^{re.escape(description)}$"))
        return self.part.locator(kind).filter(has=label)


class Lab(Widgets):
    """One page of JupyterLab with one notebook in it, as a reader meets it."""

    def __init__(self, page, server: Server) -> None:
        super().__init__(page)
        self.server = server
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

    def run_cells(self, *sources: str) -> None:
        """Open a notebook made of these code cells, and run it."""
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        self.open(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}))
        self.run_all()

    @contextlib.contextmanager
    def frozen_kernel(self) -> Iterator[None]:
        """Inside, no thread of the kernel runs; afterwards it does what it was asked meanwhile."""
        kernel = int(self.page.evaluate(PRINTED, "import os; print(os.getpid())"))
        os.kill(kernel, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(kernel, signal.SIGCONT)

    def explorer(self, place: int) -> Widgets:
        """One of the explorers on the page, counted from 0 at the top."""
        return Widgets(self.page, self.page.locator(".segedu-explorer").nth(place))

    @property
    def outputs(self) -> list[str]:
        """What the cells printed or returned as text, in order."""
        return self.page.locator(".jp-RenderedText").all_inner_texts()

    @property
    def verdicts(self) -> list[tuple[str, str]]:
        """The verdicts table that a lesson ends with: each claim's id, and what is said of it."""
        table = self.page.locator(".jp-OutputArea-output table", has_text="verdict")
        rows = [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]
        return [(claim[:2], verdict) for claim, _, verdict in rows]

    @property
    def active_cell(self) -> int:
        """The cell that the notebook's own keys would act on."""
        return self.page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex")


COMMAND = """async ([name, given]) => {
  const done = await window.jupyterapp.commands.execute(name, given);
  return typeof done === "boolean" ? done : null; // whatever else a command returns cannot leave the page
}"""

PRINTED = """async (code) => {
  let text = "";
  const { kernel } = window.jupyterapp.shell.currentWidget.context.sessionContext.session;
  const future = kernel.requestExecute({ code });
  future.onIOPub = ({ header, content }) => {
    if (header.msg_type === "stream") text += content.text;
  };
  await future.done;
  return text;
}"""

KERNEL_IS_IDLE = """() => {
  const context = window.jupyterapp?.shell.currentWidget?.context;
  return context?.isReady && context.sessionContext?.session?.kernel?.status === "idle";
}"""

PIXELS = """async (canvas, places) => {
  await new Promise(requestAnimationFrame); // what has come is drawn in the next frame
  const density = canvas.width / canvas.clientWidth;
  const pixels = canvas.getContext("2d");
  return places.map(([x, y]) => [...pixels.getImageData(Math.round(x * density), Math.round(y * density), 1, 1).data]);
}"""
