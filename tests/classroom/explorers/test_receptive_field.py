"""The receptive-field explorer shows what the library says of the stack that its controls describe."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from looks import panels_of

from segedu.classroom.explorers import ReceptiveFieldExplorer, still
from segedu.classroom.explorers.field_map import SHADES
from segedu.classroom.explorers.receptive_field_picture import HEIGHT, WIDTH
from segedu.classroom.explorers.stack_view import random_network
from segedu.data import Streets
from segedu.receptive_field import Layer, StackNet, expected_heat, receptive_field, stacked
from segedu.receptive_field.effective import EffectiveField, gradient_heat
from segedu.receptive_field.presets import PRESETS

DATA = Streets((64, 80), length=2, seed=3)
NOTES = "the notes' 5x5 example"
PHASES = (Layer(stride=2, padding=1), Layer("transposed", 5, 3, 1, 1))


def make(**options):
    return ReceptiveFieldExplorer(DATA.batch([0, 1])[0], DATA.mean, DATA.std, **options)


@pytest.fixture
def explorer():
    return make()


@pytest.fixture(scope="module")
def shared():
    return make()


def point(explorer, panel, row, col):
    """Point at a cell, and return the words."""
    explorer.stage.hovered = {"panel": panel, "row": row, "col": col}
    words = explorer.stage.words.split("\n")
    explorer.stage.hovered = None
    return words


def signed(number):
    return f"{number:g}".replace("-", "−")


def span(first, last):
    return f"{signed(first)} to {signed(last)}"


@pytest.mark.parametrize(
    ("name", "pixels"), [(NOTES, 5), ("AlexNet to fc6", 64), ("ResNet-50 and ASPP", 64), ("U-Net", 64)]
)
def test_boxes_in_words_are_those_of_the_network(shared, name, pixels):
    shared.state = {"layers": PRESETS[name], "layer": len(PRESETS[name]) - 1, "pixels": pixels, "pinned": None}
    row = receptive_field(StackNet(PRESETS[name], pixels, channels=1), (pixels, pixels)).output
    units = row.shape[-1]
    assert panels_of(shared.stage)["map"]["shape"] == [units, units]
    sizes = " or ".join(f"{size}" for size in row.sizes)
    seen = f"{row.size} × {row.size} px" if len(row.sizes) == 1 else f"{sizes} px a side"
    stride, start = signed(row.stride), signed(row.start)
    count = len(PRESETS[name])
    assert shared.stage.words.split("\n")[0] == (
        f"Layer {count} of {count}: {units} × {units} units see {seen}, {stride} px apart, the first from {start}."
    )
    for unit in {(0, 0), (units // 2, units - 1), (units // 3, units // 2)}:
        (top, bottom), (left, right) = row.box(*unit)
        said = point(shared, "map", *unit)[1]
        assert said.startswith(f"Unit {unit[0]}, {unit[1]} sees rows {span(top, bottom)}, columns {span(left, right)}:")


@settings(deadline=None, max_examples=40)
@given(
    layers=st.lists(
        st.one_of(
            st.builds(
                Layer, st.just("conv"), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.integers(0, 6)
            ),
            st.builds(lambda k, s: Layer("transposed", k, s), st.integers(1, 5), st.integers(1, 3)),
            st.builds(lambda d: Layer("ASPP", dilation=d), st.integers(1, 3)),
        ),
        min_size=1,
        max_size=4,
    ),
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    data=st.data(),
)
def test_a_view_counts_what_lies_where(shared, layers, place, data):
    state = {"layers": tuple(layers), "layer": 9, "pixels": 32, "heat": "expected", "place": place}
    view = shared.compute(state)
    level = view.levels[-1] if view.levels else None
    if level is None:
        assert view.problem
        assert view.units == 32
        return
    assert view.units == level.units
    unit = tuple(data.draw(st.integers(0, level.units - 1)) for _ in range(2))
    rows, columns = (level.field.axis.endless.at(at) for at in unit)
    if rows[0] > rows[1] or columns[0] > columns[1]:
        assert view.box(unit) is view.reached(unit) is view.cut(unit) is None
        assert view.padded(unit) == (0, 0)
        assert "sees nothing" in shared.words(replace(view, unit=unit, heat=None), shared.draw(view), None)
        return
    assert view.box(unit) == (rows, columns)
    inside = [[at for at in range(32) if first <= at <= last] for first, last in (rows, columns)]
    every = int((rows[1] - rows[0] + 1) * (columns[1] - columns[0] + 1))
    assert view.padded(unit) == (every - len(inside[0]) * len(inside[1]), every)
    assert [view.in_picture[at] for at in unit] == [len(inside[0]), len(inside[1])]
    ends = [level.field.axis.bounded.at(at) for at in unit]
    assert view.reached(unit) == (None if any(first > last for first, last in ends) else tuple(ends))
    pixel = data.draw(st.integers(0, 31))
    fields = [level.field.axis.bounded.at(at) for at in range(level.units)]
    viewers = [at for at, (first, last) in enumerate(fields) if first <= pixel <= last]
    assert view.viewers(pixel) == ((viewers[0], viewers[-1]) if viewers else None)


@settings(deadline=None, max_examples=15)
@given(preset=st.sampled_from([*PRESETS]), place=st.tuples(st.floats(0, 1), st.floats(0, 1)), data=st.data())
def test_the_expected_heat_is_that_of_the_library(shared, preset, place, data):
    chosen = data.draw(st.integers(0, len(PRESETS[preset]) - 1))
    state = {"layers": PRESETS[preset], "layer": chosen, "pixels": 64, "heat": "expected", "place": place}
    view = shared.compute(state)
    levels = stacked(PRESETS[preset], 64)[: chosen + 1]
    unit = tuple(min(int(part * levels[-1].units), levels[-1].units - 1) for part in place)
    assert view.unit == unit
    heat = expected_heat(levels, 64, unit)
    assert np.array_equal(view.heat.heat.numpy(), heat)
    box = tuple(levels[-1].field.axis.endless.at(at) for at in unit)
    assert view.share == EffectiveField(torch.from_numpy(heat), unit, box).inside_half


def test_the_measured_heat_is_the_gradient_of_random_networks(explorer):
    layers = (*PRESETS[NOTES], Layer("transposed", 4, 2, 1, 1))
    before = torch.random.get_rng_state()
    view = explorer.compute({"layers": layers, "layer": 2, "pixels": 32, "heat": "measured", "place": (0.2, 0.8)})
    assert torch.equal(torch.random.get_rng_state(), before)
    images = explorer._images.of(32)
    assert images.shape == (2, 3, 32, 32)
    heats = [gradient_heat(random_network(layers, 32, seed), images, view.unit)[0] for seed in range(4)]
    torch.testing.assert_close(view.heat.heat, torch.stack(heats).mean(0))
    assert f"{100 * view.heat.inside_half:.1f}\xa0%" in explorer.words(view, explorer._scene, None)


def test_random_networks_have_the_weights_of_he():
    """Of variance 2 over the numbers that a unit adds up: for a transposed kernel, the taps that meet the map."""
    layers = (Layer(kernel=5), Layer("transposed", 4, 2, 1, 1))
    networks = [random_network(layers, 32, seed).layers for seed in range(50)]
    for at, numbers in enumerate((3 * 5**2, 4 * 2**2)):
        weights = torch.stack([network[at][0].weight for network in networks])
        assert float(weights.var() * numbers) == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("heat", ["expected", "measured"])
def test_where_no_gradient_arrives_it_says_so(explorer, heat):
    explorer.state = {"layers": (Layer(kernel=1, padding=6),), "pixels": 32, "heat": heat, "place": (0.0, 0.0)}
    assert "No pixel reaches it: it sees padding only." in explorer.stage.words
    assert "No gradient arrives" in explorer.stage.words
    explorer.stage.still()


def grid_of(item):
    return np.frombuffer(item["data"], np.uint8).reshape(item["shape"])


def test_phases_are_told_and_coloured_by_their_size(explorer):
    explorer.state = {"layers": PHASES, "layer": 1, "pixels": 32, "heat": "none"}
    field = stacked(PHASES, 32)[-1].field
    assert field.sizes == (3, 5)
    shades = grid_of(panels_of(explorer.stage)["map"])
    along = [int(last - first + 1) for first, last in (field.axis.endless.at(at) for at in range(len(shades)))]
    areas = np.outer(along, along)
    assert np.array_equal(shades, np.rint(254 * (areas - 9) / (25 - 9)).astype(np.uint8))
    assert "units see 3 or 5 px a side, 2/3 px apart" in explorer.stage.words
    for unit in itertools.product(range(20, 23), range(20, 23)):
        said = point(explorer, "map", *unit)[2]
        assert said == f"Units differ by their phase: this one sees {along[unit[0]]} × {along[unit[1]]} px."
    key = [item["text"] for item in explorer.stage.scene["items"] if item["kind"] == "text"]
    assert {"3 × 3 px", "3 × 5 px", "5 × 5 px"} <= set(key)


def test_where_all_fields_are_alike_the_map_shows_their_share_of_picture(explorer):
    explorer.state = {"layers": PRESETS[NOTES], "layer": 1, "pixels": 5, "heat": "none"}
    share = ((4 / 7) ** 2) * (len(SHADES) - 1)
    assert grid_of(panels_of(explorer.stage)["map"]).tolist() == [[round(share)] * 2] * 2


def test_pixels_that_layers_between_cut_off_are_told(explorer):
    """Unit 0 reads three units of which one is padding, so that its field ends before the theoretical one does."""
    layers = (Layer(kernel=5, stride=4, padding=0), Layer(kernel=2, stride=1, padding=1), Layer(kernel=3, dilation=1))
    explorer.state = {"layers": layers, "layer": 1, "pixels": 32, "heat": "none"}
    view = explorer.compute(explorer._controlled)
    units = [(at, at) for at in range(view.units) if view.reached((at, at)) != view.cut((at, at))]
    assert units
    for unit in units:
        rows, columns = view.reached(unit)
        said = point(explorer, "map", *unit)[2]
        assert said == f"Only rows {span(*rows)}, columns {span(*columns)} reach it: layers between end sooner."


def test_units_between_the_taps_of_a_transposed_layer_see_nothing(explorer):
    explorer.state = {"layers": (Layer("transposed", 1, 3),), "layer": 0, "pixels": 5}
    first, *_ = explorer.stage.words.split("\n")
    assert first == "Layer 1 of 1: 13 × 13 units see 0 or 1 px a side, 1/3 px apart, the first from 0."
    assert point(explorer, "map", 6, 6)[1] == "Unit 6, 6 sees rows 2 to 2, columns 2 to 2: all of it picture."
    assert point(explorer, "map", 6, 7)[1].startswith("Unit 6, 7 sees nothing:")
    shades = grid_of(panels_of(explorer.stage)["map"])
    assert {(row, col) for row, col in np.argwhere(shades)} == set(itertools.product(range(0, 13, 3), repeat=2))


def test_maps_that_outgrow_the_screen_are_not_made(explorer):
    explorer.state = {"layers": (Layer("transposed", 4, 4),) * 14, "layer": 13, "pixels": 128}
    problem, shown, *_ = explorer.stage.words.split("\n")
    assert problem.endswith(
        "layer 3, nn.ConvTranspose2d(C, C, 4, stride=4), makes 8192 × 8192 units, over 2048 a side."
    )
    assert shown.startswith("Layer 2 of 14: 2048 × 2048 units see 1 × 1 px, 1/16 px apart")


def test_a_pixel_pointed_at_tells_the_units_that_see_it(explorer):
    explorer.state = {"layers": PRESETS[NOTES], "layer": 0, "pixels": 5}
    assert point(explorer, "picture", 0, 1)[1] == (
        "Pixel at row 0, column 1: in the field of units in rows 0 to 0, columns 0 to 1: 2."
    )
    explorer.state = {"layers": (Layer(kernel=1, stride=3),)}
    assert point(explorer, "picture", 1, 0)[1] == "Pixel at row 1, column 0: no unit's field holds it."


def test_picking_a_preset_fits_the_picture_and_computes_once(explorer):
    seen, compute = [], explorer.compute
    explorer.compute = lambda state: seen.append(dict(state)) or compute(state)
    explorer.controls["layers"].preset.value = NOTES
    assert [(state["layers"], state["layer"], state["pixels"]) for state in seen] == [(PRESETS[NOTES], 1, 5)]
    explorer.controls["layers"].preset.value = "U-Net"
    assert [(state["layer"], state["pixels"]) for state in seen[1:]] == [(29, 256)]
    explorer.controls["layers"].preset.value = "GoogLeNet"
    assert seen[-1]["pixels"] == 512


@pytest.mark.parametrize("button", ["Add", "Remove", "Up"])
def test_an_edit_computes_once(explorer, button):
    seen, compute = [], explorer.compute
    explorer.compute = lambda state: seen.append(state) or compute(state)
    explorer.controls["layers"].buttons[button].click()
    assert len(seen) == 1
    explorer.controls["layers"].numbers["kernel"].value = 5
    assert len(seen) == 2
    code = explorer.state["layers"][explorer.state["layer"]].code()
    assert code in explorer.stage.words.split("\n")


def test_an_impossible_stack_is_said_and_the_layers_before_it_are_shown(explorer):
    explorer.state = {"pixels": 5}
    with pytest.raises(ValueError, match="nothing left to read") as error:
        stacked(PRESETS["VGG16"], 5)
    problem, first, *_ = explorer.stage.words.split("\n")
    assert problem == f"Impossible: {error.value}."
    assert first.startswith("Layer 9 of 18: 1 × 1 units")
    explorer.state = {"layers": (Layer(kernel=9), *PRESETS[NOTES])}
    problem, first, *_ = explorer.stage.words.split("\n")
    assert problem.startswith("Impossible: layer 1, nn.Conv2d(C, C, 9),")
    assert first == "The image: 5 × 5 units see 1 × 1 px, 1 px apart, the first from 0."
    explorer.stage.still()
    explorer.state = {"layers": (Layer(), Layer("skip"))}
    assert "Impossible: layer 2, a skip, finds no earlier map" in explorer.stage.words


def test_an_unknown_field_is_said(explorer):
    """Units that see padding only, joined with others that do not: along one axis it cannot be told what they see."""
    explorer.state = {"layers": (Layer(kernel=1, padding=3), Layer("ASPP")), "layer": 1, "pixels": 32}
    assert explorer.stage.words.startswith(
        "Impossible: what layer 2 sees is unknown: a join with units that see nothing."
    )
    assert "Layer 1 of 2" in explorer.stage.words


def test_pinning_a_unit_moves_the_heat_and_the_place_stays_when_the_map_changes(explorer):
    explorer.state = {"pinned": {"panel": "map", "row": 1, "col": 6}}
    assert explorer.state["place"] == (1.5 / 8, 6.5 / 8)
    assert "of unit 1, 6's gradient" in explorer.stage.words
    explorer.state = {"layer": 13}
    assert explorer.state["pinned"] is None
    assert "of unit 3, 13's gradient" in explorer.stage.words
    assert "Unit 3, 13 sees" in explorer.stage.words
    explorer.stage.pinned = {"panel": "map", "row": 0, "col": 0}
    assert "of unit 0, 0's gradient" in explorer.stage.words
    explorer.stage.pinned = {"panel": "picture", "row": 5, "col": 5}
    assert "of unit 0, 0's gradient" in explorer.stage.words
    explorer.state = {"layer": 2}
    assert explorer.state["pinned"] == {"panel": "picture", "row": 5, "col": 5}


def test_any_state_can_be_set_again_in_any_order(explorer):
    explorer.state = {"layers": PRESETS["U-Net"], "pixels": 64, "heat": "none"}
    explorer.state = {"layer": 21}
    explorer.state = {"pinned": {"panel": "map", "row": 3, "col": 9}}
    explorer.controls["layers"].numbers["dilation"].value = 2
    explorer.stage.pinned = {"panel": "map", "row": 3, "col": 5}
    state, picture = explorer.state, explorer.stage.scene
    for seed in range(4):
        explorer.state = {"layers": PRESETS[NOTES], "pixels": 32, "pinned": None, "place": (1.0, 1.0)}
        items = list(state.items())
        random.Random(seed).shuffle(items)
        explorer.state = {name: value for name, value in items if name != "pinned"}
        explorer.state = dict(items)
        assert explorer.state == state
        assert explorer.stage.scene == picture
    explorer.reset()
    assert explorer.state == make().state


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"layers": ()}, "layers is"),
        ({"layers": (Layer(kernel=12),)}, "layers is"),
        ({"layer": 48}, "layer is 48"),
        ({"place": (0.5, 1.5)}, "place is"),
        ({"pixels": 7}, "pixels is 7"),
        ({"heat": "hot"}, "heat is 'hot'"),
    ],
)
def test_a_state_that_cannot_be_is_refused(explorer, state, says):
    with pytest.raises(ValueError, match=says):
        explorer.state = state


def test_sweep_visits_everything_and_comes_back(explorer):
    before, seen, compute = explorer.state, [], explorer.compute
    explorer.compute = lambda state: seen.append(dict(state)) or compute(state)
    assert explorer.sweep() is explorer
    assert explorer.state == before
    for name in ("layers", "layer", "pixels", "heat", "place"):
        values = {state[name] for state in seen}
        control = explorer.controls[name]
        wanted = control.sweep_values() if hasattr(control, "sweep_values") else [
            option[1] if isinstance(option, tuple) else option for option in control.options
        ]  # fmt: skip
        assert set(wanted) <= values | {before[name]}


def extent(item):
    """Where a text is drawn, by the still's own letters: left, right, and its line."""
    width = still._font(round(2 * item["size"])).getlength(item["text"]) / 2
    x, y = item["at"]
    left = x - {"left": 0, "center": width / 2, "right": width}[item["align"]]
    return left, left + width, y


