"""The live plot shows the numbers that it was given, seldom enough."""

from xml.etree import ElementTree

import ipywidgets
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import TensorDataset

from segedu.classroom.live import LivePlot, draw, thinned
from segedu.train import Recipe, fit
from segedu.train.history import Record

SVG = "{http://www.w3.org/2000/svg}"


class Clock:
    """Time that passes by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def record(step, loss=1.0, mean_iou=None, steps=100):
    return Record(step, steps, loss, 0.1, 1.0, None if mean_iou is None else {"mean_iou": mean_iou})


def curve(picture, name):
    """The points of a curve, in pixels."""
    panel = picture.find(f"{SVG}g[@id='{name}']")
    return [tuple(map(float, pair.split(","))) for pair in panel.find(f"{SVG}polyline").get("points").split()]


def test_it_follows_a_real_run():
    data = TensorDataset(torch.randn(6, 3, 4, 4), torch.randint(0, 2, (6, 4, 4)))
    plot = LivePlot(seconds=0)
    recipe = Recipe(steps=8, batch_size=2, validate_every=4)
    history = fit(nn.Conv2d(3, 2, 1), data, recipe, validation=data, device="cpu", on_step=plot, progress=False)
    assert plot.loss == list(enumerate(history.loss, 1))
    assert plot.mean_iou == [(step, 100 * scores["mean_iou"]) for step, scores in history.validation.items()]
    assert isinstance(plot.widget, ipywidgets.HTML)
    words = ElementTree.fromstring(plot.widget.value).find(f"{SVG}title").text
    assert words == f"step 8 of 8: loss {history.loss[-1]:.3g}, mIoU {100 * history.validation[8]['mean_iou']:.3g}"


@given(losses=st.lists(st.floats(0, 1e6), min_size=1, max_size=40), steps=st.integers(40, 500))
def test_curves_are_to_scale_and_inside(losses, steps):
    picture = ElementTree.fromstring(draw(list(enumerate(losses, 1)), [(1, 0.0), (steps, 100.0)], steps))
    placed, (first, last) = curve(picture, "loss"), curve(picture, "mIoU")
    assert all(44 <= x <= 404 and 34 <= y <= 226 for x, y in placed)
    top = max(losses) or 1
    for (_, y), loss in zip(placed, losses, strict=True):
        assert (226 - y) / 192 == pytest.approx(loss / top, abs=1e-3)
    assert (first[1], last) == (226, (824, 34))


def test_nothing_yet_is_an_empty_picture():
    picture = ElementTree.fromstring(LivePlot().widget.value)
    assert curve(picture, "loss") == curve(picture, "mIoU") == []
    assert picture.find(f"{SVG}title").text == "no step yet"


def test_it_redraws_seldom_but_at_validations_and_the_end():
    clock, drawn = Clock(), []
    plot = LivePlot(seconds=0.25, clock=clock)
    plot.widget.observe(lambda change: drawn.append(clock.now), "value")
    for step in range(1, 101):
        clock.now += 0.01
        plot(step, record(step, loss=1 / step, mean_iou=0.5 if step == 10 else None))
    assert drawn == pytest.approx([0.01, 0.1, 0.35, 0.6, 0.85, 1.0], abs=0.011)


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=2000), most=st.integers(1, 300))
def test_thinning_keeps_the_mean_the_end_and_the_bound(values, most):
    kept = thinned(list(enumerate(values, 1)), most)
    assert len(kept) <= most
    assert kept[-1][0] == len(values)
    runs = [end - start for (start, _), (end, _) in zip([(0, 0.0), *kept], kept, strict=False)]
    total = sum(run * value for run, (_, value) in zip(runs, kept, strict=True))
    assert total / len(values) == pytest.approx(sum(values) / len(values), abs=1e-6)
