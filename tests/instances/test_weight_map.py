"""The weight map of U-Net against every pair of pixels, and closed forms."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.instances import BorderWeightedCrossEntropy, border_weights, components
from segedu.losses import cross_entropy, pixel_weighted_cross_entropy, quotient


def brute_force(instances, w_c, w0, sigma):
    """Equation 2 in float64, from the distance of every pixel to every pixel of every border."""
    maps = []
    for ids in instances:
        height, width = ids.shape
        places = torch.cartesian_prod(torch.arange(height), torch.arange(width)).double()
        distances = []
        for cell in ids[ids > 0].unique():
            border = [
                (y, x)
                for y, x in (ids == cell).nonzero().tolist()
                if any(
                    0 <= y + dy < height and 0 <= x + dx < width and ids[y + dy, x + dx] != cell
                    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))
                )
            ]
            if border:
                distances.append(torch.cdist(places, torch.tensor(border).double()).amin(1))
        base = torch.tensor(w_c).double()[(ids > 0).long()]
        if len(distances) > 1:
            two = torch.stack(distances).sort(0).values[:2].sum(0).view(height, width)
            base = base + w0 * torch.exp(-(two**2) / (2 * sigma**2))
        maps.append(base)
    return torch.stack(maps)


@settings(max_examples=15)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 19), st.integers(1, 24)),
    cells=st.integers(0, 6),
    sigma=st.sampled_from([0.4, 1.0, 5.0, 9.5]),
    w0=st.sampled_from([0.0, 10.0, 300.0]),
    seed=st.integers(0, 999),
)
def test_equals_brute_force(shape, cells, sigma, w0, seed):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, cells + 1, (shape[0], shape[1] // 4 + 1, shape[2] // 4 + 1), generator=generator)
    ids = coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)[
        :, : shape[1], : shape[2]
    ]  # ids may touch or lie apart
    found = border_weights(ids, (1.0, 2.5), w0, sigma)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), brute_force(ids, (1.0, 2.5), w0, sigma), rtol=2e-6, atol=1e-6)


def test_a_straight_gap_has_a_closed_form():
    ids = torch.zeros(1, 9, 40, dtype=torch.int64)
    ids[:, :, :12], ids[:, :, 16:] = 1, 2  # columns 12 to 15 are the gap: d1 + d2 is 5 in all of it
    weights = border_weights(ids, (1.0, 3.0))
    inside = 1 + 10 * math.exp(-(5**2) / 50)
    torch.testing.assert_close(weights[:, :, 12:16], torch.full((1, 9, 4), inside))
    torch.testing.assert_close(weights[0, 4, 20], torch.tensor(3 + 10 * math.exp(-((4 + 9) ** 2) / 50)))


@pytest.mark.parametrize("cells", [0, 1])
def test_fewer_than_two_cells_leave_the_class_weights(cells):
    ids = torch.zeros(2, 12, 15, dtype=torch.int64)
    ids[1, 3:7, 4:9] = 9 * cells
    assert torch.equal(border_weights(ids, (0.5, 2.0)), torch.where(ids > 0, 2.0, 0.5))


def test_large_ids_and_parts_of_a_batch_change_nothing(monkeypatch):
    ids = components(torch.rand(5, 17, 21) < 0.3)
    expected = border_weights(ids, (1.0, 1.0))
    assert torch.equal(border_weights(ids * 2**30, (1.0, 1.0)), expected)
    monkeypatch.setattr("segedu.instances.weight_map._CACHED_PIXELS", 1)
    assert torch.equal(border_weights(ids, torch.ones(2)), expected)
    assert border_weights(ids[:0], (1.0, 1.0)).shape == (0, 17, 21)


def test_runs_on_the_device_it_is_given():
    with FakeTensorMode(), torch.device("cuda"):
        loss = BorderWeightedCrossEntropy()
        total, weight = loss(torch.randn(2, 2, 9, 9), torch.ones(2, 9, 9, dtype=torch.int64))
        assert (total.device.type, weight.device.type) == ("cuda", "cuda")


def test_the_loss_weighs_by_the_map_of_its_own_labels():
    logits, target = torch.randn(3, 2, 14, 18, requires_grad=True), (torch.rand(3, 14, 18) < 0.4).long()
    target[0, :5] = 255
    total, weight = BorderWeightedCrossEntropy((0.5, 2.0), sigma=2.0)(logits, target)
    weights = border_weights(components(target == 1), (0.5, 2.0), sigma=2.0)
    torch.testing.assert_close(quotient(total, weight), pixel_weighted_cross_entropy(logits, target, weights))
    flat = BorderWeightedCrossEntropy((0.5, 2.0), w0=0.0)(logits, target)
    torch.testing.assert_close(quotient(*flat), cross_entropy(logits, target, weight=torch.tensor([0.5, 2.0])))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"instances": torch.zeros(1, 4, 4)}, TypeError, "instances has dtype torch.float32"),
        ({"instances": torch.zeros(4, 4).long()}, ValueError, r"instances has shape \(4, 4\)"),
        ({"w_c": (1.0,)}, ValueError, r"w_c has shape \(1,\), expected \(2,\)"),
        ({"w0": -1.0}, ValueError, "w0 is -1.0"),
        ({"sigma": 0.0}, ValueError, "sigma is 0.0"),
        ({"sigma": math.nan}, ValueError, "sigma is nan"),
    ],
)
def test_refuses(options, error, words):
    with pytest.raises(error, match=words):
        border_weights(**{"instances": torch.zeros(1, 4, 4).long(), "w_c": (1.0, 1.0), **options})
