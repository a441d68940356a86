"""The ASPP explorer shows what the library's own heads read: every branch is held to PyTorch's convolution of ones."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from looks import panels_of
from torch import nn
from torch.nn import functional as F

from segedu.classroom.explorers import ASPPExplorer
from segedu.classroom.explorers.aspp_heads import PRESETS, RATES
from segedu.classroom.explorers.aspp_picture import COLOURS, SHADES
from segedu.layers import aspp

settings_of = st.fixed_dictionaries(
    {"head": st.sampled_from(["v2", "v3"]), "size": st.integers(8, 65)}
    | {rate: st.integers(int(rate != "rate4"), 36) for rate in RATES}
)


@pytest.fixture(scope="module")
def explorer():
    return ASPPExplorer()


@pytest.fixture(autouse=True)
def start(explorer):
    explorer.stage.hovered = None
    explorer.reset()


def data_of(item):
    return np.frombuffer(item["data"], np.uint8).reshape(item["shape"])


def texts_of(explorer):
    return [item["text"] for item in explorer.stage.scene["items"] if item["kind"] == "text"]


def convolutions(explorer):
    """Those of the head that the words tell the reader to make which look at neighbours or stand beside such."""
    with torch.device("meta"):
        head = eval(explorer.stage.words.split("\n")[-1], vars(aspp))
    branches = next(branch for branch in head.children() if isinstance(branch, nn.ModuleList))
    return [
        next(layer for layer in branch.modules() if isinstance(layer, nn.Conv2d))
        for branch in branches
        if not isinstance(branch, aspp.ImagePooling)
    ]


def ones(layer, size):
    """What the layer makes of ones, and its weights: ``(size, size)`` and ``(1, 1, kernel, kernel)``."""
    weights = torch.ones(1, 1, *layer.kernel_size, requires_grad=True)
    image = torch.ones(1, 1, size, size)
    return F.conv2d(image, weights, None, layer.stride, layer.padding, layer.dilation)[0, 0], weights


@settings(deadline=None, max_examples=25)
@given(state=settings_of)
def test_each_branch_shows_what_pytorch_counts(explorer, state):
    explorer.state = state
    layers = convolutions(explorer)
    rates = [state[rate] for rate in RATES if state[rate]]
    assert [layer.dilation[0] for layer in layers if layer.kernel_size == (3, 3)] == rates
    assert len(layers) == len(rates) + (state["head"] == "v3")
    shown = [item for name, item in panels_of(explorer.stage).items() if name.startswith("branch")]
    for item, layer in zip(shown, layers, strict=True):
        taps, _ = ones(layer, state["size"])
        assert np.array_equal(data_of(item), SHADES[taps.detach().int().numpy()])
        assert f"mean {taps.detach().double().mean():.2f}" in texts_of(explorer)


def test_each_kernel_shows_how_often_a_weight_is_used(explorer):
    explorer.state = PRESETS["v2"].state
    percents = []
    for layer in convolutions(explorer):
        taps, weights = ones(layer, 41)
        (used,) = torch.autograd.grad(taps.mean(), weights)
        percents += [f"{100 * share:.0f}" for share in used.flatten().tolist()]
    kernels = [text for text in texts_of(explorer) if re.fullmatch(r"\d+", text)][: len(percents)]
    assert kernels == percents
    explorer.state = {"size": 37, "rate4": 36}
    assert "<1" in texts_of(explorer)


@settings(deadline=None, max_examples=20)
@given(state=settings_of, data=st.data())
def test_the_taps_of_a_cell_are_filled_where_it_feels_the_map_and_hollow_beyond(explorer, state, data):
    explorer.state = state | {"pinned": None}
    size = state["size"]
    row, col = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    explorer.stage.hovered = {"panel": "map", "row": row, "col": col}
    x, y, width, _ = panels_of(explorer.stage)["map"]["box"]
    rates = [state[rate] for rate in RATES if state[rate]]
    blocks, lost = [], 0
    for rate, colour in zip(rates, COLOURS, strict=False):
        image = torch.ones(1, 1, size, size, requires_grad=True)
        taps = F.conv2d(image, torch.ones(1, 1, 3, 3), padding=rate, dilation=rate)[0, 0, row, col]
        read = {tuple(place) for place in torch.autograd.grad(taps, image)[0][0, 0].nonzero().tolist()}
        squares = [mark for mark in explorer.stage.marks if mark["kind"] == "rectangle"]
        filled = [mark["box"] for mark in squares if mark["fill"] == colour]
        hollow = [mark["box"] for mark in squares if mark["fill"] and mark["stroke"] == colour]
        centres = [((top + high / 2 - y), (left + wide / 2 - x)) for left, top, wide, high in filled]
        cells = {(int(down / width * size), int(right / width * size)) for down, right in centres}
        assert cells == read
        assert len(hollow) == 9 - len(read)
        lost += len(hollow)
        assert all(
            not (0 < left + wide / 2 - x < width and 0 < top + high / 2 - y < width) for left, top, wide, high in hollow
        )
        assert all(0 < left + wide / 2 < 352 and 28 < top + high / 2 < 376 for left, top, wide, high in hollow)
        blocks.append(f"{len({down for down, _ in read})} × {len({right for _, right in read})}")
    assert explorer.stage.words.split("\n")[3] == (
        f"Row {row}, column {col} sees {', '.join(blocks)} taps; {lost} of {9 * len(rates)} read zeros."
    )
    explorer.stage.hovered = None


@pytest.mark.parametrize("size", [8, 33, 64, 65])
def test_the_plot_stacks_the_shares_of_every_rate(explorer, size):
    explorer.state = {"size": size}
    items = explorer.stage.scene["items"]
    plot = data_of(next(item for item in items if item["kind"] == "cells" and item["shape"][1] == 66))
    rows = len(plot)
    for rate in (1, 4, 6, size // 2, 33, 66):
        taps = F.conv2d(torch.ones(1, 1, size, size), torch.ones(1, 1, 3, 3), padding=rate, dilation=rate).int()
        for number in (9, 6, 4, 2, 1):
            share = float((taps == number).double().mean())
            assert np.mean(plot[:, rate - 1] == SHADES[number]) == pytest.approx(share, abs=1 / rows)
        assert (np.diff(plot[:, rate - 1].astype(int)) >= 0).all()  # most taps at the foot


def test_a_rate_pointed_at_is_told_and_marked(explorer):
    explorer.stage.hovered = {"panel": "rates", "row": 0, "col": 19}
    assert explorer.stage.words.split("\n")[3] == (
        "Rate 20: 4 taps at 62.1\xa0% of cells, 2 at 33.4\xa0%, 1 at 4.5\xa0%; mean 3.20."
    )
    assert "rate 20" in [mark["text"] for mark in explorer.stage.marks if mark["kind"] == "text"]


def test_words_tell_map_means_the_widest_kernel_and_code(explorer):
    assert explorer.stage.words.split("\n") == [
        "33 × 33 cells: 513 pixels at output stride 16, 257 at output stride 8.",
        "Mean taps on the map, of 9: 6.95 at rate 6, 5.17 at 12, 3.64 at 18.",
        "At rate 18, no cell sees all nine taps and 20.7\xa0% see a given corner tap.",
        "Row 8, column 8 sees 3 × 3, 2 × 2, 2 × 2 taps; 10 of 27 read zeros.",
        "pyramid(2048, (6, 12, 18))",
    ]
    explorer.state = {"rate1": 2, "rate2": 4, "rate3": 6}
    assert (
        "At rate 6, 40.5\xa0% of cells see all nine taps and 66.9\xa0% see a given corner tap." in explorer.stage.words
    )
    explorer.state = {"head": "v2", "size": 12, "rate2": 12}
    assert "Rate 12 is no smaller than the map: its 3 × 3 kernel is a 1 × 1 everywhere." in explorer.stage.words
    assert explorer.stage.words.endswith("\nSummedASPP(2048, 21, (2, 12, 6))")


def test_buttons_set_the_heads_of_the_papers_in_one_picture(explorer):
    buttons = {button.description: button for button in explorer.children[0].children}
    assert [*buttons] == [*PRESETS]
    seen, compute = [], explorer.compute
    explorer.compute = lambda state: seen.append(state["size"]) or compute(state)
    try:
        for name in ("v2", "v3, stride 8", "v3, stride 16"):
            buttons[name].click()
            assert PRESETS[name].state.items() <= explorer.state.items()
    finally:
        del explorer.compute
    assert seen == [41, 65, 33]


def test_output_stride_8_doubles_map_and_rates_and_changes_next_to_nothing(explorer):
    coarse, fine = (explorer.compute(PRESETS[name].state) for name in ("v3, stride 16", "v3, stride 8"))
    for one, other in zip(coarse.branches, fine.branches, strict=True):
        assert one.usage == pytest.approx(other.usage, abs=0.01)


def test_a_cell_of_a_branch_that_is_gone_is_let_go_and_any_state_can_be_set_again(explorer):
    explorer.state = {"rate4": 24}
    explorer.state = {"pinned": {"panel": "branch 4", "row": 32, "col": 0}}
    assert "Row 32, column 0 sees" in explorer.stage.words
    pinned = explorer.state
    explorer.controls["rate4"].value = 0
    assert "Row 8, column 8 sees" in explorer.stage.words
    for state in (pinned, ASPPExplorer().state, pinned):
        explorer.state = state
        assert explorer.state == state
    assert "Row 32, column 0 sees" in explorer.stage.words
    with pytest.raises(ValueError, match="rate1 is 0"):
        explorer.state = {"rate1": 0}


def test_every_state_of_a_sweep_is_shown(explorer):
    assert explorer.sweep().state == ASPPExplorer().state
    assert explorer.stage.still().startswith(b"\x89PNG")
