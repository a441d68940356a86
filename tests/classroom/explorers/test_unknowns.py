"""The unknowns explorer against counts by hand: what a threshold flags, the curves, the pictures and the words."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from segedu.classroom.explorers import Unknowns
from segedu.classroom.explorers.heat import CIVIDIS
from segedu.classroom.explorers.scene import gradient
from segedu.classroom.explorers.unknowns_picture import INK
from segedu.classroom.explorers.unknowns_scores import FALSE_ALARM, FOUND, MISSED, PASSED, VOID, Separation
from segedu.ood import ood_scores

CLASSES = ("Sky", "Road", "Pole", "Car")
PALETTE = torch.tensor([(128, 128, 128), (128, 64, 128), (192, 192, 128), (64, 0, 128)], dtype=torch.uint8)
MEASURES = ("max softmax", "max logit", "entropy", "energy")
HEAT = gradient(*CIVIDIS)


@pytest.fixture(scope="module")
def given_to():
    """A linear classifier, three noisy scenes with an unknown square each, void round it, and a score more."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(0, len(CLASSES), (3, 6, 8), generator=draw).repeat_interleave(4, 1).repeat_interleave(4, 2)
    colours = PALETTE[labels].movedim(-1, 1).float() / 255
    unknown = torch.zeros(labels.shape, dtype=torch.bool)
    unknown[:, 8:16, 10:18] = True
    colours.movedim(1, -1)[unknown] = torch.tensor([0.9, 0.5, 0.7])
    labels[:, 7:17, 9:19] = 255
    model = nn.Conv2d(3, len(CLASSES), 1)
    nn.init.normal_(model.weight, generator=draw)
    images = colours + 0.5 * torch.randn(colours.shape, generator=draw)
    own = torch.randint(0, 5, labels.shape, generator=draw) + 2.0 * unknown
    return {"model": model, "images": images, "labels": labels, "unknown": unknown, "more": {"own": own}}


def build(given_to, **changes):
    fixed = {"classes": CLASSES, "palette": PALETTE, "mean": (0.0,) * 3, "std": (1.0,) * 3}
    return Unknowns(**given_to | fixed | changes)


@pytest.fixture(scope="module")
def explorer(given_to):
    return build(given_to)


@pytest.fixture(autouse=True)
def start(explorer):
    explorer.reset()


def score_of(given_to, name):
    """Scores ``(N, H, W)`` of all scenes."""
    if name == "own":
        return given_to["more"]["own"]
    with torch.no_grad():
        return ood_scores(given_to["model"](given_to["images"]))[MEASURES.index(name)]


def panel(explorer, name):
    item = next(item for item in explorer.stage.scene["items"] if item.get("panel") == name)
    channels = () if item["palette"] else (3,)
    return np.frombuffer(item["data"], np.uint8).reshape(*item["shape"], *channels)


states = st.fixed_dictionaries(
    {"score": st.sampled_from([*MEASURES, "own"]), "image": st.integers(0, 2), "flagged": st.integers(0, 100)}
)


@settings(deadline=None, max_examples=8)
@given(state=states)
def test_what_is_flagged_is_what_lies_above_the_lowest_threshold_allowed(given_to, explorer, state):
    explorer.state = state
    shown = explorer.compute(explorer.state)
    scores, labels, unknown = score_of(given_to, state["score"]), given_to["labels"], given_to["unknown"]
    known = labels != 255
    allowed = state["flagged"] / 100 * int(known.sum()) + 1e-6
    assert int((scores > shown.threshold)[known].sum()) <= allowed
    lower = scores[known][scores[known] < shown.threshold]
    if state["flagged"] < 100:
        assert int((scores[known] >= shown.threshold).sum()) > allowed or not len(lower)
    flagged, image = scores > shown.threshold, state["image"]
    expected = torch.where(unknown, torch.where(flagged, FOUND, MISSED), torch.where(flagged, FALSE_ALARM, PASSED))
    expected[~unknown & ~known] = VOID
    assert torch.equal(shown.outcomes, expected[image])
    for counts, pixels in ((shown.everywhere, expected), (shown.here, expected[image])):
        found, missed, alarms, passed = (int((pixels == kind).sum()) for kind in (FOUND, MISSED, FALSE_ALARM, PASSED))
        assert (counts.found, counts.missed, counts.false_alarms, counts.passed) == (found, missed, alarms, passed)
        assert counts.found_share == found / (found + missed)
        assert counts.flagged_share == alarms / (alarms + passed)
        if found + alarms:
            assert counts.precision == found / (found + alarms)
        else:
            assert math.isnan(counts.precision)