STATES = [{"layers": layers, "layer": 47} for layers in PRESETS.values()]
STATES += [{"pixels": 5}, {"pixels": 32, "layer": 2}, {"layers": PHASES, "layer": 1, "pixels": 5}]
STATES += [{"layers": (Layer("transposed", 11, 4),) * 2, "layer": 1, "pixels": 512}]
STATES += [{"layers": (Layer("transposed", 11, 4, 18),) * 14, "layer": 13, "pixels": pixels} for pixels in (5, 32)]


@pytest.mark.parametrize("place", [(0.5, 0.5), (0.0, 1.0)])
@pytest.mark.parametrize("state", STATES)
def test_nothing_is_cut_off_and_no_words_overlap(shared, state, place):
    shared.state = shared._start | state | {"place": place}
    items = [*shared.stage.scene["items"], *shared.stage.marks]
    for item in items:
        x, y, across, down = item.get("box", (0, 0, 0, 0))
        assert -0.01 <= x <= x + across <= WIDTH + 0.01
        assert -0.01 <= y <= y + down <= HEIGHT + 0.01
        for x, y in item.get("points", []):
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
    lines = sorted((extent(item) for item in items if item["kind"] == "text"), key=lambda line: (line[2], line[0]))
    for left, right, y in lines:
        assert left >= 0
        assert right <= WIDTH
        assert 8 <= y <= HEIGHT - 8
    for one, two in itertools.combinations(lines, 2):
        assert abs(one[2] - two[2]) >= 16 or one[1] <= two[0] or two[1] <= one[0], (one, two)
    words = shared.stage.words.split("\n")
    assert len(words) <= shared.lines_of_words
    assert all(len(line) <= 100 for line in words if not line.startswith("Impossible"))


