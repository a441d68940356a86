"""Counting pairs: labels that fit a byte are counted another way than others, and give the same table."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segedu.metrics import pairs
from segedu.metrics.pairs import image_pair_counts, pair_counts


@settings(deadline=None, max_examples=25)
@given(
    pixels=st.integers(0, 300),
    classes=st.sampled_from([1, 3, 19, 255, 256, 300]),
    ignore_index=st.sampled_from([255, 0, 2, -100, 1000]),
    lowest=st.sampled_from([0, 0, -1, -5]),
    highest=st.sampled_from([1, 19, 255, 255, 256, 400]),
    dtypes=st.tuples(*[st.sampled_from([torch.uint8, torch.int16, torch.int64])] * 2),
    chunk=st.sampled_from([7, 2**18]),
    seed=st.integers(0, 99),
)
@example(37, 1, 1000, -5, 255, (torch.int16, torch.uint8), 7, 0)  # 1000 is 232 in a byte
def test_bytes_and_brute_force(pixels, classes, ignore_index, lowest, highest, dtypes, chunk, seed):
    generator = torch.Generator().manual_seed(seed)
    called, truth = (
        torch.randint(max(lowest, 0) if dtype == torch.uint8 else lowest, highest + 1, (pixels,), generator=generator)
        .clamp(max=255 if dtype == torch.uint8 else highest)
        .to(dtype)
        for dtype in dtypes
    )
    expected = torch.zeros(classes + 2, classes + 2, dtype=torch.int64)
    for row, column in zip(truth.tolist(), called.tolist(), strict=True):
        if row != ignore_index:
            expected[min(max(row, -1), classes) + 1, min(max(column, -1), classes) + 1] += 1
    untouched = called.clone(), truth.clone()
    before, pairs.BYTES_CHUNK = pairs.BYTES_CHUNK, chunk
    try:
        [counts] = pair_counts(called, truth, classes, ignore_index)
    finally:
        pairs.BYTES_CHUNK = before
    assert torch.equal(counts, expected)
    assert torch.equal(called, untouched[0])
    assert torch.equal(truth, untouched[1])
    if pixels:
        grouped = pair_counts(called, truth, classes, ignore_index, torch.zeros_like(truth), 1)
        assert torch.equal(grouped[0], expected)


@pytest.mark.parametrize(("dtype", "lowest"), [(torch.uint8, 0), (torch.int16, 0), (torch.int16, -1)])
@pytest.mark.parametrize("images", [0, 1, 3])
def test_images_one_by_one_and_all_in_groups(monkeypatch, dtype, lowest, images):
    """Large images are counted one by one, small ones together: the tables are the same, and those of each image."""
    generator = torch.Generator().manual_seed(images)
    called, truth = torch.randint(lowest, 5, (2, images, 6, 7), generator=generator).to(dtype)
    together = image_pair_counts(called, truth, 4, 2)
    monkeypatch.setattr(pairs, "CPU_CHUNK", 20)
    assert torch.equal(image_pair_counts(called, truth, 4, 2), together)
    for one, *maps in zip(together, called, truth, strict=True):
        assert torch.equal(one, pair_counts(*maps, 4, 2)[0])
