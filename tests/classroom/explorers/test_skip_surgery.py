"""The skip surgery explorer shows what the U-Net and the metrics say, for every operation."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from looks import panels_of
from scipy import ndimage
from torch import nn

from segedu.classroom.explorers import SkipSurgeryExplorer
from segedu.classroom.explorers.skip_surgery import NEXT, OWN
from segedu.classroom.explorers.skip_surgery_picture import FALSE, FOUND, MISSED, RIGHT, VOID
from segedu.data import Cells
from segedu.models import UNet, UNetOriginal

CELLS = Cells((40, 56), seed=3)  # 40 is halved to 20, 10, 5 and 2: one level has an odd side


def untrained(num_classes=2):
    """Random weights, balanced so that both classes are predicted."""
    torch.manual_seed(1)
    model = UNet(num_classes, width=2).eval()
    images, _ = CELLS.batch(range(3))
    with torch.no_grad():
        out = model(images)["out"]
        model.score.bias -= out.mean((0, 2, 3))
    return model


@pytest.fixture(scope="module")
def unet():
    return untrained()


@pytest.fixture(scope="module")
def scenes():
    images, labels = CELLS.batch(range(3))
    labels[:, :4, :4] = 255
    return images, labels


@pytest.fixture
def operate(unet, scenes):
    """Build the explorer; keywords replace its arguments."""

    def build(**changes):
        images, labels = scenes
        given = {"model": unet, "images": images, "labels": labels, "classes": CELLS.classes, "palette": CELLS.palette}
        return SkipSurgeryExplorer(**given | {"mean": CELLS.mean, "std": CELLS.std} | changes)

    return build


@pytest.fixture(scope="module")
def shared(unet, scenes):
    """One explorer for tests that only compute."""
    return SkipSurgeryExplorer(unet, *scenes, CELLS.classes, CELLS.palette, CELLS.mean, CELLS.std)


def state_of(*weights, image=0, donor=OWN, look=0):
    return {f"skip{skip + 1}": weight for skip, weight in enumerate(weights)} | {
        "image": image,
        "donor": donor,
        "look": look,
    }


@settings(deadline=None, max_examples=12)
@given(
    weights=st.tuples(*[st.integers(0, 20).map(lambda tenths: tenths / 10)] * 4),
    image=st.integers(0, 2),
    donor=st.sampled_from([OWN, NEXT]),
    look=st.integers(0, 3),
)
def test_it_shows_what_the_model_decodes_from_scaled_skips(unet, scenes, shared, weights, image, donor, look):
    other = (image + 1) % 3 if donor == NEXT else image
    with torch.no_grad():
        bottom = unet.encode(scenes[0])[-1][image : image + 1]
        skips = [skip[other : other + 1] for skip in unet.encode(scenes[0])[:-1]]
        scores = unet.decode([*(weight * skip for weight, skip in zip(weights, skips, strict=True)), bottom])[0]
    operation = shared.compute(state_of(*weights, image=image, donor=donor, look=look))
    torch.testing.assert_close(operation.margin, scores[1] - scores[0], rtol=1e-4, atol=1e-5)
    best = scores.gather(0, operation.prediction[None])[0]
    torch.testing.assert_close(best, scores.amax(0), rtol=1e-4, atol=1e-5)
    active = weights[look] * skips[look][0].abs().mean(0)
    torch.testing.assert_close(operation.read[0], active, rtol=1e-4, atol=1e-5)
    assert operation.read[1].shape == active.shape


def test_as_trained_it_is_the_model_itself(unet, scenes, shared):
    with torch.no_grad():
        out = unet(scenes[0][1:2])["out"][0]
    operation = shared.compute(state_of(1.0, 1.0, 1.0, 1.0, image=1))
    torch.testing.assert_close(operation.margin, out[1] - out[0])
    assert torch.equal(operation.prediction, out.argmax(0))
    assert operation.intact
    assert operation.quality == operation.as_trained == operation.to_donor


def test_what_comes_from_below_is_the_upsampled_map(unet, scenes, shared):
    """At the coarsest skip nothing has been scaled yet: the up-convolution of the bottom, with zeros where it ends."""
    with torch.no_grad():
        up = unet.expand[0].up(unet.encode(scenes[0][:1])[-1])[0].abs().mean(0)
    below = shared.compute(state_of(0.0, 0.0, 0.0, 0.0, look=3)).read[1]
    assert (up.shape, below.shape) == ((4, 6), (5, 7))
    torch.testing.assert_close(below[:4, :6], up)
    assert not below[4:].any()
    assert not below[:, 6:].any()


def test_worth_is_what_the_margin_loses_without_that_skip(shared):
    intact = shared.compute(state_of(1.0, 1.0, 1.0, 1.0))
    for skip in range(4):
        without = shared.compute(state_of(*(float(other != skip) for other in range(4)), look=skip))
        torch.testing.assert_close(intact.worth[skip], intact.margin - without.margin)
        assert without.without == without.quality


def test_scores_are_those_of_the_looked_at_class(scenes, shared):
    for donor, weights in ((OWN, (0.5, 1.0, 2.0, 1.0)), (NEXT, (1.0, 1.0, 1.0, 1.0))):
        operation = shared.compute(state_of(*weights, donor=donor))
        for quality, truth in ((operation.quality, scenes[1][0]), (operation.to_donor, scenes[1][operation.donor])):
            valid = truth != 255
            called, true = (operation.prediction == 1) & valid, (truth == 1) & valid
            assert quality.iou == pytest.approx(float((called & true).sum() / (called | true).sum()))
            assert quality.counted == ndimage.label(called)[1]
            assert quality.true == ndimage.label(true)[1]


def test_the_encoder_runs_once_an_image_and_each_setting_is_decoded_once(operate, monkeypatch):
    calls = {"encode": [], "decode": []}
    for name, seen in calls.items():
        call = getattr(UNet, name)
        monkeypatch.setattr(UNet, name, lambda self, given, call=call, seen=seen: seen.append(1) or call(self, given))
    explorer = operate()
    assert [len(seen) for seen in calls.values()] == [1, 5]  # as trained, and without each skip
    for value in (0.5, 1.0, 0.5, 0.0, 1.0):
        explorer.state = {"skip2": value}
    explorer.state = {"look": 3}
    assert [len(seen) for seen in calls.values()] == [1, 6]
    explorer.state = {"donor": NEXT}
    explorer.state = {"image": 1, "donor": OWN}
    assert len(calls["encode"]) == 2


def test_errors_are_told_apart(operate, scenes):
    explorer = operate()
    explorer.state = {"skip1": 0.3}
    called, truth = explorer.compute(explorer.state).prediction.numpy() == 1, scenes[1][0].numpy()
    expected = np.select(
        [truth == 255, called & (truth == 1), called, truth == 1], [VOID, FOUND, FALSE, MISSED], default=RIGHT
    )
    shown = np.frombuffer(panels_of(explorer.stage)["errors"]["data"], np.uint8).reshape(expected.shape)
    assert np.array_equal(shown, expected)
    assert set(np.unique(shown)) == {RIGHT, FOUND, FALSE, MISSED, VOID}


def test_the_skip_of_the_slider_glows_and_the_one_from_below_stays_on_its_scale(operate):
    explorer = operate()
    before = np.frombuffer(panels_of(explorer.stage)["skip"]["data"], np.uint8)
    explorer.state = {"skip1": 0.5}
    half = np.frombuffer(panels_of(explorer.stage)["skip"]["data"], np.uint8)
    assert np.abs(half - before / 2).max() <= 1
    assert before.max() == 254


def test_words_say_what_was_done(operate):
    explorer = operate()
    assert explorer.stage.words.startswith("As trained: every skip × 1.\nImage 0: IoU of Cell ")
    assert "(as trained" not in explorer.stage.words
    explorer.state = {"skip1": 0.0, "skip3": 1.4}
    setting, scores, skip = explorer.stage.words.split("\n")
    assert setting == "Skip 1 × 0.0, skip 3 × 1.4, the others × 1."
    now, trained = (explorer.compute(explorer.state) for _ in range(2))
    now, trained = now.quality, trained.as_trained
    percent = [100 * value for quality in (now, trained) for value in (quality.iou, quality.boundary_f1)]
    said = [float(number) for number in re.findall(r"(\d+\.\d)\N{NO-BREAK SPACE}%", scores)]
    assert said == pytest.approx([percent[0], percent[2], percent[1], percent[3]], abs=0.051)
    assert f"objects {now.counted} ({trained.counted}) for {now.true} true ones, merged {now.merged}" in scores
    assert skip.startswith("Skip 1 alone at 0: IoU ")
    explorer.state = {f"skip{skip}": 0.0 for skip in (1, 2, 3, 4)}
    assert explorer.stage.words.startswith("No skip, everything comes up from the bottom.")


def test_swapped_skips_are_judged_by_both_truths(operate, scenes):
    explorer = operate()
    explorer.state = {"image": 2, "donor": NEXT}  # the next of the last is the first
    setting, truths, _ = explorer.stage.words.split("\n")
    assert setting == "Image 2, skips of image 0: every skip × 1."
    operation = explorer.compute(explorer.state)
    nearer = 0 if operation.to_donor.boundary_f1 > operation.quality.boundary_f1 else 2
    assert truths.endswith(f"the outlines of image {nearer} fit better.")
    shown = np.frombuffer(panels_of(explorer.stage)["beside"]["data"], np.uint8)
    assert np.array_equal(shown, np.where(scenes[1][0] == 255, 2, scenes[1][0]).ravel())


def test_a_place_is_marked_everywhere_and_its_margin_and_worths_are_said(operate):
    explorer = operate()
    explorer.state = {"skip2": 0.4, "look": 3}
    explorer.stage.hovered = {"panel": "skip", "row": 3, "col": 4}  # of 5 x 7 cells
    row, col = 28, 36  # the pixel at the centre of that cell
    operation = explorer.compute(explorer.state)
    place = explorer.stage.words.split("\n")[2]
    assert place.startswith(f"Row {row}, column {col}, truth ")
    said = [float(number.replace("−", "-")) for number in re.findall(r"[+−]?\d+\.\d\d", place)]
    values = [operation.margin, operation.margin_as_trained, *operation.worth]
    assert said == pytest.approx([float(map_[row, col]) for map_ in values], abs=0.0051)
    kinds = [mark["kind"] for mark in explorer.stage.marks if mark["kind"] != "text"]
    assert kinds == ["ring"] * 5 + ["rectangle"] * 2 + ["ring"]
    explorer.state = {"pinned": {"panel": "truth", "row": 0, "col": 0}}
    assert ", truth void:" in explorer.stage.words
    assert [mark["text"] for mark in explorer.stage.marks if mark["kind"] == "text"].count("void") == 3


def test_sweep_visits_every_operation_and_comes_back(operate):
    explorer = operate()
    quality = explorer.compute(explorer.state).quality
    explorer._measure = lambda *setting: (
        quality
    )  # the scores take longer than all the rest, and have tests of their own
    before, seen, compute = explorer.state, [], explorer.compute
    explorer.compute = lambda state: seen.append(dict(state)) or compute(state)
    assert explorer.sweep() is explorer
    for name, values in (("image", {0, 1, 2}), ("donor", {OWN, NEXT}), ("look", {0, 1, 2, 3})):
        assert {state[name] for state in seen} == values
    for name in ("skip1", "skip2", "skip3", "skip4"):
        assert {state[name] for state in seen} == {round(0.1 * step, 1) for step in range(21)}
    assert explorer.state == before


def test_a_single_image_has_nothing_to_swap_with(operate, scenes):
    explorer = operate(images=scenes[0][:1], labels=scenes[1][:1])
    assert list(explorer.controls) == ["skip1", "skip2", "skip3", "skip4", "look"]
    assert explorer.stage.words.startswith("As trained")


def test_all_void_and_a_class_that_nothing_is_have_no_scores(operate, scenes):
    assert "IoU of Cell –" in operate(labels=torch.full_like(scenes[1], 255)).stage.words
    three = operate(model=untrained(3), classes=("a", "b", "c"), palette=torch.zeros(3, 3, dtype=torch.uint8), label=2)
    assert "for 0 true ones" in three.stage.words
    with torch.no_grad():
        scores = three.model(scenes[0][:1])["out"][0]
    torch.testing.assert_close(three.compute(three.state).margin, scores[2] - scores[:2].amax(0))


def test_a_large_image_sends_no_more_cells_than_a_screen_shows(operate):
    images, labels = torch.randn(1, 3, 320, 400), torch.randint(0, 2, (1, 320, 400))
    explorer = operate(images=images, labels=labels)
    assert explorer.compute(explorer.state).prediction.shape == (320, 400)
    assert sum(len(item.get("data", b"")) for item in explorer.stage.scene["items"]) < 400_000
    explorer.stage.hovered = {"panel": "errors", "row": 159, "col": 199}
    assert explorer.stage.words.split("\n")[2].startswith("Row 319, column 399,")


def test_no_tensor_is_made_on_an_implied_device(operate, shared):
    with torch.device("meta"):
        explorer = operate()
        explorer.state = {"skip1": 0.5, "pinned": {"panel": "worth", "row": 5, "col": 5}}
    margin = explorer.compute(explorer.state).margin
    torch.testing.assert_close(margin, shared.compute(state_of(0.5, 1.0, 1.0, 1.0)).margin)


def test_the_model_is_left_as_it_was(operate):
    model = untrained().train()
    statistics = {name: buffer.clone() for name, buffer in model.named_buffers()}
    explorer = operate(model=model)
    explorer.state = {"skip1": 0.0, "donor": NEXT}
    assert all(module.training for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(torch.equal(buffer, statistics[name]) for name, buffer in model.named_buffers())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_two_threads_may_operate_at_once_while_the_model_trains(operate, shared):
    """A notebook's kernel hears of sliders in one thread, of the stage's questions in another, and runs cells."""
    model = untrained().train()
    explorer = operate(model=model)
    states = [state_of(0.1 * step, 1.0, 1.0, 1.0) for step in range(12)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(explorer.compute, states * 3))
    for state, operation in zip(states * 3, found, strict=True):
        torch.testing.assert_close(operation.margin, shared.compute(state).margin)
        torch.testing.assert_close(operation.read, shared.compute(state).read)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"model": nn.Conv2d(3, 2, 1)}, TypeError, "model is a Conv2d, expected a segedu.models.UNet"),
        ({"model": UNetOriginal(2, width=1)}, TypeError, "model is a UNetOriginal"),
        ({"model": UNet(3, width=1)}, ValueError, "the model scores 3 classes, but classes names 2"),
        ({"images": torch.zeros(3, 1, 40, 56)}, ValueError, r"images has shape \(3, 1, 40, 56\)"),
        ({"label": 2}, ValueError, "label is 2 and there are 2 classes"),
    ],
)
def test_what_does_not_belong_together_is_refused(operate, change, error, says):
    with pytest.raises(error, match=says):
        operate(**change)


def test_the_still_is_drawn_from_the_same_scene(operate):
    bundle, _ = operate()._repr_mimebundle_()
    assert bundle["text/plain"].startswith("Skip surgery explorer: ")
    assert len(bundle["image/png"]) < 200_000
