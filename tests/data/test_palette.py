"""Palettes: every pixel gets its class's colour, everything else black."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.data.palette import CAMVID, Palette, colourise


def test_camvid_is_the_eleven_classes_in_order():
    assert len(CAMVID) == 11
    assert CAMVID.classes[0] == "Sky"
    assert CAMVID.classes[3] == "Road"
    assert CAMVID.classes[10] == "Bicyclist"
    assert CAMVID.colours.dtype == torch.uint8
    assert len({tuple(colour) for colour in CAMVID.colours.tolist()} | {(0, 0, 0)}) == 12  # none is void's black


@given(
    size=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    dtype=st.sampled_from([torch.int64, torch.int32, torch.int16, torch.uint8]),
    seed=st.integers(0, 99),
)
def test_colourise_equals_a_loop_over_pixels(size, dtype, seed):
    values = torch.tensor([*range(len(CAMVID)), 11, 200, 255] + ([-1] if dtype.is_signed else []))
    generator = torch.Generator().manual_seed(seed)
    labels = values[torch.randint(len(values), size, generator=generator)].to(dtype)
    expected = torch.zeros(size[0], 3, *size[1:], dtype=torch.uint8)
    for n in range(size[0]):
        for y in range(size[1]):
            for x in range(size[2]):
                if 0 <= labels[n, y, x] < len(CAMVID):
                    expected[n, :, y, x] = CAMVID.colours[int(labels[n, y, x])]
    assert torch.equal(colourise(labels, CAMVID), expected)
    assert torch.equal(colourise(labels[0].mT.contiguous().mT, CAMVID), expected[0])  # one map, not contiguous


def test_colourise_stays_on_its_device():
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cuda"):
        assert colourise(torch.zeros(2, 5, 7, dtype=torch.int64), CAMVID).device.type == "cuda"


@pytest.mark.parametrize("labels", [torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool)])
def test_colourise_refuses_scores(labels):
    with pytest.raises(TypeError, match="argmax"):
        colourise(labels, CAMVID)


@pytest.mark.parametrize("shape", [(4,), (1, 2, 3, 4)])
def test_colourise_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"\(N, H, W\)"):
        colourise(torch.zeros(shape, dtype=torch.int64), CAMVID)


def test_palette_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="one RGB row"):
        Palette(("road", "sky"), torch.zeros(3, 3, dtype=torch.uint8))
    with pytest.raises(TypeError, match="uint8"):
        Palette(("road",), torch.zeros(1, 3))
