"""The vocabulary of a scene: what it refuses, where a cell lies, how scores become colours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segedu.classroom.explorers import scene
from segedu.classroom.explorers.scene import SIGNED, Scene, cells, picture, signed

BOX = (0, 0, 40, 30)
GREYS = scene.gradient((0, 0, 0), (255, 255, 255), steps=4)


def test_cells_travel_as_they_are_whatever_their_strides():
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4)[::-1, ::2] % 4
    item = cells(BOX, indices, GREYS)
    assert np.array_equal(np.frombuffer(item["data"], np.uint8).reshape(item["shape"]), indices)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: cells(BOX, np.full((2, 2), 4, np.uint8), GREYS), ValueError, "index 4, but the palette has 4"),
        (lambda: cells(BOX, np.zeros((2, 2)), GREYS), TypeError, "float64"),
        (lambda: cells(BOX, np.zeros(4, np.uint8), GREYS), ValueError, r"\(4,\)"),
        (lambda: cells(BOX, np.zeros((2, 2), np.uint8), GREYS[:, :3]), ValueError, r"\(4, 3\)"),
        (lambda: picture(BOX, np.zeros((2, 2), np.uint8)), ValueError, r"\(2, 2\)"),
        (lambda: picture(BOX, np.zeros((2, 2, 3), np.int64)), TypeError, "int64"),
        (lambda: signed(np.zeros(3), 0), ValueError, "limit is 0"),
        (lambda: signed(np.zeros(3), float("nan")), ValueError, "limit is nan"),
    ],
)
def test_a_bad_grid_is_refused_in_one_sentence(make, error, says):
    with pytest.raises(error, match=says):
        make()


@given(rows=st.integers(1, 50), cols=st.integers(1, 50), data=st.data())
def test_the_place_of_a_cell_falls_into_that_cell_again(rows, cols, data):
    shown = Scene(40, 30, [cells(BOX, np.zeros((rows, cols), np.uint8), GREYS, panel="map")])
    row, col = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, cols - 1))
    down, right = shown.place({"panel": "map", "row": row, "col": col})
    assert (int(down * rows), int(right * cols)) == (row, col)


@pytest.mark.parametrize(
    ("panel", "row", "col", "held"),
    [("map", 2, 3, True), ("map", 3, 0, False), ("map", 0, -1, False), ("elsewhere", 0, 0, False)],
)
def test_a_scene_knows_its_cells(panel, row, col, held):
    plain = cells(BOX, np.zeros((9, 9), np.uint8), GREYS)
    shown = Scene(40, 30, [plain, cells(BOX, np.zeros((3, 4), np.uint8), GREYS, panel="map")])
    assert shown.panels == {"map": (3, 4)}
    assert shown.holds({"panel": panel, "row": row, "col": col}) is held


def test_a_gradient_ends_and_turns_at_its_anchors():
    assert SIGNED[0].tolist() == [0, 114, 178, 255]
    assert SIGNED[127].tolist() == [247, 247, 247, 255]
    assert SIGNED[254].tolist() == [213, 94, 0, 255]


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=20), st.floats(0.1, 10))
def test_signed_colours_keep_order_and_mirror_about_zero(values, limit):
    values = np.sort(np.array(values))
    index = signed(values, limit).astype(int)
    assert (np.diff(index) >= 0).all()
    assert np.array_equal(index - 127, 127 - signed(-values, limit).astype(int))
    assert signed(np.array([0.0, limit, -limit, 2 * limit, np.nan]), limit).tolist() == [127, 254, 0, 254, 127]