def test_the_box_is_drawn_where_the_field_lies(explorer):
    """On the notes' example a cell of the grid is a pixel, 3 of padding around: the scale can be read off."""
    explorer.state = {"layers": PRESETS[NOTES], "layer": 1, "pixels": 5, "place": (0.0, 0.0), "heat": "none"}
    x, y, side, _ = panels_of(explorer.stage)["picture"]["box"]
    cell = side / 5
    sides = [mark["points"] for mark in explorer.stage.marks if mark["kind"] == "line" and mark["stroke"] == "now"]
    corners = np.array(sides).reshape(-1, 2)
    assert corners.min(0) == pytest.approx([x - 3 * cell, y - 3 * cell])
    assert corners.max(0) == pytest.approx([x + 4 * cell, y + 4 * cell])
    assert len(sides) == 4


def test_a_field_that_leaves_the_frame_says_how_far(explorer):
    explorer.state = {"layers": PRESETS["ResNet-50 and ASPP"], "layer": 18, "pixels": 512}
    marks = {mark["text"] for mark in explorer.stage.marks if mark["kind"] == "text"}
    assert marks == {"← 117 px", "→ 118 px", "↑ 117 px", "↓ 118 px"}  # rows -245 to 757 of 0 to 511, less 128 shown
    assert not [mark for mark in explorer.stage.marks if mark["kind"] == "line"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"preset": "VGG19"}, "preset is 'VGG19', expected one of"),
        ({"images": torch.zeros(3, 8, 8)}, r"images has shape \(3, 8, 8\), expected \(N, 3, H, W\)"),
        ({"images": torch.zeros(0, 3, 8, 8)}, "N of at least 1"),
    ],
)
def test_what_cannot_be_explored_is_refused(options, says):
    images = options.pop("images", torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match=says):
        ReceptiveFieldExplorer(images, DATA.mean, DATA.std, **options)


def test_it_can_open_on_another_preset():
    explorer = make(preset=NOTES)
    assert explorer.state["pixels"] == 5
    assert explorer.stage.words.startswith("Layer 2 of 2: 2 × 2 units see 7 × 7 px, 4 px apart")
