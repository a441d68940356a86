"""The fusion explorer shows what the model and the metrics say, for every mix."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from segedu.classroom.explorers import FusionExplorer
from segedu.models import create


def numbers(words):
    """Every number in a sentence, with the sign of arithmetic read as one."""
    return [float(number.replace("−", "-")) for number in re.findall(r"[+−]?\d+\.\d+", words)]


def brute_force_mean_iou(prediction, labels, num_classes):
    valid = labels != 255
    ious = []
    for label in range(num_classes):
        called, true = (prediction == label) & valid, (labels == label) & valid
        if (called | true).any():
            ious.append(((called & true).sum() / (called | true).sum()).item())
    return np.mean(ious)


@pytest.fixture(scope="module")
def real():
    """An untrained FCN-8s whose score layers are not zero, on images whose sides no stride divides."""
    torch.manual_seed(0)
    model = create("fcn8s", num_classes=5, backbone="vgg_mini").eval()
    for score in model.score.values():
        nn.init.normal_(score.weight)
    images, labels = torch.randn(2, 3, 75, 101), torch.randint(0, 5, (2, 75, 101))
    labels[:, :10] = 255
    palette = torch.arange(15, dtype=torch.uint8).view(5, 3)
    explorer = FusionExplorer(model, images, labels, "abcde", palette, (0.5,) * 3, (0.5,) * 3)
    return model, images, labels, explorer


@given(weights=st.tuples(*[st.integers(0, 20).map(lambda tenths: tenths / 10)] * 3), class_index=st.integers(0, 4))
def test_the_sum_is_what_the_model_fuses_from_scaled_scores(real, weights, class_index):
    model, images, _, explorer = real
    with torch.no_grad():
        scores = model.scores(images[1:])
        scaled = {name: weight * map_ for (name, map_), weight in zip(scores.items(), weights, strict=True)}
        fused = model.fuse(scaled, (75, 101))[0]
    mix = explorer.compute({"image": 1, "class": "abcde"[class_index], **dict(zip(scores, weights, strict=True))})
    torch.testing.assert_close(mix.total, fused[class_index], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sum(mix.contributions.values()), mix.total, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(mix.coarse["pool4"], scaled["pool4"][0, class_index])
    best = fused.gather(0, mix.prediction[None])[0]
    torch.testing.assert_close(best, fused.amax(0), rtol=1e-4, atol=1e-4)


def test_as_trained_it_is_the_model_itself(real):
    model, images, labels, explorer = real
    with torch.no_grad():
        out = model(images)["out"]
    mix = explorer.compute(explorer.state)
    torch.testing.assert_close(mix.total, out[0, mix.class_index], rtol=1e-4, atol=1e-4)
    assert mix.quality == mix.as_trained
    assert mix.quality.mean_iou == pytest.approx(brute_force_mean_iou(mix.prediction, labels[0], 5))


def test_without_skips_it_interpolates_the_coarsest_scores(explore, streets):
    explorer = explore()
    mix = explorer.compute(explorer.state | {"pool4": 0.0, "pool3": 0.0})
    conv7 = explorer.model.scores(streets[0][:1])["conv7"]
    for size in ((6, 8), (12, 16), (96, 128)):
        conv7 = F.interpolate(conv7, size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(mix.total, conv7[0, mix.class_index])


def test_each_skip_left_out_costs_the_stand_in_boundaries(explore):
    explorer = explore()
    mixes = [explorer.compute(explorer.state | change) for change in ({}, {"pool3": 0.0}, {"pool3": 0.0, "pool4": 0.0})]
    scores = [mix.quality.boundary_f1 for mix in mixes]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > scores[2] + 0.1


def test_words_say_the_mix_and_its_quality(explore):
    explorer = explore()
    assert explorer.stage.words.startswith("As trained: conv7 + pool4 + pool3.\n")
    explorer.state = {"pool3": 0.0, "image": 1}
    first, second, _ = explorer.stage.words.split("\n")
    assert first == "conv7 × 1.0 + pool4 × 1.0 + pool3 × 0.0: the finest map that joins has cells of 16 px."
    mix = explorer.compute(explorer.state)
    qualities = (mix.quality, mix.as_trained)
    measured = [100 * getattr(quality, name) for name in ("mean_iou", "boundary_f1") for quality in qualities]
    assert numbers(second) == pytest.approx(measured, abs=0.051)
    explorer.state = {"conv7": 0.0, "pool4": 0.0}
    assert explorer.stage.words.startswith("Nothing joins: all scores are 0, and the tie goes to Sky.")


def test_a_cell_pointed_at_is_marked_everywhere_and_its_terms_add_up(explore, streets):
    explorer = explore()
    explorer.state = {"class": "Car", "pool4": 0.5}
    explorer.stage.hovered = {"panel": "pool4", "row": 3, "col": 4}
    row, col = 56, 72  # the pixel at the centre of that cell
    words = explorer.stage.words.split("\n")[2]
    conv7, pool4, pool3, total = numbers(words)
    assert words.startswith(f"Row {row}, column {col}, truth {explorer.classes[streets[1][0, row, col]]}:")
    assert conv7 + pool4 + pool3 == pytest.approx(total, abs=0.02)
    assert total == pytest.approx(float(explorer.compute(explorer.state).total[row, col]), abs=0.006)
    places = [mark for mark in explorer.stage.marks if mark["kind"] != "text"]
    assert [mark["kind"] for mark in places] == ["rectangle"] * 3 + ["ring"] * 5
    boxes = {item["panel"]: item["box"] for item in explorer.stage.scene["items"] if item.get("panel")}
    for mark, (x, y, width, height) in zip(places, boxes.values(), strict=True):
        if mark["kind"] == "ring":
            at = (mark["at"][0] - x) / width, (mark["at"][1] - y) / height
            assert at == pytest.approx((4.5 / 8, 3.5 / 6))


def test_void_is_said_and_not_judged(explore):
    explorer = explore()
    explorer.state = {"pinned": {"panel": "truth", "row": 0, "col": 0}}
    assert ", truth void:" in explorer.stage.words
    assert {"right", "wrong"}.isdisjoint(mark.get("text") for mark in explorer.stage.marks)
    errors = next(item for item in explorer.stage.scene["items"] if item.get("panel") == "errors")
    assert errors["data"][0] == 2


def test_an_image_that_is_all_void_has_no_quality_to_report(explore, streets):
    explorer = explore(labels=torch.full_like(streets[1], 255))
    assert math.isnan(explorer.compute(explorer.state).quality.mean_iou)
    assert "mIoU – (as trained –)" in explorer.stage.words


def test_sweep_visits_all_mixes_classes_and_images(explore):
    explorer = explore()
    before, seen, compute = explorer.state, [], explorer.compute
    explorer.compute = lambda state: seen.append(dict(state)) or compute(state)
    assert explorer.sweep() is explorer
    assert {state["image"] for state in seen} == {0, 1, 2}
    assert {state["class"] for state in seen} == set(explorer.classes)
    for name in ("conv7", "pool4", "pool3"):
        assert {state[name] for state in seen} == {round(0.1 * step, 1) for step in range(21)}
    assert explorer.state == before


def test_it_opens_on_the_class_that_finer_maps_shape_most(explore, streets):
    explorer = explore()
    brought, labels = explorer._contributions(0), streets[1][0]
    found = [
        k for k in range(4) if int(((brought.sum(0).argmax(0) == k) & (labels == k)).sum()) >= labels.numel() / 100
    ]
    share = {k: float(sum(brought[1:, k].flatten(1).std(1)) / brought[0, k].std()) for k in found}
    assert len(found) > 1
    assert explorer.state["class"] == explorer.classes[max(share, key=share.get)]


def test_controls_stand_in_columns_and_the_reset_button_ends_the_last(explore):
    explorer = explore()
    weights, views = explorer.children[0].children
    assert [control.description for control in weights.children] == ["conv7 ×", "pool4 ×", "pool3 ×"]
    assert [control.description for control in views.children] == ["image", "class", "Reset"]


@pytest.mark.parametrize(("name", "maps"), [("fcn32s", ["conv7"]), ("fcn16s", ["conv7", "pool4"])])
def test_fewer_skips_show_fewer_maps(explore, streets, name, maps):
    explorer = explore(model=create(name, num_classes=4, backbone="vgg_mini"))
    assert [control for control in explorer.controls if control not in ("image", "class")] == maps
    titles = [item["text"] for item in explorer.sweep().stage.scene["items"] if item["kind"] == "text"]
    assert [title for title in titles if "stride" in title] == [
        f"{name} × 1.0, stride {stride}" for name, stride in zip(maps, (32, 16), strict=False)
    ]


def test_a_single_image_needs_no_slider(explore, streets):
    explorer = explore(images=streets[0][:1], labels=streets[1][:1])
    assert "image" not in explorer.controls
    assert explorer.sweep().stage.words.startswith("As trained")


def test_a_large_image_sends_no_more_cells_than_a_screen_shows(real):
    model = real[0]
    labels = torch.randint(0, 5, (1, 360, 480))
    palette = torch.zeros(5, 3, dtype=torch.uint8)
    explorer = FusionExplorer(model, torch.randn(1, 3, 360, 480), labels, "abcde", palette, (0.5,) * 3, (0.5,) * 3)
    assert explorer.compute(explorer.state).prediction.shape == (360, 480)
    assert sum(len(item.get("data", b"")) for item in explorer.stage.scene["items"]) < 400_000
    explorer.stage.hovered = {"panel": "picture", "row": 179, "col": 239}
    kinds = [mark["kind"] for mark in explorer.stage.marks if mark["kind"] != "text"]
    assert kinds == ["rectangle"] + ["ring"] * 7  # cells of three pixels have no room for an outline
    row, col = map(int, re.findall(r"Row (\d+), column (\d+)", explorer.stage.words)[0])
    assert (abs(row - 359), abs(col - 479)) <= (1, 1)


def test_no_tensor_is_made_on_an_implied_device(real):
    model, images, labels, explorer = real
    palette = torch.zeros(5, 3, dtype=torch.uint8)
    with torch.device("meta"):
        other = FusionExplorer(model, images, labels, "abcde", palette, (0.5,) * 3, (0.5,) * 3)
        other.state = {"pool3": 0.5, "pinned": {"panel": "sum", "row": 5, "col": 5}}
    torch.testing.assert_close(other.compute(other.state).total, explorer.compute(other.state).total)


def test_many_classes_share_a_legend_of_those_present(explore, streets):
    classes = [f"class {label}" for label in range(21)]
    palette = torch.zeros(21, 3, dtype=torch.uint8)
    model = create("fcn8s", num_classes=21, backbone="vgg_mini")
    explorer = explore(model=model, classes=classes, palette=palette)
    legend = [item["text"] for item in explorer.stage.scene["items"] if item.get("text", "").startswith("class ")]
    assert legend == ["class 0", "class 1", "class 2", "class 3"]


def test_the_model_is_left_as_it_was(explore):
    model = create("fcn8s", num_classes=4, backbone="vgg_mini").train()
    statistics = {name: buffer.clone() for name, buffer in model.named_buffers()}
    explore(model=model).sweep()
    assert model.training
    assert all(torch.equal(buffer, statistics[name]) for name, buffer in model.named_buffers())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"images": torch.zeros(3, 1, 96, 128)}, r"images has shape \(3, 1, 96, 128\)"),
        (
            {"labels": torch.zeros(3, 96, 96, dtype=torch.int64)},
            r"labels has shape \(3, 96, 96\), expected \(3, 96, 128\)",
        ),
        ({"classes": ("Sky", "Road")}, r"palette has shape \(4, 3\), expected \(2, 3\)"),
        ({"model": create("fcn8s", num_classes=7, backbone="vgg_mini")}, "7 classes"),
    ],
)
def test_what_does_not_belong_together_is_refused(explore, change, says):
    with pytest.raises(ValueError, match=says):
        explore(**change)


def test_the_still_is_drawn_from_the_same_scene(explore):
    bundle, _ = explore()._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Fusion explorer: ")
    assert len(bundle["image/png"]) < 200_000
