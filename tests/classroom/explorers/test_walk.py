"""The slider that walks: one value, shown by a slider and a player, on a path whose end may move."""

import pytest

from segedu.classroom.explorers.controls import CompositeControl, values_of
from segedu.classroom.explorers.walk import Walk


@pytest.fixture
def walk():
    return Walk(5, last=10, longest=20, description="place")


def shown(walk):
    assert (walk.slider.value, walk.slider.max) == (walk.play.value, walk.play.max)
    return walk.slider.value, walk.slider.max


def test_slider_player_and_value_move_together(walk):
    seen = []
    walk.observe(lambda change: seen.append(change.new), "value")
    assert shown(walk) == (5, 10)
    walk.slider.value = 7
    walk.play.value = 8
    walk.value = 9
    assert shown(walk) == (9, 10)
    assert seen == [7, 8, 9]


def test_a_shorter_path_keeps_the_value_for_when_it_is_long_again(walk):
    seen = []
    walk.observe(lambda change: seen.append(change.new), "value")
    walk.reach(3)
    assert (shown(walk), walk.value) == ((3, 3), 5)
    walk.value = 15
    assert shown(walk) == (3, 3)
    walk.reach(20)
    assert shown(walk) == (15, 20)
    walk.reach(3)
    walk.slider.value = 2
    assert (shown(walk), walk.value) == ((2, 3), 2)
    assert seen == [15, 2]


def test_it_is_one_control_of_an_explorer(walk):
    assert isinstance(walk, CompositeControl)
    assert values_of(walk) == list(range(11))
    assert [place for place in (0, 20, -1, 21, 1.0, True, None) if walk.takes(place)] == [0, 20]
