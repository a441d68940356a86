"""The two paths explorer shows what a BiSeNet says without a part, and what that saves."""

import operator
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count as counting

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from looks import panels_of
from torch import nn
from torch.nn import functional as F

from segedu.classroom.explorers import TwoPathsExplorer, two_paths_cost, two_paths_surgery
from segedu.classroom.explorers.two_paths_picture import BETTER, RIGHT, VOID, WORSE, WRONG
from segedu.classroom.explorers.two_paths_surgery import JOINS, PathSurgery, Setting
from segedu.classroom.explorers.two_paths_words import count, duration
from segedu.data import Streets
from segedu.models import create
from segedu.models.bisenet import BiSeNet, ContextPath, FeatureFusion, SharedBiSeNet, SpatialPath
from segedu.profile import macs

STREETS = Streets((48, 72), seed=2)
CLASSES = len(STREETS.classes)


def untrained(num_classes=CLASSES):
    """Random weights, balanced so that several classes are predicted."""
    torch.manual_seed(0)
    model = create("bisenet", num_classes, backbone="resnet_mini").eval()
    images, _ = STREETS.batch(range(2))
    with torch.no_grad():
        out = model(images)["out"]
        model.head[-1].bias -= out.mean((0, 2, 3))
    return model


@pytest.fixture(scope="module")
def bisenet():
    return untrained()


@pytest.fixture(scope="module")
def scenes():
    images, labels = STREETS.batch(range(2))
    labels[:, :4, :4] = 255
    return images, labels


@pytest.fixture
def operate(bisenet, scenes):
    """Build the explorer; keywords replace its arguments."""

    def build(**changes):
        images, labels = scenes
        given = {"model": bisenet, "images": images, "labels": labels}
        given |= {"classes": STREETS.classes, "palette": STREETS.palette, "mean": STREETS.mean, "std": STREETS.std}
        return TwoPathsExplorer(**given | changes)

    return build


@pytest.fixture
def clock(monkeypatch):
    """A clock by which every network takes another time; the list tells how often it has been asked."""
    asked = []
    monkeypatch.setattr(two_paths_surgery, "milliseconds", lambda run: asked.append(run) or 10.0 * len(asked))
    return asked


@pytest.fixture(scope="module")
def surgery(bisenet, scenes):
    """For tests that only look."""
    return PathSurgery(bisenet, scenes[0])


SETTINGS = st.builds(
    Setting,
    spatial=st.booleans(),
    context=st.booleans(),
    refinement=st.booleans(),
    fusion_gate=st.booleans(),
    joined=st.sampled_from([*JOINS]),
    scale=st.integers(1, 8).map(lambda eighths: eighths / 8),
)


