"""Heat maps of counts: order kept, zero apart, numbers where their colours are."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segedu.classroom.explorers.heat import FINEST_GRID, HEAT, TICK, grid_lines, heat, heat_map, legend, outlines, tag


def brightness(colour):
    return colour[:3] @ np.array([0.2126, 0.7152, 0.0722])


def test_the_palette_is_white_then_ever_brighter():
    assert HEAT.shape == (256, 4)
    assert HEAT[0].tolist() == [255] * 4
    shades = [brightness(colour) for colour in HEAT[1:].astype(float)]
    assert all(lower < higher + 1 for lower, higher in pairwise(shades))
    assert shades[-1] > shades[0] + 150
    assert brightness(HEAT[0].astype(float)) > shades[0] + 200


@settings(deadline=None, max_examples=50)
@given(counts=st.lists(st.integers(0, 729), min_size=1, max_size=40), more=st.integers(0, 100))
def test_heat_keeps_the_order_and_only_zero_is_white(counts, more):
    most = max(max(counts), 1) + more
    indices = heat(np.array(counts), most)
    assert indices.dtype == np.uint8
    assert [index == 0 for index in indices] == [count == 0 for count in counts]
    order = np.argsort(counts, kind="stable")
    assert (np.diff(indices[order].astype(int)) >= 0).all()
    assert heat(np.array([1, most]), most).tolist() == [1, 255 if most > 1 else 1]


def test_a_product_of_counts_stands_as_far_up_as_its_factors_together():
    one, two, four, eight = heat(np.array([1, 2, 4, 8]), 64).astype(int)
    assert two - one == pytest.approx(four - two, abs=1)
    assert four - two == pytest.approx(eight - four, abs=1)


@pytest.mark.parametrize("most", [1, 2, 4, 9, 25, 49, 729, 10_000])
def test_the_legend_numbers_stand_at_their_colours_and_apart(most):
    bar, _, *numbers, _, zero = legend((10, 20, 16, 300), most, ": none")
    assert zero["text"] == "0: none"
    x, y, width, height = bar["box"]
    shades = np.frombuffer(bar["data"], np.uint8)
    places = {int(number["text"]): number["at"][1] for number in numbers}
    assert {1, most} <= places.keys()
    assert max(places) == most
    for count, place in places.items():
        row = min(int((place - y) / height * len(shades)), len(shades) - 1)
        assert int(shades[row]) == pytest.approx(int(heat(np.array([count]), most)[0]), abs=2)
    gaps = np.diff(sorted([*places.values(), zero["at"][1]]))
    assert (gaps >= TICK - 1e-9).all()
    assert x + width < numbers[0]["at"][0]


@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_grid_lines_run_only_along_the_edges_of_cells(size):
    box = (5, 7, size * 10, size * 10)
    across, down = grid_lines(box, size, size)
    for points, crosswise in ((across["points"], 0), (down["points"], 1)):
        drawn = set()
        for start, end in pairwise(points):
            along = [axis for axis in (0, 1) if start[axis] != end[axis]]
            assert len(along) == 1
            if along == [1 - crosswise]:
                drawn.add(start[crosswise])
            else:
                assert start[1 - crosswise] in (box[1 - crosswise], box[1 - crosswise] + size * 10)
        assert drawn == {box[crosswise] + 10 * i for i in range(size + 1)}


def test_small_cells_have_no_grid_and_are_filled_instead_of_framed():
    fine, coarse = (heat_map((0, 0), 12 * side, np.ones((12, 12), np.int64), 1, "p") for side in (FINEST_GRID - 1, 20))
    assert [item["kind"] for item in fine] == ["cells", "rectangle"]
    assert [item["kind"] for item in coarse] == ["cells", "line", "line", "rectangle"]
    (filled,) = outlines(fine[0], [(2, 3)])
    assert (filled["fill"], filled["box"]) == ("now", [21, 14, 7, 7])
    (framed,) = outlines(coarse[0], [(2, 3)])
    assert (framed["fill"], framed["stroke"], framed["box"]) == (None, "now", [62, 42, 16, 16])


@pytest.mark.parametrize("size", [1, 3, 9, 33, 49, 65, 73])
def test_a_heat_map_has_whole_pixels_and_fits(size):
    x, y, width, height = heat_map((4, 6), 300, np.ones((size, size), np.int64), 1, "p")[0]["box"]
    assert (x, y, width) == (4, 6, height)
    assert width % size == 0
    assert 300 - size < width <= 300


def test_a_tag_stands_on_the_side_with_room():
    panel = {"box": [0, 0, 100, 100], "shape": [10, 10]}
    left, right = tag(panel, (0, 0), "1"), tag(panel, (9, 9), "1")
    assert (left["align"], right["align"]) == ("left", "right")
    assert left["at"][0] > 10
    assert right["at"][0] < 90
    assert 10 < left["at"][1] < right["at"][1] < 90
