"""The dilation explorer shows what PyTorch's dilated convolution reads, for every rate, kernel, stride and map."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from looks import panels_of
from torch import nn
from torch.nn import functional as F

from segedu.classroom.explorers import DilationExplorer
from segedu.classroom.explorers.heat import HEAT, heat

settings_of = st.fixed_dictionaries(
    {
        "rate": st.integers(1, 24),
        "kernel": st.sampled_from([3, 5]),
        "stride": st.integers(1, 4),
        "size": st.integers(9, 65),
        "column": st.integers(0, 64),
    }
)


@pytest.fixture
def explorer():
    return DilationExplorer()


@pytest.fixture(scope="module")
def shared():
    return DilationExplorer()


def layer(state):
    """The layer that the words tell the reader to copy, made of ones."""
    kernel, rate = state["kernel"], state["rate"]
    made = nn.Conv2d(1, 1, kernel, stride=state["stride"], padding=rate * (kernel - 1) // 2, dilation=rate, bias=False)
    nn.init.ones_(made.weight)
    return made.double().requires_grad_(False)


def by_pytorch(state):
    """Taps on the map of each output unit, and output units of each input cell: a sum of ones and its gradient."""
    image = torch.ones(1, 1, state["size"], state["size"], dtype=torch.float64, requires_grad=True)
    taps = layer(state)(image)
    (readers,) = torch.autograd.grad(taps.sum(), image)
    return taps[0, 0].detach().long().numpy(), readers[0, 0].long().numpy()


def marked(explorer, panel):
    """The cells of a panel that a mark fills or frames alone, ``(row, col)`` each."""
    (x, y, width, height), (rows, cols) = (panels_of(explorer.stage)[panel][key] for key in ("box", "shape"))
    found = set()
    for mark in explorer.stage.marks:
        left, top, across, down = mark["box"]
        centre = (top + down / 2 - y) / height * rows, (left + across / 2 - x) / width * cols
        alone = across <= width / cols and down <= height / rows and 0 <= centre[1] < cols
        if alone and (mark["fill"] == "now" or mark["width"] == 2):
            assert centre[0] % 1 == pytest.approx(0.5)
            assert centre[1] % 1 == pytest.approx(0.5)
            found.add((int(centre[0]), int(centre[1])))
    return found


@settings(deadline=None, max_examples=40)
@given(state=settings_of)
def test_both_maps_show_what_pytorch_counts(shared, state):
    shared.state = state
    taps, readers = by_pytorch(state)
    for panel, counts in (("output", taps), ("input", readers)):
        item = panels_of(shared.stage)[panel]
        assert item["shape"] == list(counts.shape)
        assert np.array_equal(
            np.frombuffer(item["data"], np.uint8).reshape(counts.shape), heat(counts, state["kernel"] ** 2)
        )


@settings(deadline=None, max_examples=40)
@given(state=settings_of)
def test_shares_are_those_of_the_counts(shared, state):
    reads = shared.compute(state)
    taps, readers = by_pytorch(state)
    every = state["kernel"] ** 2
    assert reads.share_on_map == pytest.approx(taps.mean() / every)
    assert reads.share_whole == pytest.approx((taps == every).mean())
    assert reads.unread == (readers == 0).sum()
    assert (reads.rate >= reads.size) == bool((taps == 1).all())


@pytest.mark.parametrize("rate", [1, 6, 12, 24, 32, 33, 40])
def test_without_stride_the_share_is_what_a_hand_counts(shared, rate):
    """Along one axis the centre tap of 33 units is always on the map, and each of the two others 33 - rate times."""
    reads = shared.compute({"rate": rate, "kernel": 3, "stride": 1, "size": 33, "column": 0})
    assert reads.share_on_map == pytest.approx(((33 + 2 * max(0, 33 - rate)) / 99) ** 2)


@settings(deadline=None, max_examples=20)
@given(state=settings_of, data=st.data())
def test_a_unit_pointed_at_frames_the_cells_whose_change_it_feels(shared, state, data):
    shared.state = state | {"pinned": None}
    units = shared.compute(state).units
    row, col = data.draw(st.integers(0, units - 1)), data.draw(st.integers(0, units - 1))
    shared.stage.hovered = {"panel": "output", "row": row, "col": col}
    image = torch.ones(1, 1, state["size"], state["size"], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(state)(image)[0, 0, row, col], image)
    taps = {tuple(place) for place in gradient[0, 0].nonzero().tolist()}
    assert marked(shared, "input") == taps
    assert marked(shared, "output") == {(row, col)}
    every = state["kernel"] ** 2
    assert shared.stage.words.split("\n")[2] == (
        f"Output unit at row {row}, column {col}: {len(taps)} of {every} taps on the map, "
        f"{every - len(taps)} in padding."
    )
    shared.stage.hovered = None


@settings(deadline=None, max_examples=20)
@given(state=settings_of, data=st.data())
def test_a_cell_pointed_at_frames_the_units_that_feel_it(shared, state, data):
    shared.state = state | {"pinned": None}
    row, col = data.draw(st.integers(0, state["size"] - 1)), data.draw(st.integers(0, state["size"] - 1))
    shared.stage.hovered = {"panel": "input", "row": row, "col": col}
    impulse = torch.zeros(1, 1, state["size"], state["size"], dtype=torch.float64)
    impulse[0, 0, row, col] = 1
    units = {tuple(place) for place in layer(state)(impulse)[0, 0].nonzero().tolist()}
    assert marked(shared, "output") == units
    assert marked(shared, "input") == {(row, col)}
    words = shared.stage.words.split("\n")[2]
    assert words.endswith(f"= {len(units)} output units read it." if units else "no output unit reads it.")
    shared.stage.hovered = None


def test_with_nothing_pointed_at_the_kernel_stands_at_the_column(explorer):
    assert marked(explorer, "output") == {(16, 16)}
    assert marked(explorer, "input") == {(row, col) for row in (10, 16, 22) for col in (10, 16, 22)}
    explorer.state = {"column": 2}
    assert marked(explorer, "input") == {(row, col) for row in (10, 16, 22) for col in (2, 8)}
    assert "row 16, column 2: 6 of 9 taps on the map, 3 in padding." in explorer.stage.words


def test_walking_lets_a_pinned_cell_go_and_computes_once_a_step(explorer):
    explorer.state = {"pinned": {"panel": "input", "row": 0, "col": 0}}
    seen, compute = [], explorer.compute
    explorer.compute = lambda state: seen.append(state["column"]) or compute(state)
    play = explorer.controls["column"].play
    for column in range(33):
        play.value = column
    assert seen == [*range(33)]
    assert explorer.state["pinned"] is None
    assert explorer.state["column"] == explorer.controls["column"].slider.value == 32
    assert marked(explorer, "output") == {(16, 32)}
    explorer.state = {"column": 5, "pinned": {"panel": "output", "row": 1, "col": 1}}
    assert marked(explorer, "output") == {(1, 1)}


def test_a_smaller_map_ends_the_walk_sooner_and_any_state_can_be_set_again(explorer):
    explorer.state = {"size": 65}
    explorer.state = {"column": 60}
    large = explorer.state
    explorer.state = {"size": 9, "stride": 2}
    assert explorer.controls["column"].slider.max == explorer.controls["column"].play.max == 4
    assert explorer.controls["column"].slider.value == 4
    assert marked(explorer, "output") == {(2, 4)}
    small = explorer.state
    for state in (large, small, dict(reversed(large.items()))):
        explorer.state = state
        assert explorer.state == state
    assert marked(explorer, "output") == {(32, 60)}
    explorer.controls["column"].play.playing = True
    explorer.reset()
    assert not explorer.controls["column"].play.playing
    assert explorer.state == DilationExplorer().state
    with pytest.raises(ValueError, match="column is 65"):
        explorer.state = {"column": 65}


def test_a_step_on_its_way_while_the_walk_is_stopped_does_not_count(explorer):
    """The player in the page takes steps of its own; the last may arrive after a reset."""
    play = explorer.controls["column"].play
    play.playing = True
    play.value = 20
    assert explorer.state["column"] == 20
    explorer.reset()
    play.value = 21
    assert explorer.state["column"] == play.value == explorer.controls["column"].slider.value == 16
    play.value = 0  # the player's own stop button goes back to the start
    assert explorer.state["column"] == 0
    play.playing = True
    play.value = 1
    assert explorer.state["column"] == explorer.controls["column"].slider.value == 1
    play.playing = False  # its pause button: nothing is on its way
    play.value = 2
    assert explorer.state["column"] == 2


def test_words_tell_span_padding_shares_and_code(explorer):
    assert explorer.stage.words.split("\n") == [
        "Rate 6: 1 + 2·6 = 13 cells wide. Padding 6 keeps 33 × 33.",
        "77.2\xa0% of taps are on the map; 40.5\xa0% of units see all 9.",
        "Output unit at row 16, column 16: 9 of 9 taps on the map, 0 in padding.",
        "nn.Conv2d(C, K, 3, stride=1, padding=6, dilation=6)",
    ]
    explorer.state = {"stride": 2, "rate": 2}
    kernel, shares, *_ = explorer.stage.words.split("\n")
    assert kernel.endswith(" Padding 2 keeps 33 × 33, stride 2 leaves 17 × 17.")
    assert shares.endswith(f"; {33**2 - 17**2} cells are unread.")
    explorer.reset()
    explorer.state = {"rate": 17}
    assert "; no unit sees all 9." in explorer.stage.words
    explorer.state = {"rate": 9, "size": 9}
    assert "11.1\xa0% of taps are on the map: the centres, a 1 × 1 convolution." in explorer.stage.words


@settings(deadline=None, max_examples=25)
@given(state=settings_of)
def test_the_code_is_a_layer_that_keeps_the_size_but_for_its_stride(shared, state):
    shared.state = state
    first, *_, code = shared.stage.words.split("\n")
    made = eval(code, {"nn": nn, "C": 2, "K": 3})
    assert (made.kernel_size[0], made.stride[0], made.dilation[0]) == (state["kernel"], state["stride"], state["rate"])
    units = made(torch.zeros(1, 2, state["size"], state["size"])).shape[-1]
    assert first.endswith(f" {units} × {units}.")
    span, padding = map(int, re.findall(r"= (\d+) cells wide\. Padding (\d+) keeps", first)[0])
    same = F.conv2d(torch.zeros(1, 2, 99, 99), made.weight, padding=padding, dilation=made.dilation)
    assert same.shape[-1] == 99
    assert F.conv2d(torch.zeros(1, 2, span, span), made.weight, dilation=made.dilation).shape[-1] == 1


def test_beyond_the_map_a_dilated_kernel_is_its_centre_tap(shared):
    weight, image = torch.randn(4, 3, 3, 3, dtype=torch.float64), torch.randn(1, 3, 9, 9, dtype=torch.float64)
    reads = shared.compute({"rate": 9, "kernel": 3, "stride": 1, "size": 9, "column": 0})
    assert reads.taps_on_map.tolist() == [1] * 9
    dilated = F.conv2d(image, weight, padding=reads.padding, dilation=reads.rate)
    torch.testing.assert_close(dilated, F.conv2d(image, weight[..., 1:2, 1:2]))


@pytest.mark.parametrize("state", [{"size": 9, "rate": 1}, {"size": 65, "kernel": 5}, {"size": 64, "stride": 4}, {}])
def test_everything_lies_within_the_picture_in_square_cells(explorer, state):
    explorer.state = state
    for panel, (rows, cols) in {name: item["shape"] for name, item in panels_of(explorer.stage).items()}.items():
        _, _, width, height = panels_of(explorer.stage)[panel]["box"]
        assert width / cols == height / rows
        assert panels_of(explorer.stage)[panel]["palette"] == HEAT.tobytes()
        for row, col in ((0, 0), (rows - 1, cols - 1)):
            explorer.state = {"pinned": {"panel": panel, "row": row, "col": col}}
            for item in [*explorer.stage.scene["items"], *explorer.stage.marks]:
                x, y, across, down = item.get("box", (*item.get("at", (0, 0)), 0, 0))
                assert 0 <= x <= x + across <= 840
                assert 0 <= y <= y + down <= explorer.stage.scene["height"]
    explorer.stage.still()


def test_sweep_visits_every_setting_and_comes_back(explorer):
    before, seen, compute = explorer.state, [], explorer.compute
    explorer.compute = lambda state: seen.append(dict(state)) or compute(state)
    assert explorer.sweep() is explorer
    expected = {
        "rate": range(1, 25),
        "column": range(33),
        "kernel": (3, 5),
        "stride": range(1, 5),
        "size": range(9, 66),
    }
    assert {name: {state[name] for state in seen} for name in expected} == {
        name: set(values) for name, values in expected.items()
    }
    assert explorer.state == before


@settings(deadline=None, max_examples=40)
@given(state=settings_of, panel=st.sampled_from([None, "input", "output"]))
def test_the_words_keep_to_their_lines(shared, state, panel):
    shared.state = state | {"pinned": None}
    shared.stage.hovered = panel and {"panel": panel, "row": 1, "col": 2}
    lines = shared.stage.words.split("\n")
    shared.stage.hovered = None
    assert len(lines) == shared.lines_of_words
    assert max(map(len, lines)) <= 92