def scores_of(model, images, setting):
    """What is meant by a setting, written out: the image's scores, and the maps that the fusion reads."""
    size = images.shape[-2:]
    smaller = [int(side * setting.scale) for side in size]
    seen = images if setting.scale == 1 else F.interpolate(images, smaller, mode="bilinear", align_corners=False)
    cells = [-(-side // 8) for side in seen.shape[-2:]]
    spatial = model.spatial_path(seen)
    context = _context_of(model.context_path, seen, setting, cells)
    maps = (spatial * setting.spatial, context * setting.context)
    mixed = model.fusion.mix(torch.cat(maps, dim=1))
    fused = mixed + mixed * model.fusion.gate(mixed) if setting.fusion_gate else mixed
    out = model.upsample["out"](model.head(fused), seen.shape[-2:])
    if setting.scale != 1:
        out = F.interpolate(out, size, mode="bilinear", align_corners=False)
    return out[0], seen[0], maps


def _context_of(path, seen, setting, cells):
    maps = path.trunk(seen)
    refined = {}
    for name, attention in (("layer4", path.attention32), ("layer3", path.attention16)):
        plain = attention.conv(maps[name])
        refined[name] = plain * attention.gate(plain) if setting.refinement else plain
    pooled = path.global_context(maps["layer4"])
    coarse = {
        "added": refined["layer4"] + pooled,
        "multiplied": refined["layer4"] * pooled,
        "left out": refined["layer4"],
    }
    stride16 = path.refine16(path.upsample(coarse[setting.joined], maps["layer3"].shape[-2:]))
    return path.refine8(path.upsample(stride16 + refined["layer3"], cells))


@settings(deadline=None, max_examples=15)
@given(setting=SETTINGS, image=st.integers(0, 1))
def test_off_is_what_a_reader_means_by_it(bisenet, scenes, surgery, setting, image):
    with torch.no_grad():
        scores, seen, maps = scores_of(bisenet, scenes[0][image : image + 1], setting)
    passed = surgery.look(image, setting)
    assert torch.equal(passed.seen, seen)
    for active, map_ in zip(passed.active, maps, strict=True):
        torch.testing.assert_close(active, map_[0].abs().mean(0), rtol=1e-4, atol=1e-5)
    best = scores.gather(0, passed.prediction[None])[0]
    torch.testing.assert_close(best, scores.amax(0), rtol=1e-4, atol=1e-5)


def test_with_all_on_it_is_the_model_itself(bisenet, scenes, surgery):
    with torch.no_grad(), surgery._operated(surgery.intact) as network:
        assert torch.equal(network(scenes[0])["out"], bisenet(scenes[0])["out"])
    assert torch.equal(surgery.look(1, surgery.intact).prediction, bisenet(scenes[0])["out"][1].argmax(0))


def test_what_is_off_is_not_computed(bisenet, surgery):
    """The arithmetic of the whole, less that of the part: so the time can fall."""
    size = STREETS.size
    whole = surgery.look(0, surgery.intact).macs
    assert whole == macs(bisenet, size)
    spatial, neither = macs(bisenet.spatial_path, size), surgery.look(0, Setting(spatial=False, context=False)).macs
    assert surgery.look(0, Setting(spatial=False)).macs == whole - spatial
    assert surgery.look(0, Setting(context=False)).macs == neither + spatial
    path, gate = bisenet.context_path, bisenet.fusion.gate
    pooled = path.global_context[1].weight.numel()
    gates = sum(attention.gate[1].weight.numel() for attention in (path.attention32, path.attention16))
    assert surgery.look(0, Setting(joined="left out")).macs == whole - pooled
    assert surgery.look(0, Setting(refinement=False)).macs == whole - gates
    weights = sum(layer.weight.numel() for layer in gate if isinstance(layer, nn.Conv2d))
    assert surgery.look(0, Setting(fusion_gate=False)).macs == whole - weights
    small = surgery.look(0, Setting(scale=0.5)).macs
    assert small == macs(bisenet, (size[0] // 2, size[1] // 2))


def test_a_time_is_that_of_a_few_passes(monkeypatch, surgery):
    seen = []
    monkeypatch.setattr(surgery, "_predict", lambda network, image: seen.append(image))
    assert surgery._measure(Setting(scale=0.125)) > 0
    assert seen == [0] * 5


def test_the_least_time_counts_and_slow_passes_are_few(monkeypatch):
    for ticks, least, runs in (([0, 9, 10, 15, 20, 27, 30, 38, 40, 46], 5, 5), ([0, 200, 300, 500, 600], 200, 2)):
        told = iter(ticks)
        monkeypatch.setattr(two_paths_cost, "perf_counter", lambda told=told: next(told) / 1e3)
        ran = []
        assert two_paths_cost.milliseconds(lambda ran=ran: ran.append(1)) == pytest.approx(least)
        assert len(ran) == runs


def test_each_network_is_timed_once_and_each_image_looked_at_once(operate, clock, monkeypatch):
    passes, predict = [], PathSurgery._predict
    monkeypatch.setattr(PathSurgery, "_predict", lambda *given: passes.append(given[1:]) or predict(*given))
    explorer = operate()
    assert (len(passes), len(clock)) == (1, 1)
    for spatial in (False, True, False, True):
        explorer.state = {"spatial": spatial}
    assert (len(passes), len(clock)) == (2, 2)
    explorer.state = {"image": 1}
    assert (len(passes), len(clock)) == (3, 2)
    explorer.state = {"context": False}
    explorer.state = {"refinement": False, "joined": "multiplied"}  # nothing is left for these to act on
    assert (len(passes), len(clock)) == (4, 3)


def test_it_measures_every_prediction_by_its_own_image(operate, scenes, clock):
    explorer = operate()
    explorer.state = {"image": 1, "fusion_gate": False}
    shown = explorer.compute(explorer.state)
    valid = scenes[1][1] != 255
    for prediction, quality in (
        (shown.prediction, shown.quality),
        (shown.prediction_as_trained, shown.as_trained),
    ):
        called, truth = prediction[valid], scenes[1][1][valid]
        unions = [((called == label) | (truth == label)).sum() for label in range(CLASSES)]
        common = [((called == label) & (truth == label)).sum() for label in range(CLASSES)]
        ious = [float(both / either) for both, either in zip(common, unions, strict=True) if either]
        assert quality.mean_iou == pytest.approx(np.mean(ious))
    assert not torch.equal(shown.prediction, shown.prediction_as_trained)


def test_errors_are_told_apart_by_what_the_whole_network_had_right(operate, scenes, clock):
    explorer = operate()
    explorer.state = {"spatial": False}
    shown, truth = explorer.compute(explorer.state), scenes[1][0].numpy()
    now, before = (map_.numpy() == truth for map_ in (shown.prediction, shown.prediction_as_trained))
    expected = np.select([truth == 255, now & before, now, before], [VOID, RIGHT, BETTER, WORSE], default=WRONG)
    outcomes = np.frombuffer(panels_of(explorer.stage)["errors"]["data"], np.uint8).reshape(expected.shape)
    assert np.array_equal(outcomes, expected)
    assert set(np.unique(outcomes)) == {RIGHT, WORSE, BETTER, WRONG, VOID}
    worse, better = (int((expected == outcome).sum()) for outcome in (WORSE, BETTER))
    assert explorer.stage.words.split("\n")[3].startswith(f"{worse} pixels newly wrong, {better} newly right;")


def test_words_say_what_is_off_and_what_it_saves(operate, clock):
    explorer = operate()
    setting, scores, cost, _ = explorer.stage.words.split("\n")
    assert setting == "As trained: both paths and all modules are on, and the model reads 48 × 72 pixels."
    assert scores.startswith("Image 0: mean IoU ")
    assert "as trained" not in scores
    whole = explorer.compute(explorer.state).cost.macs
    assert cost == f"10.0\N{NO-BREAK SPACE}ms a pass here, the fastest of a few, {count(whole)} multiply-adds."
    explorer.state = {"spatial": False, "joined": "multiplied", "fusion_gate": False, "scale": 0.5}
    shown = explorer.compute(explorer.state)
    setting, scores, cost, _ = explorer.stage.words.split("\n")
    assert setting == ("Off: spatial path, fusion gate. Context multiplied. Image at 24 × 36 pixels.")
    measured = (shown.quality, shown.as_trained)
    percent = [100 * value for quality in measured for value in (quality.mean_iou, quality.boundary_f1)]
    said = [float(number) for number in re.findall(r"(\d+\.\d)\N{NO-BREAK SPACE}%", scores)]
    assert said == pytest.approx([percent[0], percent[2], percent[1], percent[3]], abs=0.051)
    assert cost.startswith("20.0\N{NO-BREAK SPACE}ms a pass (as trained 10.0\N{NO-BREAK SPACE}ms): 200")
    assert f"time, {100 * shown.cost.macs / whole:.0f}\N{NO-BREAK SPACE}% of the multiply-adds." in cost
    for state, said in (
        ({"joined": "left out", "refinement": False}, "Off: refinement, global context."),
        ({"joined": "left out", "context": False}, "Off: context path with its modules."),
        ({"joined": "multiplied"}, "Context multiplied."),
        ({"spatial": False, "context": False}, "Both paths are off: nothing of the picture is left"),
    ):
        explorer.reset()
        explorer.state = state
        assert explorer.stage.words.startswith(said)


def test_without_both_paths_every_picture_gets_the_same_answer(surgery):
    nothing = Setting(spatial=False, context=False)
    assert torch.equal(surgery.look(0, nothing).prediction, surgery.look(1, nothing).prediction)
    assert not any(map_.any() for map_ in surgery.look(0, nothing).active)


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0"), (999, "999"), (1234, "1.23 k"), (15_992_576, "16.0 M"), (999_600, "1.00 M"), (2 * 10**12, "2.00 T")],
)
def test_numbers_have_three_digits(number, said):
    assert count(number) == said.replace(" ", "\N{NO-BREAK SPACE}")


def test_durations_have_three_digits():
    said = [duration(value).replace("\N{NO-BREAK SPACE}", " ") for value in (0.1234, 5.678, 21.04, 312.4, 9876.0)]
    assert said == ["0.12 ms", "5.68 ms", "21.0 ms", "312 ms", "9876 ms"]
    assert duration(float("nan")) == "–"


def test_what_is_not_as_trained_is_framed_and_its_arrows_are_pale(operate, clock):
    explorer = operate()

    def framed():
        items = explorer.stage.scene["items"]
        frames = [item for item in items if item["kind"] == "rectangle" and item["stroke"] == "now"]
        return {
            name
            for name, panel in panels_of(explorer.stage).items()
            for frame in frames
            if abs(frame["box"][0] - panel["box"][0]) <= 1 and abs(frame["box"][1] - panel["box"][1]) <= 1
        }

    def pale():
        return sum(item["kind"] == "line" and item["stroke"] == "border" for item in explorer.stage.scene["items"])

    assert (framed(), pale()) == (set(), 0)
    for state, panels, lines in (
        ({"spatial": False}, {"spatial"}, 4),
        ({"context": False}, {"context"}, 4),
        ({"refinement": False}, {"context"}, 0),
        ({"joined": "multiplied"}, {"context"}, 0),
        ({"scale": 0.5}, {"image"}, 0),
        ({"spatial": False, "context": False, "scale": 0.125}, {"spatial", "context", "image"}, 8),
    ):
        explorer.reset()
        explorer.state = state
        assert (framed(), pale()) == (panels, lines)


def test_a_path_glows_as_bright_as_its_brightest_place_as_trained(operate, clock):
    explorer = operate()
    explorer.state = {"joined": "multiplied"}
    shown = explorer.compute(explorer.state)
    for name, active, loudest in zip(("spatial", "context"), shown.active, shown.loudest, strict=True):
        panel = panels_of(explorer.stage)[name]
        glow = np.frombuffer(panel["data"], np.uint8).reshape(panel["shape"])
        expected = np.clip(active.numpy() / loudest, 0, 1)
        assert np.abs(glow / 254 - expected).max() <= 0.5 / 254 + 1e-6
    assert np.frombuffer(panels_of(explorer.stage)["spatial"]["data"], np.uint8).max() == 254


def test_a_place_is_marked_everywhere_and_said(operate, scenes, clock):
    explorer = operate()
    explorer.state = {"spatial": False, "scale": 0.5}
    explorer.stage.hovered = {"panel": "context", "row": 1, "col": 3}  # of 3 x 5 cells
    row, col = 24, 50  # the pixel at the centre of that cell
    shown = explorer.compute(explorer.state)
    names = [
        STREETS.classes[int(map_[row, col])] for map_ in (scenes[1][0], shown.prediction, shown.prediction_as_trained)
    ]
    place = explorer.stage.words.split("\n")[3]
    assert place.startswith(f"Row {row}, column {col}, truth {names[0]}: now {names[1]}, as trained {names[2]};")
    assert place.endswith(f"spatial path 0.00, of the context path {float(shown.active[1][1, 3]):.2f}.")
    kinds = [mark["kind"] for mark in explorer.stage.marks if mark["kind"] != "text"]
    assert sorted(kinds) == ["rectangle"] * 2 + ["ring"] * 4
    explorer.state = {"pinned": {"panel": "truth", "row": 0, "col": 0}}
    assert ", truth void:" in explorer.stage.words
    assert [mark["text"] for mark in explorer.stage.marks if mark["kind"] == "text"].count("void") == 2


def test_the_stored_picture_holds_no_time_but_the_reader_sees_it(operate, monkeypatch):
    times = counting(7)
    monkeypatch.setattr(two_paths_surgery, "milliseconds", lambda run: float(next(times)))
    stored = []
    for _ in range(2):
        explorer = operate()
        explorer.state = {"pinned": {"panel": "errors", "row": 20, "col": 20}, "scale": 0.5}
        before = (explorer.stage.scene, explorer.stage.marks, explorer.stage.words)
        bundle, _ = explorer._repr_mimebundle_()
        assert (explorer.stage.scene, explorer.stage.marks, explorer.stage.words) == before
        assert any(item.get("text", "").endswith("ms") for item in explorer.stage.scene["items"])
        stored.append((bundle["image/png"], bundle["text/plain"]))
    assert stored[0] == stored[1]
    assert stored[0][1].startswith("Two paths explorer: ")


def test_sweep_visits_every_setting_and_comes_back(operate, clock):
    explorer = operate()
    before, seen, compute = explorer.state, [], explorer.compute
    explorer.compute = lambda state: seen.append(dict(state)) or compute(state)
    assert explorer.sweep() is explorer
    for name in ("spatial", "context", "refinement", "fusion_gate"):
        assert {state[name] for state in seen} == {False, True}
    assert {state["joined"] for state in seen} == {"added", "multiplied", "left out"}
    assert {state["scale"] for state in seen} == {eighths / 8 for eighths in range(1, 9)}
    assert {state["image"] for state in seen} == {0, 1}
    assert explorer.state == before


def test_switches_say_whether_they_are_on(operate, clock):
    explorer = operate()
    explorer.state = {"refinement": False}
    assert [explorer.controls[name].description for name in ("spatial", "refinement")] == [
        "spatial path: on",
        "attention refinement: off",
    ]


def test_a_single_image_needs_no_slider(operate, scenes, clock):
    explorer = operate(images=scenes[0][:1], labels=scenes[1][:1])
    assert "image" not in explorer.controls
    assert explorer.stage.words.startswith("As trained")


def test_all_void_has_no_scores(operate, scenes, clock):
    explorer = operate(labels=torch.full_like(scenes[1], 255))
    assert "mean IoU –, boundary F1 –" in explorer.stage.words


def test_a_network_trained_with_its_context_multiplied_opens_so(operate, bisenet, clock):
    model = untrained()
    model.context_path.combine = operator.mul
    explorer = operate(model=model)
    assert explorer.state["joined"] == "multiplied"
    assert explorer.stage.words.startswith("As trained")
    explorer.state = {"joined": "added"}
    assert explorer.stage.words.startswith("Context added.")
    assert torch.equal(explorer.compute(explorer.state).prediction, operate().compute(explorer.state).prediction)


def test_a_large_image_sends_no_more_cells_than_a_screen_shows(operate, clock):
    images, labels = torch.randn(1, 3, 480, 640), torch.randint(0, CLASSES, (1, 480, 640))
    explorer = operate(images=images, labels=labels)
    assert explorer.compute(explorer.state).prediction.shape == (480, 640)
    assert sum(len(item.get("data", b"")) for item in explorer.stage.scene["items"]) < 500_000
    explorer.stage.hovered = {"panel": "errors", "row": 0, "col": 0}
    assert explorer.stage.words.split("\n")[3].startswith("Row 1, column 1,")


def test_no_tensor_is_made_on_an_implied_device(operate, surgery, clock):
    with torch.device("meta"):
        explorer = operate()
        explorer.state = {"spatial": False, "scale": 0.5, "pinned": {"panel": "errors", "row": 5, "col": 5}}
    found = explorer.compute(explorer.state).prediction
    assert torch.equal(found, surgery.look(0, Setting(spatial=False, scale=0.5)).prediction)


def test_the_model_and_the_random_numbers_are_left_as_they_were(operate, scenes):
    model = untrained().train()
    parts = {name: (type(module), module.training) for name, module in model.named_modules()}
    values = {name: value.clone() for name, value in model.state_dict().items()}
    drawn = torch.get_rng_state()
    explorer = operate(model=model)
    for state in ({"spatial": False}, {"context": False}, {"refinement": False}, {"fusion_gate": False}):
        explorer.state = state
    assert torch.equal(torch.get_rng_state(), drawn)
    assert {name: (type(module), module.training) for name, module in model.named_modules()} == parts
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(torch.equal(value, values[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    explorer.reset()
    with torch.no_grad():
        assert torch.equal(explorer.compute(explorer.state).prediction, model.eval()(scenes[0][:1])["out"][0].argmax(0))


def test_an_operation_that_fails_leaves_the_network_whole(bisenet, scenes):
    surgery = PathSurgery(bisenet, scenes[0])
    with pytest.raises(KeyError), surgery._operated(replace(surgery.intact, spatial=False, joined="averaged")):
        pass
    with pytest.raises(RuntimeError), surgery._operated(Setting(spatial=False, context=False)):
        raise RuntimeError("in the middle of it")
    assert torch.equal(surgery.look(0, surgery.intact).prediction, bisenet(scenes[0][:1])["out"][0].argmax(0))


def test_two_threads_may_operate_at_once(operate, surgery, clock):
    """A notebook's kernel hears of sliders in one thread, of the stage's questions in another, and runs cells."""
    explorer = operate()
    state = {name: value for name, value in explorer.state.items() if name != "pinned"}
    states = [state | {"spatial": spatial, "scale": scale} for spatial in (True, False) for scale in (0.25, 0.5, 1.0)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(explorer.compute, states * 2))
    for state, shown in zip(states * 2, found, strict=True):
        setting = Setting(spatial=state["spatial"], scale=state["scale"])
        assert torch.equal(shown.prediction, surgery.look(0, setting).prediction)


def parts(**changes):
    """A BiSeNet of the usual parts, but for some."""
    trunk = create("bisenet", 2, backbone="resnet_mini").context_path.trunk
    given = {"spatial_path": SpatialPath(4, 8), "context_path": ContextPath(trunk, 8), "fusion": FeatureFusion(16, 16)}
    return BiSeNet(2, **given | changes)


class Sum(nn.Module):
    channels = 8


def averaged():
    model = parts()
    model.context_path.combine = torch.maximum
    return model


def shared():
    trunk = create("bisenet", 2, backbone="resnet_mini").context_path.trunk
    return SharedBiSeNet(2, nn.Identity(), ContextPath(trunk, 8), FeatureFusion(16, 16))


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda: {"model": nn.Conv2d(3, 2, 1)}, TypeError, "model is a Conv2d, expected a segedu.models.BiSeNet"),
        (lambda: {"model": shared()}, TypeError, "model is a SharedBiSeNet, .* whose two paths are apart"),
        (lambda: {"model": parts(fusion=Sum())}, TypeError, "model joins a ContextPath by a Sum"),
        (lambda: {"model": averaged()}, ValueError, "neither operator.add nor operator.mul"),
        (lambda: {"model": parts()}, ValueError, f"the model scores 2 classes, but classes names {CLASSES}"),
        (lambda: {"images": torch.zeros(2, 1, 48, 72)}, ValueError, r"images has shape \(2, 1, 48, 72\)"),
    ],
)
def test_what_does_not_belong_together_is_refused(operate, change, error, says):
    with pytest.raises(error, match=says):
        operate(**change())
