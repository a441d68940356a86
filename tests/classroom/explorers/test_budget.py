"""The budget explorer ranks what fits, says what the seeds can tell, and points at the network under the hand."""

from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from looks import panels_of

from segedu.classroom.exercises.pareto_front import pareto_front
from segedu.classroom.explorers import Budget
from segedu.classroom.explorers.budget_labels import placed
from segedu.classroom.explorers.budget_picture import BOX, LIST, PLOT, Places, ticks
from segedu.classroom.explorers.budget_ranking import COSTS, Entrant, front, told_apart
from segedu.classroom.explorers.budget_words import figure

ENTRANTS = [
    Entrant("Cheap", "C", 100_000, 200_000_000, 8 << 20, 40.0),
    Entrant("Middle", "M", 150_000, 300_000_000, 8 << 20, 90.0),
    Entrant("Beaten", "B", 200_000, 310_000_000, 16 << 20, 60.0),
    Entrant("Dear", "D", 250_000, 900_000_000, 32 << 20, 120.0),
]
MEAN_IOU = {"Cheap": (20, 21, 22), "Middle": (29, 30, 31), "Beaten": (25, 26, 30), "Dear": (30.5, 33, 35)}
SCORES = {
    "streets": {
        name: [{"mean_iou": value, "boundary_f1": 60 - value, "Pole": 0.0, "Car": float("nan")} for value in values]
        for name, values in MEAN_IOU.items()
    },
    "camvid": {
        name: [{"mean_iou": 40 - value, "boundary_f1": value, "Pole": 0.0, "Car": 1.0} for value in values]
        for name, values in MEAN_IOU.items()
    },
}
STATES = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["streets", "camvid"]),
        "score": st.sampled_from(["mean_iou", "boundary_f1", "Pole"]),
        "cost": st.sampled_from([*COSTS]),
        "macs": st.floats(0, 900),
        "memory": st.floats(0, 32),
        "time": st.floats(0, 120),
    }
)


@pytest.fixture(scope="module")
def explorer():
    return Budget(ENTRANTS, SCORES)


@pytest.fixture(autouse=True)
def start(explorer):
    explorer.stage.hovered = None
    explorer.reset()


def pin(row):
    return {"pinned": {"panel": LIST, "row": row, "col": 0}}


@settings(deadline=None, max_examples=15)
@given(state=STATES)
def test_the_winner_is_the_best_that_fits(explorer, state):
    ranking = explorer.compute(explorer.state | state)
    affordable = [
        place
        for place, net in enumerate(ENTRANTS)
        if all(COSTS[name].of(net) <= state[name] for name in ("macs", "memory", "time"))
    ]
    assert sorted(ranking.fitting) == affordable
    means = [mean(run[state["score"]] for run in SCORES[state["source"]][net.name]) for net in ENTRANTS]
    assert ranking.means == means
    if ranking.winner is None:
        assert not any(means[place] for place in affordable)
    else:
        assert means[ranking.winner] == max(means[place] for place in affordable)
    costs = [COSTS[state["cost"]].of(net) for net in ENTRANTS]
    chosen = [[values[place] for place in affordable] for values in (costs, means)]
    on = pareto_front.solution(*chosen)
    assert sorted(ranking.front) == [place for place, stays in zip(affordable, on, strict=True) if stays]
    assert all(ranking.beaten_by(place) is None for place in ranking.front)


def test_equals_stay_side_by_side():
    assert front([1, 1, 2], [5, 5, 5]) == [True, True, False]


def test_seeds_tell_apart_what_does_not_overlap():
    assert told_apart([1, 2, 3], [4, 5, 6])
    assert told_apart([4, 5, 6], [1, 2, 3])
    assert not told_apart([1, 2, 4], [4, 5, 6])


def test_words_say_who_wins_and_what_the_seeds_can_tell(explorer):
    said = explorer.stage.words
    assert said.startswith("No limit is set: all 4 networks fit.\nDear wins with mean IoU 32.8 %, 2.8 above Middle")
    assert "Their seeds overlap: call it a tie." in said
    assert "On the front of mean IoU and multiply-adds: C, M and D." in said
    explorer.state = {"memory": 10.0}
    said = explorer.stage.words
    assert "At most 10 MiB: 2 of 4 fit." in said
    assert "Middle wins with mean IoU 30.0 %, 9.0 above Cheap. Its worst seed is above the other's best." in said
    explorer.state = {"time": 50.0}
    assert "At most 10 MiB, 50 ms: 1 of 4 fit.\nCheap wins with mean IoU 21.0 %: no other fits." in (
        explorer.stage.words
    )
    explorer.state = {"time": 0.0}
    assert "Nobody can win: raise a limit." in explorer.stage.words
    explorer.reset()
    explorer.state = {"score": "Pole"}
    assert "Nobody wins: each network that fits has IoU of Pole 0." in explorer.stage.words
    assert "the cheapest is as good as any" in explorer.stage.words


