"""The mask editor paints where the hand puts the brush, and its scores are those of the library and of a count."""

import json
import math
import re
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from looks import panels_of

from segedu.classroom.explorers import MaskEditor
from segedu.classroom.explorers.mask_editor_masks import EDITS, TRUTHS, Masks, drawn, labels_of, mask_of
from segedu.classroom.explorers.mask_editor_picture import PALETTE
from segedu.metrics.boundary import BoundaryF1
from segedu.metrics.boundary_iou import BoundaryIoU

ROWS, COLS = 16, 24
PIXELS = list(product(range(ROWS), range(COLS)))
NOTHING = ("." * COLS,) * ROWS

drawings = st.integers(0, 2**32 - 1).flatmap(
    lambda seed: st.sampled_from([0.0, 0.05, 0.4, 1.0]).map(
        lambda share: drawn(np.random.default_rng(seed).random((ROWS, COLS)) < share)
    )
)
settings_of = st.fixed_dictionaries(
    {
        "masks": st.builds(lambda *parts: tuple(parts), st.sampled_from(list(TRUTHS)), drawings, drawings),
        "tool": st.sampled_from(["flip", "paint", "erase"]),
        "brush": st.sampled_from([1, 3, 5]),
        "tolerance": st.integers(1, 3),
        "void": st.booleans(),
    }
)


@pytest.fixture(scope="module")
def editor():
    return MaskEditor()


@pytest.fixture(autouse=True)
def start(editor):
    editor.stage.hovered = None
    editor.reset()


def cell(row, col, panel="prediction"):
    return {"panel": panel, "row": row, "col": col}


def click(editor, row, col, panel="prediction"):
    """What the page reports when a pixel is clicked."""
    editor.stage.hovered = editor.stage.pinned = cell(row, col, panel)


def press(editor, name):
    editor.masks.buttons[name].click()


def predicted(editor):
    return mask_of(Masks(*editor.state["masks"]).predicted)


def ratio(part, whole):
    return part / whole if whole else math.nan