@settings(deadline=None, max_examples=8)
@given(state=states)
def test_the_panels_show_the_library_s_maps(given_to, explorer, state):
    explorer.state = state
    shown, image = explorer.compute(explorer.state), state["image"]
    with torch.no_grad():
        logits = given_to["model"](given_to["images"])[image]
    assert np.array_equal(panel(explorer, "prediction"), logits.argmax(0))
    torch.testing.assert_close(shown.confidence, logits.softmax(0).amax(0))
    low, high = shown.separation.scale
    shares = np.clip((score_of(given_to, state["score"])[image].numpy() - low) / (high - low), 0, 1)
    assert np.abs(panel(explorer, "score") - (len(HEAT) - 1) * shares).max() <= 0.51
    rgb = panel(explorer, "flagged")
    for outcome, ink in INK.items():
        coloured = (rgb == [*bytes.fromhex(ink[1:])]).all(-1)
        assert np.array_equal(coloured, shown.outcomes == outcome)


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 2**31), ties=st.booleans())
def test_curve_bars_and_area_are_those_of_all_pixels(seed, ties):
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, 9, 11, generator=draw)
    scores = (2 * scores).round() if ties else scores
    kinds = torch.randint(0, 2, scores.shape, generator=draw)
    kinds[:, 0] = 255
    separation = Separation(scores, kinds)
    known, unknown = scores[kinds == 0].numpy(), scores[kinds == 1].numpy()
    flagged, found = separation.roc
    assert (flagged[0], found[0], flagged[-1], found[-1]) == (0, 0, 1, 1)
    exact = {(0.0, 0.0), (1.0, 1.0)} | {(np.mean(known > cut), np.mean(unknown > cut)) for cut in known}
    assert {*zip(flagged.round(9).tolist(), found.round(9).tolist(), strict=True)} == {
        (round(float(x), 9), round(float(y), 9)) for x, y in exact
    }
    pairs = (unknown[:, None] > known).mean() + (unknown[:, None] == known).mean() / 2
    assert separation.ranking.auroc == pytest.approx(pairs, abs=1e-3)
    assert [counts.sum() for counts in separation.bars(7)] == [len(known), len(unknown)]


def test_a_score_without_spread_has_a_scale_all_the_same():
    kinds = torch.tensor([[[0, 1]]])
    assert Separation(torch.full((1, 1, 2), 3.0), kinds).scale == (2.5, 3.5)


