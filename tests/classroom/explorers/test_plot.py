"""A plot's axes put values where they belong, and its curves end where they leave the scale."""

import numpy as np
import pytest

from segedu.classroom.explorers.plot import Axes

LINEAR = Axes((100, 10, 200, 50), (0, 1, 2))
POWERS = Axes((100, 10, 200, 50), (0.01, 1, 100), logarithmic=True)


def test_values_stand_between_the_first_tick_and_the_last():
    assert LINEAR.at(0.5, 1) == (200, 35)
    assert LINEAR.at(0, 0) == (100, 60)
    assert POWERS.at(1, 1) == pytest.approx((300, 35))
    assert POWERS.at(1, 10) == pytest.approx((300, 22.5))
    assert [LINEAR.holds(value) for value in (-0.1, 0, 2, 2.1)] == [False, True, True, False]
    assert [POWERS.holds(value) for value in (0, 0.009, 0.011, 99, 101)] == [False, False, True, True, False]


def test_the_frame_marks_every_tick():
    items = list(LINEAR.frame("abc", "time"))
    marks = {item["text"]: item["at"] for item in items if item["kind"] == "text"}
    assert [marks[mark][1] for mark in "abc"] == [60, 35, 10]
    assert [marks[mark][0] for mark in ("0", "0.5", "1", "time")] == [100, 200, 300, 200]
    with pytest.raises(ValueError, match="shorter"):
        list(LINEAR.frame("ab", "time"))


def test_a_curve_ends_at_the_edge_that_it_crosses():
    across, values = np.array([0, 0.25, 0.5, 0.75, 1]), np.array([4.0, 0.0, 1.0, 1.0, -1.0])
    (drawn,) = LINEAR.curve(across, values, stroke="rest", width=3)
    assert drawn["points"] == [pytest.approx(at) for at in ([125, 10], [150, 60], [200, 35], [250, 35], [275, 60])]
    assert (drawn["stroke"], drawn["width"]) == ("rest", 3)


def test_a_curve_that_comes_back_is_drawn_in_pieces():
    across, values = np.linspace(0, 1, 5), np.array([1.0, 3.0, 1.0, 3.0, 3.0])
    pieces = [item["points"] for item in LINEAR.curve(across, values, stroke="rest", width=1)]
    assert pieces == [
        [pytest.approx(at) for at in piece] for piece in ([[100, 35], [125, 10]], [[175, 10], [200, 35], [225, 10]])
    ]
    assert list(LINEAR.curve(across, values + 5, stroke="rest", width=1)) == []


def test_zero_lies_below_every_power():
    (drawn,) = POWERS.curve(np.array([0.0, 0.5]), np.array([1.0, 0.0]), stroke="rest", width=1)
    assert drawn["points"][0] == [100, 35]
    assert drawn["points"][1][1] == 60
    assert 100 < drawn["points"][1][0] < 110