@settings(deadline=None, max_examples=25)
@given(state=settings_of)
def test_scores_are_those_of_a_count(editor, state):
    result = editor.compute(state)
    truth, drawing, _ = state["masks"]
    counts = {(is_object, called): 0 for is_object in (False, True) for called in (False, True)}
    for row, col in PIXELS:
        if result.labels[row, col] != 255:
            counts[bool(TRUTHS[truth][row, col]), drawing[row][col] == "#"] += 1
    found, missed, invented, background = (counts[pair] for pair in product((True, False), repeat=2))
    now = result.now
    assert (now.found, now.missed, now.invented, now.background) == (found, missed, invented, background)
    wrong, scored = missed + invented, sum(counts.values())
    assert (now.scored, now.objects) == (scored, found + missed)
    ious = [ratio(found, found + wrong), ratio(background, background + wrong)]
    expected = {
        "pixel accuracy": 1 - wrong / scored,
        "mean IoU": np.nanmean(ious),
        "precision": ratio(found, found + invented),
        "recall": found / (found + missed),
        "Dice = F1": 2 * found / (2 * found + wrong),
        "IoU": ious[0],
    }
    assert {name: now.scores[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    dice = now.scores["Dice = F1"]
    assert now.scores["IoU"] == pytest.approx(dice / (2 - dice))


@settings(deadline=None, max_examples=10)
@given(state=settings_of)
def test_contour_scores_are_the_library_s_within_as_many_pixels(editor, state):
    result = editor.compute(state)
    diagonal, reach = math.hypot(ROWS, COLS), state["tolerance"]
    predictions, target = (torch.from_numpy(each)[None].long() for each in (result.predicted, result.labels))
    f1, iou = BoundaryF1(2, (reach + 0.01) / diagonal), BoundaryIoU(2, reach / diagonal)
    for metric in (f1, iou):
        metric.update(predictions, target)
    contours = [result.now.scores[name] for name in ("Boundary F1", "Boundary IoU")]
    assert contours == pytest.approx([float(f1.scores().f1[1]), float(iou.scores().iou[1])], nan_ok=True)


def test_the_tolerance_counts_in_pixels(editor):
    editor.state = {"masks": ("disc", drawn(np.roll(TRUTHS["disc"], 3, 1)), NOTHING)}
    scores = [editor.compute(editor.state | {"tolerance": pixels}).now.scores for pixels in (1, 2, 3)]
    contours = [one["Boundary F1"] for one in scores]
    assert contours[0] < contours[1] < contours[2] == 1
    assert len({one["IoU"] for one in scores}) == 1


@settings(deadline=None, max_examples=10)
@given(state=settings_of)
def test_what_was_before_is_judged_as_what_is_now(editor, state):
    truth, now, before = state["masks"]
    result, turned = (
        editor.compute(state | {"masks": masks}) for masks in ((truth, now, before), (truth, before, now))
    )
    for name in result.now.scores:
        assert result.now.scores[name] == pytest.approx(turned.before.scores[name], nan_ok=True)
        assert result.change(name) == pytest.approx(-turned.change(name), nan_ok=True)
    assert result.turned.sum() == sum(
        a != b for one, other in zip(now, before, strict=True) for a, b in zip(one, other, strict=True)
    )


def neighbours(row, col, reach=1):
    return [
        (r, c)
        for r, c in product(range(row - reach, row + reach + 1), range(col - reach, col + reach + 1))
        if 0 <= r < ROWS and 0 <= c < COLS
    ]


def beside(row, col):
    return [spot for spot in neighbours(row, col) if abs(spot[0] - row) + abs(spot[1] - col) <= 1]


@settings(deadline=None, max_examples=10)
@given(drawing=drawings)
def test_buttons_do_what_they_say(editor, drawing):
    mask = mask_of(drawing)
    assert drawn(mask) == drawing
    expected = {
        "Erode": [[all(mask[spot] for spot in beside(row, col)) for col in range(COLS)] for row in range(ROWS)],
        "Dilate": [[any(mask[spot] for spot in beside(row, col)) for col in range(COLS)] for row in range(ROWS)],
        "Shift": [[col > 0 and mask[row, col - 1] for col in range(COLS)] for row in range(ROWS)],
        "Clear": np.zeros((ROWS, COLS)),
        "Truth": TRUTHS["disc"],
    }
    for name, result in expected.items():
        editor.state = {"masks": ("disc", drawing, NOTHING)}
        press(editor, name)
        assert np.array_equal(predicted(editor), result)
        if drawn(np.array(result, bool)) != drawing:
            assert Masks(*editor.state["masks"]).before == drawing
            press(editor, "Undo")
            assert Masks(*editor.state["masks"]).predicted == drawing


def test_noise_turns_a_twentieth_over_and_others_each_time(editor):
    press(editor, "Truth")
    masks = [predicted(editor)]
    for _ in range(3):
        press(editor, "Noise")
        masks.append(predicted(editor))
    turned = [one ^ other for one, other in pairwise(masks)]
    assert all(5 <= flips.sum() <= 40 for flips in turned)
    assert not (turned[0] == turned[1]).all()
    assert np.array_equal(EDITS["Noise"](masks[0]), masks[1])


@settings(deadline=None, max_examples=15)
@given(state=settings_of, spot=st.sampled_from(PIXELS))
def test_a_click_puts_the_brush_down_and_lets_go(editor, state, spot):
    editor.state = state
    before = predicted(editor)
    click(editor, *spot)
    label = {"paint": True, "erase": False, "flip": not before[spot]}[state["tool"]]
    expected = before.copy()
    for under in neighbours(*spot, reach=state["brush"] // 2):
        expected[under] = label
    assert np.array_equal(predicted(editor), expected)
    assert editor.state["pinned"] is None  # the pointer leads on
    frames = [mark["box"] for mark in editor.stage.marks]
    step = panels_of(editor.stage)["prediction"]["box"][2] / COLS
    under = np.array(neighbours(*spot, reach=state["brush"] // 2))
    rows, cols = np.ptp(under, axis=0) + 1
    assert frames[1][2:] == pytest.approx([cols * step, rows * step])
    assert len(frames) == 2


def test_a_second_click_on_the_same_pixel_flips_it_back(editor):
    before = predicted(editor)
    click(editor, 8, 9)
    assert (predicted(editor) ^ before).sum() == 1
    click(editor, 8, 9)
    assert np.array_equal(predicted(editor), before)


def test_keys_draw_over_the_prediction_and_only_move_over_the_truth(editor):
    press(editor, "Clear")
    editor.state = {"tool": "paint"}
    for col in (3, 4):
        editor.stage.pinned = cell(2, col, "truth")
    assert not predicted(editor).any()
    for col in (4, 5, 6):  # Page Down, and two arrows
        editor.stage.pinned = cell(2, col)
        assert editor.state["pinned"] == cell(2, col)
    editor.stage.pinned = None  # Escape
    assert {tuple(spot) for spot in np.argwhere(predicted(editor)).tolist()} == {(2, 4), (2, 5), (2, 6)}


def test_a_state_paints_nothing_and_is_set_again_in_any_order(editor):
    click(editor, 3, 3)
    editor.state = {"void": True, "brush": 3, "pinned": cell(5, 5)}
    state = editor.state
    assert (predicted(editor) ^ mask_of(Masks(*state["masks"]).before)).sum() == 1
    assert json.loads(json.dumps(state["masks"])) == [list(part) if part != "disc" else part for part in state["masks"]]
    editor.reset()
    editor.state = dict(reversed(state.items()))
    assert editor.state == state
    assert editor.masks.truth.value == "disc"


def test_another_object_gets_a_prediction_of_its_own(editor):
    for name, mask in TRUTHS.items():
        editor.masks.truth.value = name
        truth, drawing, before = editor.state["masks"]
        assert (truth, before) == (name, drawn(mask))
        assert np.array_equal(mask_of(drawing), np.roll(mask, 2, 1))
    assert {name: int(mask.sum()) for name, mask in TRUTHS.items()}["1 % speck"] == 4


@pytest.mark.parametrize(
    "masks",
    [
        ("disc", NOTHING),
        ("moon", NOTHING, NOTHING),
        ("disc", NOTHING[1:], NOTHING),
        ("disc", ("?" * COLS,) * ROWS, NOTHING),
        7,
    ],
)
def test_a_state_that_is_no_drawing_is_refused(editor, masks):
    with pytest.raises(ValueError, match="masks is"):
        editor.state = {"masks": masks}


@settings(deadline=None, max_examples=10)
@given(state=settings_of)
def test_colours_and_outline_show_what_becomes_of_each_pixel(editor, state):
    editor.state = state
    truth, drawing, _ = state["masks"]
    labels, mask = labels_of(truth, state["void"]), mask_of(drawing)
    panel = panels_of(editor.stage)["prediction"]
    shown = np.frombuffer(panel["data"], np.uint8).reshape(ROWS, COLS)
    assert panel["palette"] == PALETTE.tobytes()
    for outcome, here in enumerate(
        [
            ~mask & (labels == 0),
            ~mask & (labels == 1),
            mask & (labels == 0),
            mask & (labels == 1),
            ~mask & (labels > 1),
            mask & (labels > 1),
        ]
    ):
        assert np.array_equal(shown == outcome, here)
    x, y, width, _ = panel["box"]
    step = width / COLS
    outline = [
        item["points"] for item in editor.stage.scene["items"] if item["kind"] == "line" and item["width"] == 2.5
    ]
    drawn_edges = set()
    for (x1, y1), (x2, y2) in outline:
        col1, row1, col2, row2 = (
            round(place) for place in ((x1 - x) / step, (y1 - y) / step, (x2 - x) / step, (y2 - y) / step)
        )
        drawn_edges |= {("level", row1, col) for col in range(col1, col2)} | {
            ("upright", row, col1) for row in range(row1, row2)
        }
    padded = np.pad(labels == 1, 1)
    edges = {
        ("level", row, col)
        for row in range(ROWS + 1)
        for col in range(COLS)
        if padded[row, col + 1] != padded[row + 1, col + 1]
    }
    edges |= {
        ("upright", row, col)
        for row in range(ROWS)
        for col in range(COLS + 1)
        if padded[row + 1, col] != padded[row + 1, col + 1]
    }
    assert drawn_edges == edges


def test_void_is_the_pixels_around_the_object(editor):
    for name, mask in TRUTHS.items():
        labels = labels_of(name, True)
        for spot in PIXELS:
            near = any(mask[other] for other in neighbours(*spot))
            assert labels[spot] == (1 if mask[spot] else 255 if near else 0)
        assert np.array_equal(labels_of(name, False), mask)


def test_what_is_predicted_in_void_moves_no_score(editor):
    editor.state = {"void": True, "masks": ("disc", drawn(TRUTHS["disc"]), NOTHING)}
    row, col = np.argwhere(labels_of("disc", True) == 255)[0].tolist()
    click(editor, row, col)
    result = editor.compute(editor.state)
    assert result.turned.sum() == 1
    assert not result.touched
    for name, score in result.now.scores.items():
        assert score == pytest.approx(result.before.scores[name], nan_ok=True)
    assert "turned 1 pixel over: all void, so no score moves." in editor.stage.words
    assert editor.stage.words.endswith("void, where not even a predicted object counts.")


def test_words_tell_what_changed_and_why(editor):
    editor.state = {"masks": ("disc", drawn(TRUTHS["disc"]), drawn(TRUTHS["disc"]))}
    objects, change, scores, cause, hint = editor.stage.words.split("\n")
    assert objects == "88 of 384 scored pixels are object: predict nothing, and 77.1\xa0% are right, but IoU is 0."
    assert change == "Nothing has changed yet."
    assert scores.startswith("Scores that count pixels stand still")
    assert cause.startswith("Accuracy asks about all pixels")
    assert hint.startswith("Click a pixel.")
    click(editor, 8, 9)
    _, change, scores, cause, about = editor.stage.words.split("\n")
    assert change == "The last change turned 1 pixel over: 1 more missed."
    assert scores == "In points: recall −1.1, precision 0, IoU −1.1, accuracy −0.3."
    assert cause == "Accuracy moves less, as 77.1\xa0% of all pixels are background and predicted so."
    assert about == "Row 8, column 9: object, predicted as background: missed, a false negative."
    click(editor, 8, 9)
    assert "turned 1 pixel over: 1 fewer missed." in editor.stage.words
    press(editor, "Shift")
    assert re.search(r"turned (\d+) pixels over: \d+ more missed and \d+ more invented\.", editor.stage.words)
    press(editor, "Clear")
    assert "precision undefined" in editor.stage.words
    shown = [item["text"] for item in editor.stage.scene["items"] if item["kind"] == "text"]
    assert "–" in shown  # the precision of nothing
    assert "0.000 = 0.000 / 2.000" in shown


def test_as_many_mended_as_broken(editor):
    disc = TRUTHS["disc"]
    one, other = disc.copy(), disc.copy()
    one[8, 9] = other[8, 10] = False
    editor.state = {"masks": ("disc", drawn(one), drawn(other))}
    assert "turned 2 pixels over: as many mended as broken." in editor.stage.words


@settings(deadline=None, max_examples=20)
@given(state=settings_of, spot=st.sampled_from(PIXELS), panel=st.sampled_from(["truth", "prediction", None]))
def test_words_and_picture_keep_to_their_room(editor, state, spot, panel):
    editor.state = state
    editor.stage.hovered = None if panel is None else cell(*spot, panel)
    lines = editor.stage.words.split("\n")
    assert len(lines) == editor.lines_of_words
    assert max(map(len, lines)) <= 92
    width, height = editor.stage.scene["width"], editor.stage.scene["height"]
    items = [*editor.stage.scene["items"], *editor.stage.marks]
    for item in items:
        for x, y in item.get("points", [item.get("at", (0, 0))]):
            assert 0 <= x <= width
            assert 0 <= y <= height
        x, y, across, down = item.get("box", (0, 0, 0, 0))
        assert 0 <= x <= x + across <= width
        assert 0 <= y <= y + down <= height
    sizes = [len(value) if isinstance(value, bytes) else len(json.dumps(value)) for i in items for value in i.values()]
    assert sum(sizes) < 40_000
    assert "−0.0" not in [item.get("text") for item in items]


def test_sweep_visits_every_value_and_comes_back():
    editor = MaskEditor()
    before, seen, compute = editor.state, [], editor.compute
    editor.compute = lambda state: seen.append(dict(state)) or compute(state)
    assert editor.sweep() is editor
    assert {state["masks"][0] for state in seen} == set(TRUTHS)
    assert {state["masks"][1:] for state in seen if state["masks"][0] == "disc"} >= {
        (drawn(edit(TRUTHS["disc"])), drawn(TRUTHS["disc"])) for edit in EDITS.values()
    }
    for name, values in {"tool": {"flip", "paint", "erase"}, "brush": {1, 3, 5}, "tolerance": {1, 2, 3}}.items():
        assert {state[name] for state in seen} == values
    assert {state["void"] for state in seen} == {False, True}
    assert editor.state == before
