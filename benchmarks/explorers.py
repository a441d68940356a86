"""How soon a picture follows the hand: from a slider's move to the new picture, in JupyterLab in Chromium.

    python benchmarks/explorers.py [fusion ...] [--presses 40] [--json FILE]

``median ms`` and ``p95 ms``: from an arrow key to the animation frame after the one that drew the new picture; by then
it is on the screen, so this is an upper bound. The slider has had the focus for a moment when the first key comes, as
under a hand; ``round trip ms`` is the first key without that moment, when every picture is still to be made. The rest
is a drag of one second over the whole slider: how often its value changed, how many pictures came, and how long after
the last change the last one came (a backlog would show here).
``density`` is the device pixels for a CSS pixel. ``load`` is how many processes wanted a core before the row was taken:
only figures of an idle machine tell of the explorer.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import common

sys.path.append(str(Path(__file__).resolve().parent.parent / "tools"))
from lab import VIEWPORT, Lab, Server, browser, chromium

DENSITIES = (1, 2)
DRAG = 1.0  # seconds
PAUSE = 150  # ms between two presses
SETTLE = 500  # ms from the focus to the first press


class Setup(NamedTuple):
    """A cell that shows an explorer, and the sliders to move, by their descriptions."""

    cell: str
    sliders: tuple[str, ...]


SETUPS = {
    "pixels": Setup(
        """
from segedu import data
from segedu.classroom.explorers import Pixels

streets = data.load("streets", split="val", size=(96, 128))
images, labels = streets.batch(range(6))
Pixels(images, labels, streets.classes, streets.palette, streets.mean, streets.std)
""",
        ("cell, pixels", "image"),
    ),
    "fusion": Setup(
        """
import torch
from torch import nn
from segedu.classroom.explorers import FusionExplorer
from segedu.models import create

torch.manual_seed(0)
model = create("fcn8s", num_classes=3, backbone="vgg_mini")
for score in model.score.values():
    nn.init.normal_(score.weight)
images, labels = torch.randn(2, 3, 96, 128), torch.arange(2 * 96 * 128).view(2, 96, 128) // 32 % 3
palette = torch.tensor([[0, 114, 178], [230, 159, 0], [0, 158, 115]], dtype=torch.uint8)
FusionExplorer(model, images, labels, ["Water", "Sand", "Grass"], palette, (0.5,) * 3, (0.5,) * 3)
""",
        ("pool4 ×", "image"),
    ),
    "dilation": Setup(
        "from segedu.classroom.explorers import DilationExplorer\nDilationExplorer()",
        ("rate", "column", "stride", "map size"),
    ),
    "gridding": Setup(
        "from segedu.classroom.explorers import GriddingExplorer\nGriddingExplorer()",
        ("rate 1", "rate 3"),
    ),
    "receptive field": Setup(
        """
from segedu import data
from segedu.classroom.explorers import ReceptiveFieldExplorer

streets = data.load("streets", split="val", size=(512, 512))
explorer = ReceptiveFieldExplorer(streets.batch([3])[0], streets.mean, streets.std)
explorer.state = {"pixels": 512, "layer": 12}
explorer
""",
        ("dilation",),
    ),
    "unpooling": Setup(
        "from segedu.classroom.explorers import UnpoolingExplorer\nUnpoolingExplorer()",
        ("noise", "height"),
    ),
    "skip surgery": Setup(
        """
import torch
from segedu import data
from segedu.classroom.explorers import SkipSurgeryExplorer
from segedu.models import create

torch.manual_seed(0)
cells = data.load("cells", split="val", size=(96, 96))
images, labels = cells.batch(range(2))
model = create("unet", 2, width=8)
SkipSurgeryExplorer(model, images, labels, cells.classes, cells.palette, cells.mean, cells.std)
""",
        ("skip 1 ×",),
    ),
    "two paths": Setup(
        """
import torch
from segedu import data
from segedu.classroom.explorers import TwoPathsExplorer
from segedu.models import create

torch.manual_seed(0)
streets = data.load("streets", split="val", size=(96, 128))
images, labels = streets.batch(range(2))
model = create("bisenet", len(streets.classes), backbone="resnet_mini")
TwoPathsExplorer(model, images, labels, streets.classes, streets.palette, streets.mean, streets.std)
""",
        ("image size ×", "image"),
    ),
    "mask editor": Setup(
        "from segedu.classroom.explorers import MaskEditor\nMaskEditor()",
        ("tolerance",),
    ),
    "loss landscape": Setup(
        "from segedu.classroom.explorers import LossLandscape\nLossLandscape()",
        ("p", "object, %"),
    ),
    "budget": Setup(
        """
from segedu.classroom import studies
from segedu.classroom.explorers import Budget
from segedu.classroom.explorers.budget_ranking import Entrant
from segedu.classroom.studies import shootout
from segedu.profile import macs

nets = {name: entry.small() for name, entry in shootout.NETS.items()}
entrants = [
    Entrant(name, shootout.TAGS[name], shootout.carried(net), macs(net, (96, 128)), place << 20, 20.0 + place)
    for place, (name, net) in enumerate(nets.items(), 1)
]
Budget(entrants, studies.load("shootout").figures["scores"])
""",
        ("multiply-adds, M", "memory, MiB"),
    ),
    "unknowns": Setup(
        """
from segedu import data
from segedu.classroom.explorers import Unknowns
from segedu.models import create

