"""The ways back from a pooled map, against one another and against what each is defined as."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from segedu.layers.way_back import WAYS_BACK

sides = st.integers(1, 11)


def there_and_back(name, x, change=lambda pooled: pooled):
    way = WAYS_BACK[name]
    pooled, kept = way.pool()(x)
    return way.unpool()(change(pooled), kept, tuple(x.shape[-2:]))


@pytest.mark.parametrize("name", WAYS_BACK)
@given(height=sides, width=sides)
def test_every_way_leads_back_to_the_size(name, height, width):
    x = torch.randn(2, 3, height, width, requires_grad=True)
    back = there_and_back(name, x)
    assert back.shape == x.shape
    back.sum().backward()
    assert x.grad.isfinite().all()


@given(sides, sides)
def test_the_form_of_what_is_kept_changes_nothing(height, width):
    x = torch.randn(2, 3, height, width)
    expected = there_and_back("indices", x, torch.sin)
    for name in ("offsets", "packed offsets"):
        assert torch.equal(there_and_back(name, x, torch.sin), expected)


@given(sides, sides)
def test_shuffling_moves_values_within_their_windows_only(height, width):
    x = torch.rand(2, 3, height, width) + 1
    back = there_and_back("shuffled offsets", x)
    whole, _ = WAYS_BACK["nearest"].pool()(x)
    assert torch.equal(F.max_pool2d(back, 2, ceil_mode=True), whole)
    assert (back != 0).sum() == whole.numel()


def test_shuffled_offsets_are_as_many_of_each_but_elsewhere():
    way = WAYS_BACK["shuffled offsets"]
    x = torch.randn(1, 2, 30, 40)
    pooled, offsets = way.pool()(x)
    _, shuffled = way.pool()(way.unpool()(pooled.abs() + 1, offsets, (30, 40)))
    assert torch.equal(shuffled.flatten(2).sort().values, offsets.flatten(2).sort().values)
    assert 0.15 < (shuffled == offsets).float().mean() < 0.35  # a quarter, by chance


@given(sides, sides)
def test_skips_and_interpolation_are_their_definitions(height, width):
    x = torch.randn(1, 2, height, width)
    pooled = F.max_pool2d(x, 2, ceil_mode=True)
    double = F.interpolate(pooled, scale_factor=2, mode="bilinear")[..., :height, :width]
    nearest = pooled.repeat_interleave(2, -1).repeat_interleave(2, -2)[..., :height, :width]
    for name, expected in {
        "nearest": nearest,
        "bilinear": double,
        "pooled skip": 2 * double,
        "full skip": double + x,
    }.items():
        torch.testing.assert_close(there_and_back(name, x), expected, rtol=0, atol=2e-6)


def test_bytes_that_are_kept():
    """Of one float32 map with windows of 2x2: 8 bytes an index, 1 an offset, a quarter packed, 4 and 16 of values."""
    x = torch.zeros(1, 1, 8, 8)
    kept = {name: way.pool()(x)[1] for name, way in WAYS_BACK.items()}
    cells = {name: 0 if one is None else one.nbytes / 16 for name, one in kept.items()}
    assert cells == {
        "offsets": 1,
        "packed offsets": 0.25,
        "indices": 8,
        "shuffled offsets": 1,
        "nearest": 0,
        "bilinear": 0,
        "pooled skip": 4,
        "full skip": 16,
    }
