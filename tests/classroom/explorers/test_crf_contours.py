"""The contours of the CRF explorer are held to a walk over the pixels."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from segedu.classroom.explorers.crf_contours import AFTER, BEFORE, TRUTH, contour, overlay

maps = arrays.arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.integers(0, 2))


def walked(labels):
    """Each cell of a pixel's four is marked if the cell beside, above or below belongs to another class."""
    rows, cols = labels.shape
    drawn = np.zeros((2 * rows, 2 * cols), bool)
    for row, col in np.ndindex(drawn.shape):
        for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            if 0 <= row + down < 2 * rows and 0 <= col + right < 2 * cols:
                drawn[row, col] |= labels[row // 2, col // 2] != labels[(row + down) // 2, (col + right) // 2]
    return drawn


@settings(deadline=None, max_examples=15)
@given(labels=maps)
def test_a_contour_lies_on_both_sides_of_a_change(labels):
    assert np.array_equal(contour(torch.from_numpy(labels)), walked(labels))


def test_after_is_drawn_through_before_is_dashed_over_it_and_the_truth_lies_broad_below():
    labels = torch.zeros(12, 12, dtype=torch.int64)
    labels[:, 6:] = 1
    moved = labels.roll(3, 1)
    moved[:, :3] = 0
    drawn = overlay(labels, labels, moved, 255)
    assert (drawn[:, 17:19] == AFTER).all()
    assert set(drawn[:, 11:13].ravel()) == {TRUTH, BEFORE}
    assert (drawn[:, [10, 13]] == TRUTH).all()
    assert np.mean(drawn[:, 11] == BEFORE) == 0.5
    assert not drawn[:, [*range(10), 14, 15, 16]].any()
    same = overlay(labels, labels, labels, 255)
    assert set(same[:, 11:13].ravel()) == {AFTER, BEFORE}


def test_the_edge_of_void_is_no_contour_of_the_truth():
    labels = torch.zeros(6, 8, dtype=torch.int64)
    labels[:, 4:] = 255
    predicted = torch.zeros_like(labels)
    assert not overlay(labels, predicted, predicted, 255).any()