streets = data.load("streets", split="val", size=(96, 128), unknown_object=1.0)
images, labels = streets.batch(range(8))
unknown = streets.unknown_mask(range(8))
model = create("fcn8s", weights="streets")
Unknowns(model, images, labels, unknown, streets.classes, streets.palette, streets.mean, streets.std)
""",
        ("known flagged, %", "scene"),
    ),
    "aspp": Setup(
        "from segedu.classroom.explorers import ASPPExplorer\nASPPExplorer()",
        ("map size", "rate 3"),
    ),
    "crf": Setup(
        "from segedu.classroom.explorers import CRFExplorer\nCRFExplorer()",
        ("θα position std", "θβ colour std", "bilateral weight", "iterations"),
    ),
}

# The stage draws inside an animation frame: when the next one begins, the frame with its picture has been handed over.
WATCH = """(() => {
  const seen = (window.seen = { keys: [], values: [], pictures: [] });
  addEventListener("keydown", (event) => seen.keys.push(event.timeStamp), true);
  let frame;
  for (const name of ["drawImage", "fillRect", "fillText", "stroke"]) {
    const draw = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function (...given) {
      const now = document.timeline.currentTime;
      if (frame !== now && this.canvas.matches(".segedu-stage-picture")) {
        frame = now;
        requestAnimationFrame(() => seen.pictures.push(performance.now()));
      }
      return draw.apply(this, given);
    };
  }
})()"""

FOLLOW = """(handle) => {
  const read = () => handle.getAttribute("aria-valuetext");
  let value = read();
  window.follower?.disconnect(); // the slider followed before may move along with this one
  window.follower = new MutationObserver(() => {
    if (value !== read()) window.seen.values.push(performance.now());
    value = read();
  });
  window.follower.observe(handle, { attributeFilter: ["aria-valuetext"] });
}"""

# Timers, not animation frames, do the waiting: those would make the page draw all the time.
SETTLED = """async (quiet) => {
  const { pictures, values } = window.seen;
  const last = () => Math.max(pictures.at(-1) ?? Infinity, values.at(-1) ?? 0);
  while (performance.now() < last() + quiet) await new Promise((done) => setTimeout(done, 20));
  return window.seen;
}"""


def measure(name: str, setup: Setup, presses: int) -> list[dict[str, Any]]:
    """A row for each slider and density."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, browser(_chromium()) as opened, Server(Path(folder)) as server:
        for density in DENSITIES:
            context = opened.new_context(viewport=VIEWPORT, device_scale_factor=density)
            context.add_init_script(WATCH)
            lab = Lab(context.new_page(), server)
            lab.run_cells(setup.cell)
            lab.picture.wait_for()
            for slider in setup.sliders:
                lab.slider(slider).evaluate(FOLLOW)
                row = {"explorer": name, "slider": slider, "density": density, "load": round(os.getloadavg()[0], 1)}
                rows.append(row | press(lab, slider, presses) | drag(lab, slider))
            context.close()
            server.forget()
    return rows


def press(lab: Lab, slider: str, presses: int) -> dict[str, Any]:
    """Press an arrow key again and again, from end to end of the slider, each time when the last picture has come."""
    handle, taken, key = lab.slider(slider), [], "ArrowRight"
    for count in range(presses + 1):
        if handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax"):
            key = "ArrowLeft"
        elif handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemin"):
            key = "ArrowRight"
        _forget(lab)
        handle.press(key)
        seen = lab.page.evaluate(SETTLED, PAUSE if count else SETTLE)
        taken.append(seen["pictures"][0] - seen["keys"][0])
    return {
        "round trip ms": round(taken[0], 1),
        "median ms": round(statistics.median(taken[1:]), 1),
        "p95 ms": round(statistics.quantiles(taken[1:], n=20, method="inclusive")[-1], 1),
    }


def drag(lab: Lab, slider: str) -> dict[str, Any]:
    """Drag the slider from its start to its end, sixty moves a second as far as the page keeps up."""
    handle, mouse = lab.slider(slider), lab.page.mouse
    handle.press("Home")
    lab.page.wait_for_timeout(10 * PAUSE)
    track, knob = (part.bounding_box() for part in (handle.locator("xpath=../.."), handle))
    height, left = knob["y"] + knob["height"] / 2, knob["x"] + knob["width"] / 2
    mouse.move(left, height)
    mouse.down()
    _forget(lab)
    start = time.perf_counter()
    passed = 0.0
    while passed < DRAG:
        passed = min(time.perf_counter() - start, DRAG)
        mouse.move(left + passed / DRAG * track["width"], height)
        time.sleep(max(0.0, start + passed + 1 / 60 - time.perf_counter()))
    mouse.up()
    seen = lab.page.evaluate(SETTLED, 5 * PAUSE)
    return {
        "values": len(seen["values"]),
        "pictures": len(seen["pictures"]),
        "lag ms": round(seen["pictures"][-1] - seen["values"][-1], 1),
    }


def _forget(lab: Lab) -> None:
    lab.page.evaluate("for (const times of Object.values(window.seen)) times.length = 0")


def _chromium() -> str:
    return chromium() or sys.exit("no Chromium on the PATH: install chromium to measure the explorers")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("explorers", nargs="*", default=list(SETUPS), help="which to measure (default: all)")
    parser.add_argument("--presses", type=int, default=40, help="key presses for each row (default: 40)")
    parser.add_argument("--json", type=Path, help="write the rows and the machine's description here")
    arguments = parser.parse_args()
    rows = [row for name in arguments.explorers for row in measure(name, SETUPS[name], arguments.presses)]
    print(common.table(rows))
    if arguments.json:
        common.write(arguments.json, rows)


if __name__ == "__main__":
    main()
