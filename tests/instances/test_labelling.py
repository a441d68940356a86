"""Connected components against scipy's, which numbers them in the same order."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.instances import components

CORNERS = {4: None, 8: np.ones((3, 3))}


def labelled(mask, connectivity):
    return torch.stack([torch.from_numpy(ndimage.label(image, CORNERS[connectivity])[0]).long() for image in mask])


@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 23), st.integers(1, 23)),
    share=st.floats(0, 1),
    connectivity=st.sampled_from([4, 8]),
    seed=st.integers(0, 999),
)
def test_equals_scipy(shape, share, connectivity, seed):
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < share
    assert torch.equal(components(mask, connectivity), labelled(mask, connectivity))


def spiral(size):
    """One path that winds to the centre: as long as a component gets."""
    mask = torch.zeros(size, size, dtype=torch.bool)
    row, column, step, turn = 0, 0, size - 1, 0
    mask[0, 0] = True
    for leg in range(size):
        down, right = ((0, 1), (1, 0), (0, -1), (-1, 0))[turn]
        for _ in range(step):
            row, column = row + down, column + right
            mask[row, column] = True
        turn = (turn + 1) % 4
        step -= 2 * (leg >= 2 and leg % 2 == 0)
        if step <= 0:
            break
    return mask


def test_long_and_branching_paths():
    comb = torch.ones(41, 41, dtype=torch.bool)
    comb[:-1, 1::2] = False  # joined by the last row alone
    both = torch.stack([spiral(41), comb, comb.T, comb.flip(0), torch.ones_like(comb)])
    assert torch.equal(components(both), labelled(both, 4))


def test_memory_format_type_and_device_do_not_matter():
    mask = torch.rand(3, 9, 14) < 0.5
    expected = components(mask)
    assert torch.equal(components(mask.permute(1, 2, 0).contiguous().permute(2, 0, 1)), expected)
    assert torch.equal(components(mask.to(torch.uint8) * 7), expected)
    assert components(mask[:0]).shape == (0, 9, 14)
    with FakeTensorMode(), torch.device("cuda"):
        found = components(torch.ones(2, 5, 6, dtype=torch.bool))
        assert (found.device.type, found.dtype, found.shape) == ("cuda", torch.int64, (2, 5, 6))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((torch.ones(1, 3, 3), 4), TypeError, "mask has dtype torch.float32"),
        ((torch.ones(3, 3, dtype=torch.bool), 4), ValueError, r"mask has shape \(3, 3\)"),
        ((torch.ones(1, 3, 3, dtype=torch.bool), 6), ValueError, "connectivity is 6, expected 4"),
    ],
)
def test_refuses(arguments, error, words):
    with pytest.raises(error, match=words):
        components(*arguments)
