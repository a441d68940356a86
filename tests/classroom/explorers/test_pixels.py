"""The pixels explorer: cells against a plain count, scores against the library, and words that are true of the maps."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from looks import panels_of

from segedu.classroom.explorers import Pixels
from segedu.classroom.explorers.pixels_cells import mean_number, most_common
from segedu.metrics import BoundaryF1, ConfusionMatrix

CLASSES, VOID = ("Sky", "Road", "Pole", "Car"), 255
COMMON, MEAN = "its most common class", "the mean of its numbers"


@pytest.fixture
def explore(streets):
    """Build the explorer on the three streets; keywords replace its arguments."""
    images, labels = streets
    palette = torch.tensor([(128, 128, 128), (128, 64, 128), (192, 192, 128), (64, 0, 128)], dtype=torch.uint8)
    given = {"images": images, "labels": labels, "classes": CLASSES, "palette": palette}

    def build(**changes):
        return Pixels(**given | {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.25)} | changes)

    return build


@pytest.fixture
def explorer(explore):
    return explore()


def label_maps():
    """Small maps of any shape in four classes and void."""

    def drawn(shape, seed):
        return torch.tensor([0, 1, 2, 3, VOID])[
            torch.randint(0, 5, shape, generator=torch.Generator().manual_seed(seed))
        ]

    return st.builds(drawn, st.tuples(st.integers(1, 11), st.integers(1, 11)), st.integers(0, 9999))


def cell_of(labels, cell, row, col):
    """The labelled pixels of the cell that holds a pixel."""
    top, left = row // cell * cell, col // cell * cell
    return [label for label in labels[top : top + cell, left : left + cell].flatten().tolist() if label != VOID]


@settings(deadline=None, max_examples=15)
@given(labels=label_maps(), cell=st.integers(1, 12))
def test_cells_hold_what_a_plain_count_finds(labels, cell):
    common, mean = (rule(labels, cell, len(CLASSES), VOID) for rule in (most_common, mean_number))
    assert common.shape == mean.shape == labels.shape
    for (row, col), found in np.ndenumerate(common.numpy()):
        members = cell_of(labels, cell, row, col)
        votes = Counter(members)
        assert found == (min(votes, key=lambda label: (-votes[label], label)) if members else VOID)
        assert mean[row, col] == (round(sum(members) / len(members)) if members else VOID)


@settings(deadline=None, max_examples=15)
@given(labels=label_maps(), cell=st.integers(1, 12), seed=st.integers(0, 9999))
def test_no_other_map_of_cells_names_more_pixels(labels, cell, seed):
    rows, cols = labels.shape
    other = torch.randint(0, 4, (rows, cols), generator=torch.Generator().manual_seed(seed))[::cell, ::cell]
    other = other.repeat_interleave(cell, 0)[:rows].repeat_interleave(cell, 1)[:, :cols]
    valid = labels != VOID
    assert ((other == labels) & valid).sum() <= ((most_common(labels, cell, 4, VOID) == labels) & valid).sum()


def test_one_pixel_cells_change_nothing():
    labels = torch.tensor([[0, VOID, 2], [3, 1, 1]])
    for rule in (most_common, mean_number):
        assert torch.equal(rule(labels, 1, 4, VOID), labels)


def test_a_mean_of_numbers_finds_a_class_that_is_not_there():
    labels = torch.tensor([[0, 2], [0, 2]])
    assert mean_number(labels, 2, 4, VOID).unique().tolist() == [1]
    assert most_common(labels, 2, 4, VOID).unique().tolist() == [0]


def test_the_scores_are_the_library_s(explorer, streets):
    for cell, rule in ((1, COMMON), (5, COMMON), (32, COMMON), (8, MEAN)):
        explorer.state = {"cell": cell, "rule": rule, "image": 1}
        result, truth = explorer.compute(explorer.state), streets[1][1]
        regions, edges = ConfusionMatrix(4), BoundaryF1(4)
        for metric in (regions, edges):
            metric.update(result.coarse[None], truth[None])
        scores = regions.scores()
        assert (result.accuracy, result.mean_iou) == (scores.pixel_accuracy, scores.mean_iou)
        assert result.boundary_f1 == edges.scores().mean_f1
        assert torch.equal(result.iou.nan_to_num(-1), scores.iou.nan_to_num(-1))


def test_it_shows_the_labels_and_the_cells(explorer, streets):
    explorer.state = {"cell": 16, "image": 2}
    panels = panels_of(explorer.stage)
    truth = streets[1][2]
    expected = {"labels": truth, "cells": most_common(truth, 16, 4, VOID)}
    for name, labels in expected.items():
        shown = np.frombuffer(panels[name]["data"], np.uint8).reshape(panels[name]["shape"])
        assert np.array_equal(shown, labels.where(labels != VOID, 4).numpy())
    verdicts = np.frombuffer(panels["errors"]["data"], np.uint8).reshape(panels["errors"]["shape"])
    assert np.array_equal(verdicts == 2, (truth == VOID).numpy())
    assert np.array_equal(verdicts == 1, ((expected["cells"] != truth) & (truth != VOID)).numpy())


def test_a_class_that_stands_out_leaves_the_others_pale(explorer):
    explorer.state = {"class": "Pole"}
    palette = np.frombuffer(panels_of(explorer.stage)["cells"]["palette"], np.uint8).reshape(-1, 4)
    assert palette[2, 3] == 255
    assert set(palette[[0, 1, 3, 4], 3].tolist()) == {56}


def test_words_say_what_is_left(explorer):
    explorer.state = {"cell": 1}
    cells, scores, classes, hint = explorer.stage.words.split("\n")
    assert cells == "Cells of 1 pixel: all of the 12,288 labels are there."
    assert scores.count("100.0\xa0%") == 3
    assert classes == "Every class of the picture still has a cell."
    assert hint.startswith("Point at a pixel")
    explorer.state = {"cell": 32}
    cells, _, classes, _ = explorer.stage.words.split("\n")
    assert cells == "Cells of 32 × 32 pixels: 12 labels in place of 12,288."
    assert classes == "No cell has: Pole."


def test_words_of_a_class_and_of_a_pixel(explore, streets):
    labels = streets[1]
    explorer = explore(classes=(*CLASSES[:3], "Tram"), labels=labels.where(labels != 3, 1))
    explorer.state = {"class": "Tram"}
    assert explorer.stage.words.split("\n")[2] == "Tram is class 3; this picture has none."
    explorer.state = {"class": "Pole", "cell": 32, "pinned": {"panel": "picture", "row": 95, "col": 3}}
    *_, pole, pixel = explorer.stage.words.split("\n")
    assert pole.endswith("of the labelled pixels, overlap 0.0\xa0%.")
    assert pole.startswith("Pole is class 2: ")
    assert pixel == "Row 95, column 3: label 1, Road. Its cell has 1, Road: right."
    explorer.state = {"pinned": {"panel": "cells", "row": 0, "col": 0}}
    assert explorer.stage.words.endswith("label 255, void. Its cell has 0, Sky; nobody counts it.")


def test_a_pinned_pixel_has_its_cell_framed(explorer):
    explorer.state = {"cell": 20, "pinned": {"panel": "labels", "row": 50, "col": 127}}
    frames = [mark["box"] for mark in explorer.stage.marks if mark["kind"] == "rectangle"]
    scale = panels_of(explorer.stage)["labels"]["box"][2] / 128
    assert [frame[2:] for frame in frames] == [pytest.approx([8 * scale, 20 * scale], rel=0.02)] * 2
    explorer.state = {"cell": 2}
    assert [mark["kind"] for mark in explorer.stage.marks].count("ring") == 4


def test_one_image_has_no_slider_for_it(explore, streets):
    images, labels = streets
    assert "image" not in explore(images=images[:1], labels=labels[:1]).state


def test_misfits_are_refused(explore, streets):
    with pytest.raises(ValueError, match="labels has shape"):
        explore(labels=streets[1][:2])


def test_sweep_visits_every_cell_and_comes_back(explorer):
    before, seen, compute = explorer.state, [], explorer.compute
    explorer.compute = lambda state: seen.append(dict(state)) or compute(state)
    assert explorer.sweep() is explorer
    assert {state["cell"] for state in seen} == set(range(1, 33))
    assert {state["rule"] for state in seen} == {COMMON, MEAN}
    assert explorer.state == before


def test_everything_lies_within_the_picture_and_the_words_within_their_lines(explorer):
    for cell, name in ((1, "all classes"), (32, "Pole"), (13, "Car")):
        explorer.state = {"cell": cell, "class": name}
        height = explorer.stage.scene["height"]
        for row, col in ((0, 0), (95, 127)):
            explorer.state = {"pinned": {"panel": "cells", "row": row, "col": col}}
            for item in [*explorer.stage.scene["items"], *explorer.stage.marks]:
                x, y, width, tall = item.get("box", (*item.get("at", (0, 0)), 0, 0))
                assert 0 <= x <= x + width <= 840
                assert 0 <= y <= y + tall <= height
            lines = explorer.stage.words.split("\n")
            assert len(lines) == explorer.lines_of_words
            assert max(map(len, lines)) <= 84
        assert height == explorer.stage.scene["height"]
    explorer.stage.still()
