"""Frames for pages without a kernel: what each value of the main control shows, unpacked as a page unpacks them."""

import base64
import gzip
import json
from types import SimpleNamespace

import IPython
import ipywidgets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter

from segedu.classroom.explorers import DilationExplorer, Explorer, MaskEditor, frames
from segedu.classroom.explorers.scene import SIGNED, Scene, cells, picture, ring, text

WALL = picture((0, 0, 40, 30), np.arange(90, dtype=np.uint8).reshape(5, 6, 3))


class Showing(Explorer[int]):
    """Shows the places of its controls' values in an alphabet of ten, over a picture that never changes."""

    def __init__(self, **controls):
        super().__init__("showing", controls)

    def compute(self, state):
        return sum(map(ord, repr(sorted(state.items())))) % 10

    def draw(self, result):
        return Scene(40, 30, [WALL, cells((0, 0, 20, 30), np.full((2, 3), result, np.uint8), SIGNED, panel="map")])

    def marks(self, result, scene, cell):
        return [text((20, 15), str(result))] if cell is None else [ring((5, 5))]

    def words(self, result, scene, cell):
        return f"{result} by its controls' values, θ"


class Sized(DilationExplorer):
    main_control = "size"


class Masked(MaskEditor):
    main_control = "masks"


def unpacked(packed):
    """The frames again, read as `frames.pack` says that they are written."""
    plain = gzip.decompress(base64.b64decode(packed))
    start = 4 + int.from_bytes(plain[:4], "little")
    lists = json.loads(plain[4:start])
    ends = np.cumsum(lists["lengths"]) + start
    binaries = [plain[end - length : end] for end, length in zip(ends.tolist(), lists["lengths"], strict=True)]
    assert sum(lists["lengths"]) + start == len(plain)

    def whole(place):
        item = lists["items"][place]
        parts = {name: binaries[item[name]] for name in ("data", "palette") if item.get(name) is not None}
        return item | parts

    for scene, marks, words in lists["frames"]:
        width, height, places = lists["scenes"][scene]
        painted = {"width": width, "height": height, "items": [*map(whole, places)]}
        yield frames.Shown(painted, [*map(whole, marks)], words)


def by_hand(explorer, control, value):
    """What the explorer shows when a hand sets that value."""
    explorer.state = {control: value}
    return frames.Shown(explorer.stage.scene, explorer.stage.marks, explorer.stage.words)


def as_json(shown):
    """Lists as they travel: JSON knows no tuples."""
    return json.loads(json.dumps(shown, default=list))


@pytest.mark.parametrize(
    ("make", "control", "values"),
    [
        (DilationExplorer, "rate", range(1, 25)),
        (Sized, "size", None),
        (lambda: Showing(n=ipywidgets.FloatSlider(0.5, min=0, max=1, step=0.25)), "n", [0, 0.25, 0.5, 0.75, 1]),
        (lambda: Showing(on=ipywidgets.Checkbox(True)), "on", [False, True]),
        (lambda: Showing(unit=ipywidgets.Dropdown(options=[("metres", "m"), ("miles", "mi")])), "unit", ["m", "mi"]),
    ],
)
def test_a_frame_is_what_a_hand_would_see(make, control, values):
    explorer = make()
    recording = frames.record(explorer)
    frame_of = dict(zip(recording.values, unpacked(frames.pack(recording.frames)), strict=True))
    values = values or frames.values_of(explorer.controls[control])
    assert len(frame_of) == len(values)
    for value, frame in zip(values, frame_of.values(), strict=True):
        assert as_json(frame) == as_json(by_hand(explorer, control, value))
    explorer.reset()
    assert as_json([*frame_of.values()][recording.start]) == as_json(
        by_hand(explorer, control, explorer.state[control])
    )


def test_recording_leaves_the_explorer_as_it_was():
    explorer = DilationExplorer()
    (panel, *_) = (item["panel"] for item in explorer.stage.scene["items"] if item.get("panel"))
    explorer.state = {"rate": 3, "stride": 2, "pinned": {"panel": panel, "row": 1, "col": 0}}
    before, words = explorer.state, explorer.stage.words
    recording = frames.record(explorer)
    assert (explorer.state, explorer.stage.words) == (before, words)
    assert (recording.values[recording.start], recording.frames[recording.start].words) == ("3", words)