def test_the_words_say_the_counts_and_the_pixel(given_to, explorer):
    explorer.state = {"score": "own", "image": 1, "flagged": 20}
    shown = explorer.compute(explorer.state)
    threshold, ranking, scene, hint = explorer.stage.words.split("\n")
    told = [float(number) / 100 for number in re.findall(r"[\d.]+(?=\xa0%)", f"{threshold} {ranking}")]
    measures, everywhere = shown.separation.ranking, shown.everywhere
    expected = [everywhere.found_share, everywhere.flagged_share, everywhere.precision]
    expected += [measures.auroc, measures.average_precision, 0.95, measures.fpr_at_95_tpr]
    assert told == pytest.approx(expected, abs=0.00051)
    assert threshold.startswith(f"Flagged is own above {shown.threshold:g}: ")
    assert scene.startswith(f"Scene 1: {shown.here.found} of 64 unknown pixels found, {shown.here.false_alarms} of ")
    assert hint == "Point at a pixel to read its score."
    explorer.state = {"pinned": {"panel": "score", "row": 10, "col": 12}}
    said = explorer.stage.words.split("\n")[-1]
    called = CLASSES[int(shown.prediction[10, 12])]
    value = float(given_to["more"]["own"][1, 10, 12])
    verdict = "found" if value > shown.threshold else "missed"
    assert re.fullmatch(
        rf"Row 10, column 12, truth unknown: called {called} with \d+\xa0%; own {value:g}, {verdict}\.", said
    )
    explorer.state = {"pinned": {"panel": "score", "row": 7, "col": 12}}
    assert "truth void: called" in explorer.stage.words
    assert explorer.stage.words.endswith("left out.")
    explorer.state = {"pinned": {"panel": "prediction", "row": 10, "col": 12}}
    tags = [mark["text"] for mark in explorer.stage.marks if mark["kind"] == "text"]
    assert tags == ["unknown", f"{value:g}", verdict, called]


def test_the_rings_lie_where_the_threshold_puts_all_scenes_and_this(explorer):
    explorer.state = {"score": "entropy", "image": 2, "flagged": 30}
    shown = explorer.compute(explorer.state)
    rings = [item for item in explorer.stage.scene["items"] if item["kind"] == "ring" and item["radius"] == 5]
    box = next(
        item["box"]
        for item in explorer.stage.scene["items"]
        if item["kind"] == "rectangle" and item["stroke"] == "border" and item["box"][0] > 600
    )
    x, y, width, height = box
    for ring, counts in zip(rings, (shown.everywhere, shown.here), strict=True):
        assert (ring["at"][0] - x) / width == pytest.approx(counts.flagged_share)
        assert 1 - (ring["at"][1] - y) / height == pytest.approx(counts.found_share)


def test_it_opens_sweeps_and_comes_back(explorer):
    assert explorer.state == {"score": "max softmax", "image": 0, "flagged": 5, "pinned": None}
    assert explorer.controls["score"].options == (*MEASURES, "own")
    start = explorer.stage.scene
    assert explorer.sweep().stage.scene == start
    assert explorer.state == {"score": "max softmax", "image": 0, "flagged": 5, "pinned": None}


def test_the_model_is_left_as_it_was_and_one_scene_needs_no_choice(given_to):
    model = nn.Sequential(nn.Dropout(1.0), given_to["model"]).train()
    one = {name: given_to[name][:1] for name in ("images", "labels", "unknown")}
    explorer = build(one | {"model": model}, more=None)
    assert model.training
    assert [*explorer.controls] == ["score", "flagged"]
    assert explorer.controls["score"].options == MEASURES
    assert "of one scene." in explorer.stage.words
    torch.testing.assert_close(explorer.separations["energy"].maps, score_of(given_to, "energy")[:1])


def test_unfit_input_is_refused(given_to):
    unknown, labels = given_to["unknown"], given_to["labels"]
    with pytest.raises(TypeError, match="unknown has dtype"):
        build(given_to, unknown=unknown.long())
    with pytest.raises(ValueError, match="unknown has shape"):
        build(given_to, unknown=unknown[:1])
    with pytest.raises(ValueError, match="own has shape"):
        build(given_to, more={"own": torch.zeros(3)})
    with pytest.raises(ValueError, match="no pixel is unknown"):
        build(given_to, unknown=torch.zeros_like(unknown))
    with pytest.raises(ValueError, match="no pixel is known"):
        build(given_to, labels=torch.full_like(labels, 255))
    with pytest.raises(ValueError, match="the model scores 4 classes, but classes names 3"):
        build(given_to, classes=CLASSES[:3], palette=PALETTE[:3])
