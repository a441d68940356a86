"""The gridding explorer counts the paths that a stack of ones counts, and its verdicts are true of every setting."""

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

from segedu.classroom.explorers import GriddingExplorer
from segedu.classroom.explorers.gridding import RATES, routes
from segedu.classroom.explorers.heat import HEAT, heat
from segedu.receptive_field.coverage import gridding, plan


@pytest.fixture
def explorer():
    return GriddingExplorer()


def state_of(*rates):
    return dict(zip(RATES, rates, strict=True))


def paths_of_ones(rates):
    """How often each cell is read, by PyTorch: the gradient of a stack of convolutions whose weights are 1."""
    size = 1 + 2 * sum(rates)
    image = torch.ones(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    out = image
    for rate in rates:
        out = F.conv2d(out, torch.ones(1, 1, 3, 3, dtype=torch.float64), dilation=rate)
    (paths,) = torch.autograd.grad(out.sum(), image)
    return paths[0, 0].long().numpy()


@settings(deadline=None, max_examples=15)
@given(rates=st.tuples(*[st.integers(1, 12)] * 3))
def test_both_fields_show_what_a_stack_of_ones_reads(rates):
    explorer = GriddingExplorer()
    explorer.state = state_of(*rates)
    expected = paths_of_ones(rates), paths_of_ones(plan(1 + 2 * sum(rates)))
    most = max(int(counts.max()) for counts in expected)
    for panel, counts in zip(panels_of(explorer.stage).values(), expected, strict=True):
        assert panel["shape"] == list(counts.shape)
        shown = np.frombuffer(panel["data"], np.uint8).reshape(counts.shape)
        assert np.array_equal(shown, heat(counts, most))
        assert np.array_equal(shown == 0, counts == 0)


def test_the_plan_is_as_large_and_whole(explorer):
    for rates in product((1, 4, 12), repeat=3):
        result = explorer.compute(state_of(*rates))
        assert result.chosen == gridding(rates)
        assert result.planned.size == result.chosen.size
        assert result.planned.coverage == 1


def test_words_say_coverage_and_why_the_rule_passes(explorer):
    coverage, rule, planned, hint = explorer.stage.words.split("\n")
    assert coverage == "Rates 2, 2, 2 see a field of 13 × 13 cells and read 49 of its 169: 29.0\xa0% covered."
    assert rule.endswith("M₂ = 2 ≤ 3, a pass with holes: gcd 2, so all paths end at multiples of 2.")
    assert planned == "plan(13) chooses rates 1, 2, 3: a field as large from 3 layers, every cell read."
    assert hint.startswith("Point at a cell")


@pytest.mark.parametrize(
    ("rates", "says"),
    [
        ((1, 2, 3), "M₂ = 2 ≤ 3, a pass without holes."),
        ((2, 2, 3), "M₂ = 2 ≤ 3, a pass with holes: no rate is 1, so the last cell but one is missed."),
        ((4, 1, 4), "M₂ = 2 ≤ 3, a pass with holes: only this order helps; sorted, M₂ = 4 > 3."),
        ((1, 3, 1), "M₂ = 5 > 3, a fail without holes: order moves no path; sorted, M₂ = 1 ≤ 3."),
        ((1, 2, 9), "M₂ = 5 > 3, a fail with holes."),
        ((2, 4, 8), "M₂ = 4 > 3, a fail with holes: gcd 2, so all paths end at multiples of 2."),
    ],
)
def test_each_verdict_has_its_reason(explorer, rates, says):
    explorer.state = state_of(*rates)
    assert explorer.stage.words.split("\n")[1].endswith(says)


def test_every_verdict_is_true_of_its_rates():
    """What a reason claims, for all 1728 settings, from the offsets that are reached."""
    explorer = GriddingExplorer()
    for rates in product(range(1, 13), repeat=3):
        result = explorer.compute(state_of(*rates))
        rule = explorer.words(result, None, None).split("\n")[1]
        reached = {sum(steps) for steps in product(*((-rate, 0, rate) for rate in rates))}
        missed = set(range(-sum(rates), sum(rates) + 1)) - reached
        assert ("without holes" in rule) == (not missed)
        assert ("with holes" in rule) == bool(missed)
        assert (" a pass " in rule) == result.chosen.hdc_passes
        for divisor in map(int, re.findall(r"multiples of (\d+)", rule)):
            assert divisor > 1
            assert all(offset % divisor == 0 for offset in reached)
        if "last cell but one" in rule:
            assert sum(rates) - 1 in missed
        if "order" in rule:
            (sign,) = re.findall(r"sorted, M₂ = \d+ ([≤>]) 3", rule)
            assert (sign == "≤") == (not missed)


def test_a_cell_is_marked_in_both_fields_with_its_paths(explorer):
    explorer.stage.hovered = {"panel": "chosen", "row": 4, "col": 8}
    words = explorer.stage.words.split("\n")[3]
    assert words == "−2−2+2 = −2 down, −2+2+2 = +2 across: one of 6 × 6 = 36 paths."
    tags = [mark["text"] for mark in explorer.stage.marks if mark["kind"] == "text"]
    assert tags == ["36", str(paths_of_ones((1, 2, 3))[4, 8])]
    frames = [mark["box"] for mark in explorer.stage.marks if mark.get("halo")]
    for frame, panel in zip(frames, panels_of(explorer.stage).values(), strict=True):
        x, y, width, height = panel["box"]
        assert (frame[0] + frame[2] / 2 - x) / width == pytest.approx(8.5 / 13)
        assert (frame[1] + frame[3] / 2 - y) / height == pytest.approx(4.5 / 13)
    explorer.stage.hovered = {"panel": "planned", "row": 0, "col": 6}
    assert explorer.stage.words.endswith("−1−2−3 = −6 down, −1−2+3 = ±0 across: one of 1 × 3 = 3 paths.")
    explorer.stage.hovered = {"panel": "planned", "row": 0, "col": 0}
    assert explorer.stage.words.endswith("−1−2−3 = −6 down, −1−2−3 = −6 across: the only path.")
    explorer.stage.hovered = {"panel": "chosen", "row": 5, "col": 6}
    assert explorer.stage.words.endswith("0 × 7 = 0 paths. No steps, one from each layer, add up to it.")
    explorer.stage.hovered = None
    assert explorer.stage.marks == []


@settings(deadline=None, max_examples=20)
@given(rates=st.lists(st.integers(1, 12), min_size=1, max_size=4))
def test_routes_are_as_many_as_the_paths(rates):
    found = gridding(rates)
    for offset in range(-(found.size // 2), found.size // 2 + 1):
        ways = routes(found, offset)
        assert len(set(ways)) == len(ways) == found.axis_paths[offset + found.size // 2]
        assert all(sum(way) == offset for way in ways)
        assert all(abs(step) in (0, rate) for way in ways for step, rate in zip(way, rates, strict=True))


@pytest.mark.parametrize("rates", [(1, 1, 1), (2, 2, 2), (1, 3, 9), (1, 2, 9), (7, 11, 12), (12, 12, 12)])
def test_bars_stand_under_their_columns_and_holes_are_marked(explorer, rates):
    explorer.state = state_of(*rates)
    found = gridding(rates)
    (x, _, width, _) = panels_of(explorer.stage)["chosen"]["box"]
    bars = [
        item["box"] for item in explorer.stage.scene["items"] if item.get("fill") in ("rest", "now") and "box" in item
    ]
    mine = [bar for bar in bars if bar[0] < x + width]
    foot = max(bar[1] for bar in mine)
    assert [(bar[0] + bar[2] / 2 - x) / width * found.size for bar in mine] == pytest.approx(
        np.arange(found.size) + 0.5
    )
    counts = np.array(found.axis_paths)
    assert [bar[1] == foot for bar in mine] == (counts == 0).tolist() or counts.all()
    heights = np.array([bar[3] for bar in mine])
    scale = heights[counts.argmax()] / counts.max()
    assert heights[counts > 0] == pytest.approx(scale * counts[counts > 0])


@pytest.mark.parametrize("rates", [(1, 1, 1), (1, 3, 9), (6, 12, 12), (12, 12, 12)])
def test_everything_lies_within_the_picture(explorer, rates):
    explorer.state = state_of(*rates)
    size = gridding(rates).size
    for row, col in ((0, 0), (0, size - 1), (size - 1, 0), (size - 1, size - 1)):
        explorer.state = {"pinned": {"panel": "planned", "row": row, "col": col}}
        for item in [*explorer.stage.scene["items"], *explorer.stage.marks]:
            x, y, width, height = item.get("box", (*item.get("at", (0, 0)), 0, 0))
            assert 0 <= x <= x + width <= 840
            assert 0 <= y <= y + height <= explorer.stage.scene["height"]
    explorer.stage.still()


def test_cells_are_square_and_little_travels(explorer):
    for rates in product((1, 5, 12), repeat=3):
        explorer.state = state_of(*rates)
        for panel in panels_of(explorer.stage).values():
            _, _, width, height = panel["box"]
            assert width / panel["shape"][1] == height / panel["shape"][0]
            assert panel["palette"] == HEAT.tobytes()
        items = explorer.stage.scene["items"]
        sizes = [
            len(value) if isinstance(value, bytes) else len(json.dumps(value)) for i in items for value in i.values()
        ]
        assert sum(sizes) < 40_000


def test_sweep_visits_every_rate_and_comes_back(explorer):
    before, seen, compute = explorer.state, [], explorer.compute
    explorer.compute = lambda state: seen.append(dict(state)) or compute(state)
    assert explorer.sweep() is explorer
    for rate in RATES:
        assert {state[rate] for state in seen} == set(range(1, 13))
    assert explorer.state == before == state_of(2, 2, 2) | {"pinned": None}


def test_the_words_keep_to_their_lines():
    explorer = GriddingExplorer()
    for rates in [(1, 1, 1), (2, 2, 2), (12, 12, 12), (4, 1, 4), (1, 12, 12), (10, 11, 12), (1, 3, 9)]:
        explorer.state = state_of(*rates)
        size = gridding(rates).size
        for cell in [None, {"panel": "chosen", "row": 0, "col": size - 1}, {"panel": "planned", "row": 3, "col": 3}]:
            explorer.stage.hovered = cell
            lines = explorer.stage.words.split("\n")
            assert len(lines) == explorer.lines_of_words
            assert max(map(len, lines)) <= 92
