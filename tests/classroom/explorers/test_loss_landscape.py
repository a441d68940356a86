"""The loss landscape shows what the losses of the library, called one by one, and their closed forms say."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from looks import panels_of

from segedu.classroom.explorers import LossLandscape
from segedu.classroom.explorers.loss_landscape_curves import GRID
from segedu.classroom.explorers.loss_landscape_picture import LINES, figure, is_object
from segedu.losses.lovasz import lovasz_loss
from segedu.losses.regions import dice_loss, jaccard_loss, tversky_loss

settings_of = st.fixed_dictionaries(
    {
        "p": st.integers(1, 49).map(lambda place: place / 50),
        "objects": st.integers(1, 50),
        "false_alarm": st.integers(0, 25).map(lambda place: place / 50),
        "gamma": st.integers(0, 20).map(lambda place: place / 4),
        "alpha": st.integers(1, 20).map(lambda place: place / 20),
        "tversky_alpha": st.integers(0, 20).map(lambda place: place / 20),
        "pulls": st.booleans(),
    }
)


@pytest.fixture(scope="module")
def explorer():
    return LossLandscape()


@pytest.fixture(autouse=True)
def start(explorer):
    explorer.stage.hovered = None
    explorer.reset()


def scene_of(state, p):
    """Logits ``(1, 2, 1, 100)`` and labels, every probability on the logit of the object."""
    given = np.full(100, max(state["false_alarm"], 1e-9))
    given[: state["objects"]] = p
    logit = torch.tensor(np.log(given / (1 - given)))
    logits = torch.stack([torch.zeros(100, dtype=torch.float64), logit])[None, :, None].requires_grad_()
    return logits, (torch.arange(100) < state["objects"]).long()[None, None]


@settings(deadline=None, max_examples=20)
@given(state=settings_of)
def test_losses_of_a_pixel_have_their_closed_forms(explorer, state):
    curves = explorer.compute(state).curves["pixel"]
    weight, gamma = 50 / state["objects"], state["gamma"]
    nats, short = -np.log(GRID), 1 - GRID
    expected = {
        "cross entropy": (nats, short),
        "weighted CE": (weight * nats, weight * short),
        "focal": (
            state["alpha"] * short**gamma * nats,
            state["alpha"] * short**gamma * (gamma * GRID * nats + short),
        ),
    }
    assert list(curves) == list(expected)
    for name, (value, pull) in expected.items():
        np.testing.assert_allclose(curves[name].value, value, rtol=1e-6)
        np.testing.assert_allclose(curves[name].pull, pull, rtol=1e-6)


@settings(deadline=None, max_examples=20)
@given(state=settings_of)
def test_losses_of_the_object_are_the_library_s_own(explorer, state):
    curves, alpha = explorer.compute(state).curves["object"], state["tversky_alpha"]
    only_object, place = torch.tensor([0.0, 1.0]), round(50 * state["p"]) - 1
    losses = {
        "Dice": dice_loss,
        "IoU": jaccard_loss,
        "Tversky": lambda *scene, weight: tversky_loss(*scene, alpha=alpha, beta=1 - alpha, weight=weight),
        "Lovász": lambda *scene, weight: lovasz_loss(*scene, weight=weight, bins=None),
    }
    assert list(curves) == list(losses)
    for name, loss in losses.items():
        logits, target = scene_of(state, state["p"])
        value = loss(logits, target, weight=only_object)
        (slope,) = torch.autograd.grad(value, logits)
        assert curves[name].value[place] == pytest.approx(value.item(), abs=1e-9)
        if name != "Lovász" or abs(1 - state["p"] - state["false_alarm"]) > 1e-6:  # equal errors have no order
            pull = -100 * slope[0, 1, 0, : state["objects"]].mean()
            assert curves[name].pull[place] == pytest.approx(pull.item(), rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(state=settings_of)
def test_dice_iou_and_tversky_have_their_closed_forms(explorer, state):
    result = explorer.compute(state)
    curves, alpha = result.curves["object"], state["tversky_alpha"]

    def terms(objects):
        shared = objects / 100 * GRID
        return shared, max(state["false_alarm"], 1e-9) * (1 - objects / 100), objects / 100 - shared

    def pull_of_dice(objects):
        shared, excess, missed = terms(objects)
        whole = 2 * shared + excess + missed
        return GRID * (1 - GRID) * (2 * whole - 2 * shared) / whole**2

    shared, excess, missed = terms(state["objects"])
    expected = {
        "Dice": 2 * shared / (2 * shared + excess + missed),
        "IoU": shared / (shared + excess + missed),
        "Tversky": shared / (shared + alpha * excess + (1 - alpha) * missed),
    }
    for name, index in expected.items():
        np.testing.assert_allclose(curves[name].value, 1 - index, atol=1e-6)
    np.testing.assert_allclose(curves["Dice"].pull, pull_of_dice(state["objects"]), rtol=1e-4)
    assert result.twice == pytest.approx(pull_of_dice(2 * state["objects"])[round(50 * state["p"]) - 1], rel=1e-4)


def test_what_coincides_coincides(explorer):
    plain = explorer.compute(explorer.state | {"gamma": 0.0, "alpha": 1.0, "tversky_alpha": 0.5, "objects": 50}).curves
    for part in ("value", "pull"):
        alike = [getattr(plain["pixel"][name], part) for name in ("cross entropy", "weighted CE", "focal")]
        np.testing.assert_allclose(alike[1], alike[0], rtol=1e-6)
        np.testing.assert_allclose(alike[2], alike[0], rtol=1e-6)
        np.testing.assert_allclose(*(getattr(plain["object"][name], part) for name in ("Dice", "Tversky")), rtol=1e-6)


def test_a_gradient_of_dice_grows_as_the_object_shrinks(explorer):
    state = explorer.state | {"false_alarm": 0.0, "p": 0.5}
    pulls = [explorer.compute(state | {"objects": objects}).curves["object"]["Dice"].pull[24] for objects in (2, 4, 8)]
    assert pulls == pytest.approx([pulls[0], pulls[0] / 2, pulls[0] / 4], rel=1e-4)  # as 1 / share


@settings(deadline=None, max_examples=10)
@given(state=settings_of)
def test_the_plots_and_the_table_show_the_curves(explorer, state):
    explorer.state = state
    result, items = explorer.compute(state), explorer.stage.scene["items"]
    place, panels = round(50 * state["p"]) - 1, panels_of(explorer.stage)
    texts = [item["text"] for item in items if item["kind"] == "text"]
    rings = [item["at"] for item in items if item["kind"] == "ring"]
    for plot, curves in result.curves.items():
        x, top, width, height = panels[plot]["box"]
        now = x + width * (place + 0.5) / len(GRID)
        assert {"kind": "line", "points": [[now, top], [now, top + height]], "stroke": "now", "width": 2} in [
            item | {"points": [[pytest.approx(at) for at in point] for point in item["points"]]}
            for item in items
            if item["kind"] == "line"
        ]
        for name, curve in curves.items():
            after = texts[texts.index(name) + 1 :]
            assert after[:2] == [figure(curve.value[place]), figure(curve.pull[place])]
            shown = float((curve.pull if state["pulls"] else curve.value)[place])
            low, high = (-3, 2) if state["pulls"] else (0, 5 if plot == "pixel" else 1)
            level = math.log10(max(shown, 1e-30)) if state["pulls"] else shown
            if low <= level <= high:
                assert rings.pop(0) == pytest.approx([now, top + height * (high - level) / (high - low)])
    assert rings == []


def test_the_scene_shows_what_each_pixel_is_given(explorer):
    explorer.state = {"objects": 6, "p": 0.8, "false_alarm": 0.2}
    panel = panels_of(explorer.stage)["scene"]
    shades = np.frombuffer(panel["data"], np.uint8).reshape(panel["shape"])
    assert is_object(6).sum() == 6
    assert set(shades[is_object(6)]) == {203}
    assert set(shades[~is_object(6)]) == {51}
    explorer.stage.hovered = {"panel": "scene", "row": 1, "col": 1}
    assert explorer.stage.words.endswith("A pixel of the object, given p = 0.80: short by 0.20.")
    x, y, width, height = panel["box"]
    (frame,) = explorer.stage.marks
    assert frame["box"][:2] == pytest.approx([x + width / 25 + 2, y + height / 4 + 2])
    explorer.stage.hovered = {"panel": "scene", "row": 2, "col": 1}
    assert explorer.stage.words.endswith("A pixel of the background, given 0.20 of object too much.")


@pytest.mark.parametrize("objects", [1, 4, 5, 8, 50])
def test_the_line_around_the_object_holds_its_pixels(explorer, objects):
    explorer.state = {"objects": objects}
    x, y, width, height = panels_of(explorer.stage)["scene"]["box"]
    outline = [
        item["points"]
        for item in explorer.stage.scene["items"]
        if item["kind"] == "line" and item["width"] == 3 and item["stroke"] == "now"
    ]
    (points,) = [points for points in outline if len(points) > 2]
    corners = [((px - x) / (width / 25), (py - y) / (height / 4)) for px, py in points]
    area = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True)) / 2
    assert abs(area) == pytest.approx(objects)


def test_words_say_the_point_of_each_loss(explorer):
    scene, focal, dice, start, hint = explorer.stage.words.split("\n")
    assert scene == "The object has 5 of 100 pixels: given p = 0.50 there, and 0.02 everywhere else."
    assert focal == "Focal loss keeps 25.0\xa0% of cross entropy here; at p = 0.9, easy, 1 in 100."
    curves = explorer.compute(explorer.state).curves
    pulls = [
        f"{explorer.compute(explorer.state | {'objects': size}).curves['object']['Dice'].pull[24]:.2f}"
        for size in (5, 10)
    ]
    assert dice == f"Dice's pull is {pulls[0]}, on an object twice as large {pulls[1]}; cross entropy's 0.500 on both."
    faded = 100 * curves["object"]["Dice"].pull[0] / curves["object"]["Dice"].pull.max()
    assert start == f"At p = 0.02 cross entropy pulls its hardest, 0.980; Dice at {faded:.1f}\xa0% of its hardest."
    assert hint.startswith("Point at a plot")
    explorer.state = {"gamma": 0.0}
    assert "at p = 0.9, easy, 100.0\xa0%." in explorer.stage.words


def test_words_give_the_numbers_where_one_points(explorer):
    explorer.stage.hovered = {"panel": "pixel", "row": 0, "col": 44}
    assert explorer.stage.words.endswith("Losses at p = 0.90: cross entropy 0.105, weighted CE 1.05, focal 0.001.")
    assert [mark["points"][0][0] for mark in explorer.stage.marks] == pytest.approx(
        [
            panel["box"][0] + panel["box"][2] * 44.5 / 49
            for name, panel in panels_of(explorer.stage).items()
            if name != "scene"
        ]
    )
    explorer.state = {"pulls": True}
    assert explorer.stage.words.endswith("Pulls at p = 0.90: cross entropy 0.100, weighted CE 1.00, focal 0.003.")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0.000"),
        (0.12345, "0.123"),
        (0.9996, "1.00"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (99.96, "100"),
        (250, "250"),
    ],
)
def test_numbers_have_three_figures(value, said):
    assert figure(value) == said


@settings(deadline=None, max_examples=15)
@given(state=settings_of, data=st.data())
def test_everything_keeps_to_its_room_and_little_travels(explorer, state, data):
    explorer.state = state
    panel = data.draw(st.sampled_from(["pixel", "object", "scene", None]))
    rows, cols = panels_of(explorer.stage)[panel or "scene"]["shape"]
    at = {"row": data.draw(st.integers(0, rows - 1)), "col": data.draw(st.integers(0, cols - 1))}
    explorer.stage.hovered = None if panel is None else {"panel": panel} | at
    lines = explorer.stage.words.split("\n")
    assert len(lines) == explorer.lines_of_words
    assert max(map(len, lines)) <= 92
    width, height = explorer.stage.scene["width"], explorer.stage.scene["height"]
    items = [*explorer.stage.scene["items"], *explorer.stage.marks]
    plots = [panels_of(explorer.stage)[plot]["box"] for plot in ("pixel", "object")]
    for item in items:
        for x, y in item.get("points", [item.get("at", (0, 0))]):
            assert 0 <= x <= width
            assert 0 <= y <= height
        x, y, across, down = item.get("box", (0, 0, 0, 0))
        assert 0 <= x <= x + across <= width
        assert 0 <= y <= y + down <= height
        if (item.get("stroke"), item.get("width")) in LINES:
            assert all(
                any(top - 1e-6 <= y <= top + tall + 1e-6 for _, top, _, tall in plots) for _, y in item["points"]
            )
    sizes = [len(value) if isinstance(value, bytes) else len(json.dumps(value)) for i in items for value in i.values()]
    assert sum(sizes) < 40_000


def test_sweep_visits_every_value_and_comes_back():
    explorer = LossLandscape()
    before, seen, compute = explorer.state, [], explorer.compute
    explorer.compute = lambda state: seen.append(dict(state)) or compute(state)
    assert explorer.sweep() is explorer
    counts = {"p": 49, "objects": 50, "false_alarm": 26, "gamma": 21, "alpha": 20, "tversky_alpha": 21, "pulls": 2}
    assert {name: len({state[name] for state in seen}) for name in counts} == counts
    assert explorer.state == before