@pytest.mark.parametrize(
    ("row", "limits", "words"),
    [
        (3, {}, "Dear: 32.8 % (seeds 30.5, 33.0, 35.0). The winner."),
        (0, {}, "On the front: who scores more costs more."),
        (2, {}, "Beaten by M, which costs no more."),
        (3, {"macs": 400.0, "time": 100.0}, "Over the limit: multiply-adds and time."),
    ],
)
def test_a_pinned_network_tells_its_figures(explorer, row, limits, words):
    explorer.state = limits | pin(row)
    assert words in explorer.stage.words
    net = ENTRANTS[row]
    assert f"{net.milliseconds:g} ms." in explorer.stage.words
    ring, frame = explorer.stage.marks
    assert BOX[0] <= ring["at"][0] <= BOX[0] + BOX[2]
    (_, y, _, height), rows = panels_of(explorer.stage)[LIST]["box"], len(ENTRANTS)
    assert y + row * height / rows <= frame["box"][1] < y + (row + 1) * height / rows


def test_a_place_in_the_plot_is_the_nearest_network_s(explorer):
    result = explorer.compute(explorer.state)
    places = Places(result)
    left, top, width, height = BOX
    rows, cols = panels_of(explorer.stage)[PLOT]["shape"]
    for net, cost, score in zip(ENTRANTS, result.prices, result.means, strict=True):
        x, y = places.at(cost, score)
        cell = {"row": int((y - top) / height * rows), "col": int((x - left) / width * cols)}
        explorer.state = {"pinned": {"panel": PLOT} | cell}
        assert explorer.stage.words.splitlines()[3].startswith(f"{net.name}: ")


def test_a_pinned_line_of_the_list_stays_and_a_place_in_the_plot_goes(explorer):
    for panel, stays in ((LIST, True), (PLOT, False)):
        explorer.state = {"pinned": {"panel": panel, "row": 1, "col": 0}}
        explorer.controls["macs"].value = 800.0
        assert explorer.stage.pinned is not None
        explorer.controls["cost"].value = "time"
        assert (explorer.stage.pinned is not None) == stays
        explorer.reset()


def test_scores_that_are_no_number_are_not_offered(explorer):
    assert [name for _, name in explorer.controls["score"].options] == ["mean_iou", "boundary_f1", "Pole"]


def test_sliders_open_where_they_limit_nobody(explorer):
    for name, cost in COSTS.items():
        slider = explorer.controls[name]
        assert slider.value == slider.max >= max(cost.of(net) for net in ENTRANTS)
        assert 30 <= slider.max / slider.step <= 81
    assert not explorer.compute(explorer.state).limits


def test_a_sweep_ends_where_it_began(explorer):
    before = explorer.state
    small = Budget(ENTRANTS[:2], {"streets": {name: SCORES["streets"][name] for name in ("Cheap", "Middle")}})
    start = small.state
    assert small.sweep().state == start
    assert explorer.state == before


@settings(deadline=None, max_examples=15)
@given(low=st.floats(-50, 50), span=st.floats(0.5, 2000))
def test_ticks_are_round_and_hold_the_range(low, span):
    found = ticks(low, low + span)
    assert found[0] <= low + 1e-6
    assert found[-1] >= low + span - 1e-6
    assert 2 <= len(found) <= 9
    steps = {round(b - a, 6) for a, b in pairwise(found)}
    assert len(steps) == 1
    assert f"{steps.pop():e}"[0] in "125"


@settings(deadline=None, max_examples=15)
@given(points=st.lists(st.tuples(st.floats(60, 470), st.floats(60, 340)), min_size=1, max_size=9))
def test_names_stay_in_the_plot(points):
    names = tuple(f"net {count}" for count in range(len(points)))
    left, top, width, height = BOX
    for x, y in placed(names, tuple(points), (), BOX):
        assert left <= x <= left + width
        assert top <= y <= top + height


def test_names_do_not_cover_one_another():
    points = tuple((100.0 + 3 * count, 100.0) for count in range(5))
    at = placed(("one", "two", "six", "ten", "net"), points, tuple((x - 5, y - 5, 10, 10) for x, y in points), BOX)
    for count, (x, y) in enumerate(at):
        assert all(abs(x - a) >= 27 or abs(y - b) >= 18 for a, b in at[:count])


@pytest.mark.parametrize(("value", "shown"), [(0.4216, "0.422"), (9.31, "9.31"), (58.12, "58.1"), (1152.7, "1153")])
def test_figures_have_three_digits(value, shown):
    assert figure(value) == shown


@pytest.mark.parametrize(
    ("entrants", "scores", "words"),
    [
        ([], SCORES, "there are 0 entrants"),
        (ENTRANTS, {}, "scores on 0 data sets"),
        (ENTRANTS[:3], SCORES, "but the entrants are Cheap, Middle, Beaten"),
        (ENTRANTS[:1], {"streets": {"Cheap": SCORES["streets"]["Cheap"][:1]}}, "of 1 seed"),
    ],
)
def test_misfits_are_refused(entrants, scores, words):
    with pytest.raises(ValueError, match=words):
        Budget(entrants, scores)