def test_values_are_said_as_the_reader_sees_them():
    scaled = frames.record(Showing(n=ipywidgets.FloatSlider(0.5, min=0, max=1, step=0.25, readout_format=".1f")))
    assert (scaled.kind, scaled.values, scaled.start) == ("slider", ["0.0", "0.2", "0.5", "0.8", "1.0"], 2)
    chosen = frames.record(Showing(unit=ipywidgets.Dropdown(options=[("metres", 1), ("miles", 2)], description="unit")))
    assert (chosen.name, chosen.kind, chosen.values) == ("unit", "choice", ["metres", "miles"])
    walked = frames.record(Showing(n=ipywidgets.SelectionSlider(options=[("few", 1), ("many", 9)], value=9)))
    assert (walked.kind, walked.values, walked.start) == ("slider", ["few", "many"], 1)
    switched = frames.record(Showing(on=ipywidgets.ToggleButton(True)))
    assert (switched.kind, switched.values, switched.start) == ("choice", ["off", "on"], 1)


def test_of_a_composite_its_first_list_or_slider_moves():
    recording = frames.record(Masked())
    assert (recording.name, recording.values[0]) == ("truth", "disc")
    assert len({frame.words for frame in recording.frames}) == len(recording.values)


def test_a_slider_that_opens_between_two_steps_keeps_where_it_opened():
    recording = frames.record(Showing(n=ipywidgets.FloatSlider(0.3, min=0, max=1, step=0.5)))
    assert (recording.values, recording.start) == (["0.00", "0.30", "0.50", "1.00"], 1)


def test_without_values_to_go_through_there_are_no_frames():
    explorer = Showing(play=ipywidgets.Play())
    assert frames.record(explorer) is None
    assert frames.with_frames(explorer) == explorer._repr_mimebundle_()


@given(count=st.integers(2, 90), most=st.integers(3, 60), data=st.data())
def test_fewer_frames_keep_both_ends_and_the_opening_one(count, most, data):
    start = data.draw(st.integers(0, count - 1))
    thin = frames.Recording("n", "slider", [*map(str, range(count))], start, [*range(count)]).thinned(most)
    assert len(thin.frames) <= most
    assert (thin.values[0], thin.values[-1], thin.values[thin.start]) == ("0", str(count - 1), str(start))
    assert [*map(str, thin.frames)] == thin.values
    if count < most:
        assert thin.frames == [*range(count)]
    steps = np.diff(thin.frames)
    assert steps.min() >= 1
    assert steps.max() <= -(-(count - 1) // (min(count, most - 1) - 1))  # one place is kept for where it opened


def test_what_frames_share_is_packed_once():
    recording = frames.record(Showing(n=ipywidgets.IntSlider(0, min=0, max=40)))
    plain = gzip.decompress(base64.b64decode(frames.pack(recording.frames)))
    assert plain.count(WALL["data"]) == plain.count(SIGNED.tobytes()) == 1
    assert frames.pack(recording.frames) == frames.pack(recording.frames)


def test_too_large_a_parcel_holds_fewer_frames(monkeypatch):
    explorer = DilationExplorer()
    recording = frames.record(explorer)
    whole = frames.parcel(explorer, recording)
    monkeypatch.setattr(frames, "LARGEST", 3 * len(whole["packed"]) // 4)
    parcel = frames.parcel(explorer, recording)
    assert len(parcel["packed"]) <= 3 * len(whole["packed"]) // 4
    assert len(parcel["values"]) == len([*unpacked(parcel["packed"])]) < len(whole["values"])
    assert parcel["values"][parcel["start"]] == whole["values"][whole["start"]] == "6"
    assert (parcel["label"], parcel["lines"]) == (explorer.stage.label, explorer.lines_of_words)


def test_a_kernel_that_keeps_frames_shows_them_beside_the_still(monkeypatch):
    shell = SimpleNamespace(display_formatter=DisplayFormatter())
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    explorer = DilationExplorer()
    plain, plain_metadata = shell.display_formatter.format(explorer)
    frames.keep()
    data, metadata = shell.display_formatter.format(explorer)
    parcel = data.pop(frames.MIME)
    assert (data, metadata) == (plain, plain_metadata)
    assert frames.MIME not in plain
    assert json.loads(json.dumps(parcel)) == parcel
    assert (parcel["name"], parcel["kind"], parcel["values"][parcel["start"]]) == ("rate", "slider", "6")
