import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segedu.data.digest import pixel_digest


def test_recipe():
    pixels = torch.arange(6, dtype=torch.uint8).view(2, 3)
    expected = hashlib.sha256(b"one uint8 (2, 3)\n\0\1\2\3\4\5" + b"two int64 (1,)\n\1" + bytes(7)).hexdigest()
    assert pixel_digest([("one", pixels), ("two", torch.tensor([1]))]) == expected


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_layout_in_memory_does_not_matter_but_everything_else_does(height, width, data):
    pixels = torch.randint(0, 256, (height, width), dtype=torch.uint8)
    digest = pixel_digest([("a", pixels)])
    assert pixel_digest([("a", pixels.T.contiguous().T)]) == digest
    changed = pixels.clone()
    changed[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] ^= 1
    others = [[("a", changed)], [("b", pixels)], [("a", pixels[None])], [("a", pixels.long())], [("a", pixels)] * 2, []]
    assert digest not in map(pixel_digest, others)


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_order_counts(names):
    one, two = torch.zeros(1), torch.ones(1)
    assert pixel_digest(zip(names, (one, two), strict=True)) != pixel_digest(zip(names, (two, one), strict=True))
