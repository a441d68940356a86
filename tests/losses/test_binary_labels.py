"""The labels of binary losses: two ways to hold them that agree, and what is no label."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segedu.losses.binary_labels import binary_labels, signed_labels


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([255, -100, 0, 1, 7]),
    st.booleans(),
    st.sampled_from([torch.int64, torch.int16, torch.uint8]),
    st.integers(0, 2**31),
)
def test_the_signs_and_the_two_maps_say_the_same(ignore_index, some_void, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(2, (2, 3, 5), generator=generator)
    if some_void and 0 <= ignore_index <= torch.iinfo(dtype).max:
        target[0, 1:] = ignore_index
    logits = torch.randn(2, 1, 3, 5, generator=generator)
    logits[0, 0, 1, 2] = torch.nan if target[0, 1, 2] == ignore_index else 0
    same, positive, valid = binary_labels(logits, target.to(dtype), ignore_index)
    covered, against, count = signed_labels(logits, target.to(dtype), ignore_index)
    assert torch.equal(covered, same)
    assert not covered.isnan().any()
    assert torch.equal(against, torch.where(valid, torch.where(positive, -1, 1), 0).to(torch.int8))
    assert int(count) == int((target != ignore_index).sum())


@pytest.mark.parametrize("stray", [2, -1, 254, 256, 257])
def test_a_label_that_is_no_class_is_refused_beside_void_and_without_it(stray):
    for void in (255, 0):
        target = torch.tensor([[[0, 1, void, stray]]])
        with pytest.raises(ValueError, match=rf"class {stray}\b"):
            signed_labels(torch.zeros(1, 1, 1, 4), target, 255)


def test_no_pixel_at_all():
    _, against, count = signed_labels(torch.zeros(1, 1, 0, 4), torch.zeros(1, 0, 4, dtype=torch.long), 255)
    assert against.shape == (1, 0)
    assert int(count) == 0
