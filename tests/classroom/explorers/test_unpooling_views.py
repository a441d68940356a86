"""The unpooling explorer shows what PyTorch's pooling, unpooling and interpolation make of the same map."""

import json
import re
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from looks import panels_of
from torch.nn import functional as F

from segedu.classroom.explorers import UnpoolingExplorer
from segedu.classroom.explorers.scene import SIGNED
from segedu.classroom.explorers.unpooling_picture import OFFSETS, VALUES

settings_of = st.fixed_dictionaries(
    {
        "pattern": st.sampled_from(["edge", "bar", "blob", "noise only"]),
        "height": st.integers(4, 11),
        "width": st.integers(4, 11),
        "noise": st.integers(0, 10).map(lambda twentieths: twentieths / 20),
        "rounding": st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]),
        "seed": st.integers(0, 9),
        "differences": st.booleans(),
    }
)
WAYS = ("indices", "nearest", "bilinear", "shuffled")


@pytest.fixture(scope="module")
def explorer():
    return UnpoolingExplorer()


@pytest.fixture(autouse=True)
def start(explorer):
    explorer.stage.hovered = None
    explorer.reset()


def shown(panel):
    return np.frombuffer(panel["data"], np.uint8).reshape(panel["shape"])


def windows_of(values):
    """The cells of each window, in reading order, by hand: ``{(row, col): {(row, col) of a cell: value}}``."""
    found = {}
    for cell, value in np.ndenumerate(values):
        found.setdefault((cell[0] // 2, cell[1] // 2), {})[cell] = value
    return found


@settings(deadline=None, max_examples=10)
@given(state=settings_of)
def test_maxima_offsets_and_ties_are_those_of_each_window(explorer, state):
    result = explorer.compute(state)
    assert result.values.shape == (state["height"], state["width"])
    assert result.values.min() >= 0
    cut = ties = 0
    for window, cells in windows_of(result.values).items():
        largest = max(cells.values())
        first = next(cell for cell, value in cells.items() if value == largest)
        assert result.pooled[window] == largest
        assert result.offsets[window] == 2 * (first[0] % 2) + first[1] % 2
        assert result.source(window) == first
        assert result.equals[window] == list(cells.values()).count(largest)
        block = result.window(window)
        assert set(cells) == set(
            product(range(block.row, block.row + block.rows), range(block.col, block.col + block.cols))
        )
        cut += len(cells) < 4
        ties += result.equals[window] > 1
    assert (result.cut, result.ties) == (cut, ties)


@settings(deadline=None, max_examples=10)
@given(state=settings_of)
def test_every_way_back_is_what_pytorch_makes(explorer, state):
    result = explorer.compute(state)
    height, width = result.values.shape
    pooled, indices = F.max_pool2d(torch.tensor(result.values)[None, None], 2, ceil_mode=True, return_indices=True)
    full = F.interpolate(pooled, scale_factor=2, mode="bilinear", align_corners=False)
    expected = {
        "indices": F.max_unpool2d(pooled, indices, 2, output_size=(height, width)),
        "nearest": F.interpolate(pooled, scale_factor=2)[..., :height, :width],
        "bilinear": full[..., :height, :width],
    }
    for way, values in expected.items():
        np.testing.assert_allclose(result.restored[way], values[0, 0], rtol=0, atol=1e-6)
    assert result.kept["int64 indices"] == indices.nbytes == 8 * result.kept["uint8 offsets"]
    assert result.kept["packed, 2 bits"] == pooled.shape[2] * -(-pooled.shape[3] // 4)


@settings(deadline=None, max_examples=10)
@given(state=settings_of)
def test_shuffled_values_stay_in_their_windows(explorer, state):
    result = explorer.compute(state)
    for window, cells in windows_of(result.restored["shuffled"]).items():
        assert sorted(cells.values())[:-1] == [0] * (len(cells) - 1)
        assert max(cells.values()) == result.pooled[window]


def test_shuffling_moves_maxima(explorer):
    result = explorer.compute(explorer.state)
    moved = [result.goes_to("shuffled", window)[:2] != result.source(window) for window in np.ndindex(4, 4)]
    assert sum(moved) > 8


@settings(deadline=None, max_examples=10)
@given(state=settings_of)
def test_a_map_is_the_sum_of_what_its_maxima_give(explorer, state):
    result = explorer.compute(state)
    for way, restored in result.restored.items():
        given = np.einsum("ij,ijyx->yx", result.pooled, result.weights[way])
        np.testing.assert_allclose(given, restored, rtol=0, atol=1e-5)
        for window in np.ndindex(result.pooled.shape):
            block, weights = result.goes_to(way, window), result.weights[way][window]
            inside = weights[block.row : block.row + block.rows, block.col : block.col + block.cols]
            assert (inside > 0).all()
            assert np.count_nonzero(weights) == block.cells
    assert result.goes_to("indices", (1, 0))[:2] == result.source((1, 0))
    assert result.goes_to("nearest", (1, 1)) == result.window((1, 1))


@settings(deadline=None, max_examples=10)
@given(state=settings_of)
def test_errors_split_into_what_is_missing_and_what_was_added(explorer, state):
    result = explorer.compute(state)
    for way, errors in result.errors.items():
        error = np.abs(result.restored[way] - result.values).mean()
        assert errors.total == pytest.approx(float(error), abs=1e-6)
    assert result.errors["indices"].added == 0  # values are never negative, and zeros are all it adds
    assert result.errors["nearest"].missing == 0
    least = min(round(errors.total, 2) for errors in result.errors.values())
    said = explorer.words(result, None, None).split("\n")[1]
    assert said.endswith(f", {least:.2f}.")
    for way in WAYS:
        assert (way in said.split("Least error: ")[1]) == (round(result.errors[way].total, 2) == least)


def test_patterns_without_noise_are_plain(explorer):
    quiet = explorer.state | {"noise": 0.0}
    for pattern, values in {"edge": {0.2, 1}, "bar": {0, 1}, "noise only": {0.6}}.items():
        found = explorer.compute(quiet | {"pattern": pattern}).values
        assert set(np.unique(found)) == {np.float32(value) for value in values}
    assert (explorer.compute(quiet | {"pattern": "bar"}).values.sum(1) == 1).all()  # one cell wide
    blob = explorer.compute(quiet | {"pattern": "blob", "height": 9, "width": 9}).values
    assert blob.argmax() == 40
    assert explorer.compute(quiet | {"pattern": "noise only"}).ties == 16


def test_a_larger_map_holds_the_noise_of_a_smaller_one(explorer):
    state = explorer.state | {"pattern": "noise only", "noise": 0.5}
    small, large = (explorer.compute(state | {"height": size, "width": 11}).values for size in (5, 9))
    assert np.array_equal(small, large[:5])
    assert not np.array_equal(small, explorer.compute(state | {"height": 5, "width": 11, "seed": 1}).values)


def test_rounded_values_are_multiples_and_tie(explorer):
    state = explorer.state | {"noise": 0.3, "height": 11, "width": 11}
    fine, coarse = (explorer.compute(state | {"rounding": step}) for step in (0.0, 0.5))
    assert set(np.unique(coarse.values * 2)) <= set(range(10))
    assert coarse.ties > fine.ties == 0


def test_panels_show_values_or_errors(explorer):
    for differences in (False, True):
        explorer.state = {"differences": differences, "height": 7, "width": 10}
        result = explorer.compute(explorer.state)
        panels = panels_of(explorer.stage)
        assert list(panels) == ["map", "pooled", "offsets", *WAYS]
        for name, values in {"map": result.values, "pooled": result.pooled}.items():
            assert shown(panels[name]).argmax() == values.argmax()
            assert np.array_equal(shown(panels[name]), np.rint(254 * values / result.limit))
        for way in WAYS:
            if differences:
                expected = 127 + np.rint(127 * (result.restored[way] - result.values) / result.limit)
                assert panels[way]["palette"] == SIGNED.tobytes()
            else:
                expected = np.rint(254 * result.restored[way] / result.limit)
                assert panels[way]["palette"] == VALUES.tobytes()
            assert np.array_equal(shown(panels[way]), expected)


def test_offsets_are_blue_where_one_cell_wins_and_grey_in_a_tie(explorer):
    explorer.state = {"pattern": "bar", "noise": 0.0, "height": 9, "width": 8}
    result, panel = explorer.compute(explorer.state), panels_of(explorer.stage)["offsets"]
    assert panel["palette"] == OFFSETS.tobytes()
    for window, cells in windows_of(shown(panel)).items():
        assert [cell for cell, index in cells.items() if index] == [result.source(window)]
        assert max(cells.values()) == (2 if result.equals[window] > 1 else 1)
    digits = [
        item["text"] for item in explorer.stage.scene["items"] if item.get("fill") == "#ffffff" and "text" in item
    ]
    assert digits == [str(offset) for offset in result.offsets.flat]


def test_words_say_sizes_ties_and_errors(explorer):
    sizes, errors, *reading = explorer.stage.words.split("\n")
    assert sizes == "8 × 8 cells, 4 × 4 windows. No two cells tie for a maximum."
    assert re.fullmatch(r"Indices add nothing; their holes miss 0\.\d\d\. Least error: .*", errors)
    assert reading[-1].startswith("Point at a cell")
    explorer.state = {"height": 7, "width": 11, "pattern": "noise only", "noise": 0.0}
    sizes = explorer.stage.words.split("\n")[0]
    assert sizes == "7 × 11 cells, 4 × 6 windows, 9 cut off. 23 tie (grey): their first cell wins."


def test_words_follow_a_maximum(explorer):
    explorer.state = {"pattern": "bar", "noise": 0.0, "height": 7, "width": 9}
    result = explorer.compute(explorer.state)
    row, col = source = tuple(int(at) for at in np.argwhere(result.values[2:4] == 1)[0] + (2, 0))
    window = (row // 2, col // 2)
    explorer.stage.hovered = {"panel": "nearest", "row": row, "col": col}
    values, maximum, goes = explorer.stage.words.split("\n")[2:]
    assert values.startswith(f"Row {row}, column {col}: 1.00; indices 1.00, nearest 1.00, bilinear ")
    offset, equals = result.offsets[window], result.equals[window]
    first = f", first of {equals} equal" if equals > 1 else ""
    assert maximum == (
        f"Maximum of its window: 1.00 at {source}, offset {offset} = 2·{offset // 2} + {offset % 2}{first}."
    )
    assert goes.startswith(f"It goes to: indices {source}, nearest 4 cells, bilinear 16 cells, shuffled (")
    explorer.stage.hovered = {"panel": "pooled", "row": window[0], "col": window[1]}
    assert explorer.stage.words.split("\n")[2:] == [values, maximum, goes]  # the cell that the maximum came from
    explorer.stage.hovered = {"panel": "map", "row": 6, "col": 8}
    assert explorer.stage.words.split("\n")[3].startswith("Maximum of its window of 1: 0.00 at (6, 8), offset 0")
    assert "indices (6, 8), nearest (6, 8), bilinear 4 cells, shuffled (6, 8)." in explorer.stage.words


@settings(deadline=None, max_examples=6)
@given(state=settings_of, data=st.data())
def test_marks_frame_where_a_maximum_came_from_and_goes(explorer, state, data):
    explorer.state = state
    result, panels = explorer.compute(state), panels_of(explorer.stage)
    cell = data.draw(st.tuples(st.integers(0, state["height"] - 1), st.integers(0, state["width"] - 1)))
    explorer.stage.hovered = {"panel": "bilinear", "row": cell[0], "col": cell[1]}
    window = (cell[0] // 2, cell[1] // 2)
    frames = [mark["box"] for mark in explorer.stage.marks if mark["kind"] == "rectangle"]
    rings = [mark["at"] for mark in explorer.stage.marks if mark["kind"] == "ring"]
    numbers = [mark["text"] for mark in explorer.stage.marks if mark["kind"] == "text"]
    blocks = [("map", result.window(window)), ("map", (*result.source(window), 1, 1)), ("pooled", (*window, 1, 1))]
    blocks += [("offsets", result.window(window)), *((way, result.goes_to(way, window)) for way in WAYS)]
    for frame, (name, (row, col, rows, cols)) in zip(frames, blocks, strict=True):
        x, y, width, _ = panels[name]["box"]
        step = width / panels[name]["shape"][1]
        assert frame == pytest.approx([x + step * col, y + step * row, step * cols, step * rows])
    for ring, name in zip(rings[1::2], ("map", *WAYS), strict=True):
        x, y, width, _ = panels[name]["box"]
        step = width / state["width"]
        assert ring == pytest.approx([x + step * (cell[1] + 0.5), y + step * (cell[0] + 0.5)])
    said = [float(number.replace("−", "-")) for number in numbers]
    back = [result.restored[way][cell] - result.values[cell] * state["differences"] for way in WAYS]
    assert said == pytest.approx([result.values[cell], result.pooled[window], *back], abs=0.0051)
    assert "−0.00" not in numbers


@pytest.mark.parametrize(("height", "width"), [(4, 4), (4, 11), (11, 5), (11, 11)])
def test_everything_lies_within_the_picture_and_little_travels(explorer, height, width):
    explorer.state = {"height": height, "width": width, "differences": True}
    explorer.state = {"pinned": {"panel": "shuffled", "row": height - 1, "col": width - 1}}
    items = [*explorer.stage.scene["items"], *explorer.stage.marks]
    for item in items:
        for x, y in item.get("points", [item.get("at", (0, 0))]):
            assert 0 <= x <= 840
            assert 0 <= y <= explorer.stage.scene["height"]
        x, y, across, down = item.get("box", (0, 0, 0, 0))
        assert 0 <= x <= x + across <= 840
        assert 0 <= y <= y + down <= explorer.stage.scene["height"]
    for panel in panels_of(explorer.stage).values():
        _, _, across, down = panel["box"]
        assert across / panel["shape"][1] == down / panel["shape"][0]
    sizes = [len(value) if isinstance(value, bytes) else len(json.dumps(value)) for i in items for value in i.values()]
    assert sum(sizes) < 40_000


def test_sweep_visits_every_value_and_comes_back():
    explorer = UnpoolingExplorer()
    before, seen, compute = explorer.state, [], explorer.compute
    explorer.compute = lambda state: seen.append(dict(state)) or compute(state)
    assert explorer.sweep() is explorer
    assert {state["height"] for state in seen} == {state["width"] for state in seen} == set(range(4, 12))
    assert {state["pattern"] for state in seen} == {"edge", "bar", "blob", "noise only"}
    assert {state["rounding"] for state in seen} == {0.0, 0.1, 0.25, 0.5, 1.0}
    assert {state["noise"] for state in seen} == {twentieths / 20 for twentieths in range(11)}
    assert {state["differences"] for state in seen} == {False, True}
    assert explorer.state == before


@settings(deadline=None, max_examples=20)
@given(state=settings_of, data=st.data())
def test_the_words_keep_to_their_lines(explorer, state, data):
    result = explorer.compute(state)
    row = data.draw(st.integers(0, state["height"] - 1))
    col = data.draw(st.integers(0, state["width"] - 1))
    for cell in (None, {"panel": "map", "row": row, "col": col}):
        lines = explorer.words(result, None, cell).split("\n")
        assert len(lines) == explorer.lines_of_words
        assert max(map(len, lines)) <= 88
