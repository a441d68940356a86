"""The stage: what it sends, what it keeps, and what stands in for it where no widget lives."""

import base64
import io

import numpy as np
from PIL import Image

from segedu.classroom.explorers.scene import SIGNED, Scene, cells, ring
from segedu.classroom.explorers.stage import Stage


def scene(value=0):
    return Scene(40, 30, [cells((0, 0, 40, 30), np.full((3, 4), value, np.uint8), SIGNED, panel="map")])


def sent(stage):
    """The names of the traits that change from now on."""
    names = []
    stage.observe(lambda change: names.append(change["name"]))
    return names


def test_a_scene_is_sent_once_and_its_marks_alone():
    stage = Stage("a map")
    stage.show(scene(), [], "nothing marked")
    names = sent(stage)
    stage.show(scene(), [ring((5, 5))], "one place marked")
    assert sorted(names) == ["marks", "words"]
    stage.show(scene(1), [ring((5, 5))], "one place marked")
    assert sorted(names) == ["marks", "scene", "words"]


def test_grids_travel_as_binary_buffers():
    stage = Stage("a map")
    stage.show(scene(7), [], "")
    messages = []
    stage.comm.send = lambda data=None, buffers=None, **_: messages.append((data, buffers))
    stage.send_state("scene")
    (data, buffers) = messages[0]
    paths = [path[-1] for path in data["buffer_paths"]]
    assert dict(zip(paths, map(bytes, buffers), strict=True)) == {"data": bytes([7] * 12), "palette": SIGNED.tobytes()}


def test_the_still_stands_in_where_no_widget_lives():
    stage = Stage("a map of nothing")
    stage.show(scene(254), [], "words that may differ from run to run")
    data, metadata = stage._repr_mimebundle_()
    words = "a map of nothing (run this cell to play with it)"
    assert metadata == {"image/png": {"width": 40, "alt": words}}  # half its pixels: it is drawn for dense screens
    assert data["text/plain"] == "a map of nothing (run this cell to play with it)"
    image = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert image.size == (80, 60)
    assert image.getpixel((40, 30)) == (213, 94, 0)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == stage.model_id
