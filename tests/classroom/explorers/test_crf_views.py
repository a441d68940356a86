"""The CRF explorer shows what the library computes: every picture is held to the code that its words tell to write."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import segedu.crf
from segedu.classroom.explorers import CRFExplorer, crf_refinement
from segedu.classroom.explorers.crf_crops import Crop, example_crops
from segedu.classroom.explorers.crf_picture import HEAT, INK
from segedu.classroom.explorers.crf_refinement import BROKEN, MENDED, OUTCOMES, VOID, WRONG
from segedu.classroom.explorers.crf_unaries import unaries
from segedu.metrics import BoundaryF1, ConfusionMatrix

states = st.fixed_dictionaries(
    {
        "stride": st.sampled_from([4, 8, 16, 32]),
        "position_std": st.sampled_from(range(5, 61, 5)),
        "colour_std": st.sampled_from(range(2, 31, 2)),
        "bilateral_weight": st.integers(0, 12),
        "gaussian_std": st.sampled_from([0.5, 1.0, 4.0]),
        "gaussian_weight": st.integers(0, 8),
        "iterations": st.integers(0, 10),
    }
)


def small_crops():
    """A disc on a wall with void in a corner, and three stripes: cheap to refine."""
    draw = torch.Generator().manual_seed(0)
    down, across = torch.meshgrid(torch.arange(24), torch.arange(32), indexing="ij")
    disc = ((down - 12) ** 2 + (across - 14) ** 2 < 60).long()
    disc[:3, :3] = 255
    stripes = across // 12
    palette = torch.tensor([(60, 90, 160), (200, 140, 60), (90, 160, 90)], dtype=torch.uint8)
    crops = []
    for name, labels, classes in (("disc", disc, ("Wall", "Disc")), ("stripes", stripes, ("Wall", "Door", "Tree"))):
        colours = palette[labels.clamp(max=len(classes) - 1)].movedim(-1, 0).float()
        image = (colours + 8 * torch.randn(colours.shape, generator=draw)).clamp(0, 255).byte()
        crops.append(Crop(name, image, labels, classes, palette[: len(classes)]))
    return crops


CROPS = {crop.name: crop for crop in small_crops()}


@pytest.fixture(scope="module")
def explorer():
    return CRFExplorer(list(CROPS.values()))


@pytest.fixture(autouse=True)
def start(explorer):
    explorer.stage.hovered = None
    explorer.reset()


def data_of(explorer, panel):
    item = next(item for item in explorer.stage.scene["items"] if item.get("panel") == panel)
    channels = () if item["palette"] else (3,)
    return np.frombuffer(item["data"], np.uint8).reshape(*item["shape"], *channels)


def as_told(explorer):
    """Before and after by the code in the words: probabilities ``(K, H, W)`` of each."""
    crop = CROPS[explorer.state["crop"][0]]
    names = vars(segedu.crf) | {
        "logits": unaries(crop, explorer.state["stride"])[None],
        "images": crop.image[None],
    }
    return names["logits"].softmax(1)[0], eval(explorer.stage.words.split("\n")[-1], names)[0]


def scores_of(probabilities, crop):
    counts, contours = ConfusionMatrix(len(crop.classes), device="cpu"), BoundaryF1(len(crop.classes), device="cpu")
    for measure in (counts, contours):
        measure.update(probabilities[None], crop.labels[None])
    return counts.scores().mean_iou, contours.scores().mean_f1


@settings(deadline=None, max_examples=15)
@given(state=states, look=st.sampled_from([("disc", "Disc"), ("stripes", "Wall"), ("stripes", "Tree")]))
def test_labels_and_probabilities_are_those_of_the_code_in_the_words(explorer, state, look):
    explorer.state = state | {"crop": look}
    crop = CROPS[look[0]]
    for when, probabilities in zip(("before", "after"), as_told(explorer), strict=True):
        assert np.array_equal(data_of(explorer, when), probabilities.argmax(0))
        shades = (len(HEAT) - 1) * probabilities[crop.classes.index(look[1])]
        assert np.array_equal(data_of(explorer, f"probability {when}"), shades.round().byte())


@settings(deadline=None, max_examples=15)
@given(state=states, name=st.sampled_from([*CROPS]))
def test_scores_and_counts_are_those_of_the_library_and_of_numpy(explorer, state, name):
    crop = CROPS[name]
    explorer.state = state | {"crop": (name, "Wall")}
    before, after = as_told(explorer)
    _, scores, changes, *_ = explorer.stage.words.split("\n")
    told = [float(number) / 100 for number in re.findall(r"[\d.]+(?=\xa0%)", scores)]
    (iou, f1), (iou_after, f1_after) = scores_of(before, crop), scores_of(after, crop)
    assert told == pytest.approx([iou, iou_after, f1, f1_after], abs=0.00051)
    truth, was, now = crop.labels.numpy(), before.argmax(0).numpy(), after.argmax(0).numpy()
    scored = truth != 255
    counts = [
        np.sum(scored & (was != now)),
        np.sum(scored),
        np.sum(scored & (was != truth) & (now == truth)),
        np.sum(scored & (was == truth) & (now != truth)),
        np.sum(scored & (was != truth) & (now != truth) & (was != now)),
    ]
    if state["iterations"]:
        assert [int(number) for number in re.findall(r"\d+", changes)] == counts
    else:
        assert counts[0] == 0
        assert changes.startswith("No iteration")
    texts = [item["text"] for item in explorer.stage.scene["items"] if item["kind"] == "text"]
    wrong = np.sum(scored & (was != truth) & (now != truth))
    assert {f"right now: {counts[2]}", f"wrong now: {counts[3]}", f"still wrong: {wrong}"} <= {*texts}
    mistakes = data_of(explorer, "mistakes")
    for outcome, number in ((MENDED, counts[2]), (BROKEN, counts[3]), (WRONG, wrong), (VOID, np.sum(~scored))):
        assert np.sum((mistakes == [*bytes.fromhex(INK[outcome][1:])]).all(-1)) == number


def test_weights_and_iterations_build_no_filter_and_a_std_builds_its_own_alone(monkeypatch):
    built = []
    make = crf_refinement.pairwise_filters
    monkeypatch.setattr(
        crf_refinement, "pairwise_filters", lambda images, kernels: built.extend(kernels) or make(images, kernels)
    )
    explorer = CRFExplorer([CROPS["disc"]])
    assert [type(kernel).__name__ for kernel in built] == ["Gaussian", "Bilateral"]
    built.clear()
    for changes in ({"iterations": 7}, {"bilateral_weight": 9}, {"gaussian_weight": 4}, {"stride": 16}):
        explorer.state = changes
    assert built == []
    explorer.state = {"colour_std": 26}
    assert [type(kernel).__name__ for kernel in built] == ["Bilateral"]
    explorer.state = {"gaussian_std": 3.5}
    assert [type(kernel).__name__ for kernel in built] == ["Bilateral", "Gaussian"]
    explorer.state = {"colour_std": 10, "gaussian_std": 1}
    assert len(built) == 2


def test_another_class_is_shown_without_another_inference(explorer, monkeypatch):
    explorer.state = {"crop": ("stripes", "Wall")}
    monkeypatch.setattr(crf_refinement, "mean_field", lambda *_, **__: pytest.fail("the answer was there"))
    explorer.controls["crop"].label.value = "Tree"
    assert explorer.state["crop"] == ("stripes", "Tree")


@pytest.mark.parametrize("off", [{"iterations": 0}, {"bilateral_weight": 0, "gaussian_weight": 0}])
def test_without_iterations_or_weights_nothing_changes(explorer, off):
    explorer.state = off
    assert np.array_equal(data_of(explorer, "before"), data_of(explorer, "after"))
    assert "No iteration" in explorer.stage.words or "no pixel hears of any other" in explorer.stage.words


def test_a_pixel_pointed_at_is_told_and_marked_in_every_panel(explorer):
    explorer.state = {"crop": ("stripes", "Door")}
    before, after = as_told(explorer)
    explorer.stage.hovered = {"panel": "after", "row": 5, "col": 12}
    names, pixel = CROPS["stripes"].classes, (5, 12)
    was, now = (names[int(answer[:, 5, 12].argmax())] for answer in (before, after))
    said = explorer.stage.words.split("\n")[3]
    assert said.startswith(
        f"Row 5, column 12, truth Door: before {was} {float(before[:, 5, 12].max()):.2f}, "
        f"after {now} {float(after[:, 5, 12].max()):.2f}; "
    )
    assert said.split("; ")[1][:-1] in OUTCOMES
    tags = [mark["text"] for mark in explorer.stage.marks if mark["kind"] == "text"]
    assert len(tags) == 6 == sum(mark["kind"] == "ring" for mark in explorer.stage.marks)
    for answer in (before, after):
        assert f"{float(answer[(1, *pixel)]):.2f}" in tags
    explorer.state = {"crop": ("disc", "Disc")}
    explorer.stage.hovered = {"panel": "mistakes", "row": 0, "col": 0}
    assert re.fullmatch("Row 0, column 0, truth void: .*; void.", explorer.stage.words.split("\n")[3])


def test_a_crop_that_is_picked_keeps_the_class_that_it_has(explorer):
    control = explorer.controls["crop"]
    assert explorer.state["crop"] == ("disc", "Disc")
    control.crop.value = "stripes"
    assert explorer.state["crop"] == ("stripes", "Tree")
    control.label.value = "Wall"
    control.crop.value = "disc"
    assert explorer.state["crop"] == ("disc", "Wall")
    for value in (("disc", "Tree"), ("moon", "Wall"), "disc"):
        with pytest.raises(ValueError, match="crop is"):
            explorer.state = {"crop": value}


def test_every_state_of_a_sweep_is_shown_and_any_can_be_set_again(explorer):
    start = explorer.state
    state = {"crop": ("stripes", "Door"), "iterations": 3, "pinned": {"panel": "before", "row": 20, "col": 30}}
    explorer.state = state
    kept = explorer.state
    assert explorer.sweep().state == start
    explorer.state = kept
    assert explorer.state == kept
    assert explorer.stage.still().startswith(b"\x89PNG")


@pytest.mark.parametrize("crops", [[], [CROPS["disc"], CROPS["disc"]]])
def test_crops_need_names_of_their_own(crops):
    with pytest.raises(ValueError, match="give at least one, and each a name of its own"):
        CRFExplorer(crops)


def test_as_it_opens_the_crf_mends_the_photograph_and_hurts_thin_poles_and_low_contrast():
    explorer = CRFExplorer(example_crops())
    shown = {}
    for name, label in (("photograph", "Uniform"), ("thin poles", "Pole"), ("dark street", "Car")):
        explorer.state = {"crop": (name, label)}
        shown[name] = explorer.compute(explorer.state)
    photograph, poles, street = shown.values()
    assert photograph.after.mean_iou > photograph.before.mean_iou + 0.05
    assert photograph.after.boundary_f1 > photograph.before.boundary_f1 + 0.1
    pole = poles.crop.labels == poles.label
    assert (poles.after.labels == poles.label)[pole].sum() < 0.6 * (poles.before.labels == poles.label)[pole].sum()
    assert street.after.mean_iou < street.before.mean_iou - 0.01
