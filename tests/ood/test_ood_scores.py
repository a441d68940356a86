"""The fused scores against each formula spelt out in float64, closed forms, and what must not change them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu import ood
from segedu.losses import chunks
from segedu.ood import OODScores, ood_scores


def spelt_out(logits, temperature):
    """Each score by its own formula, in float64."""
    scaled = logits.double() / temperature
    probabilities = scaled.softmax(1)
    return OODScores(
        max_softmax=1 - probabilities.amax(1),
        max_logit=-logits.double().amax(1),
        entropy=torch.special.entr(probabilities).sum(1),
        energy=-temperature * scaled.logsumexp(1),
    )


def drawn(seed, shape, scale=4.0):
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(*(st.integers(1, most) for most in (3, 9, 7, 8))),
    temperature=st.sampled_from([0.5, 1.0, 20.0]),
    dtype=st.sampled_from([torch.bfloat16, torch.float16, torch.float32, torch.float64]),
)
def test_oracle_of_any_type(seed, shape, temperature, dtype):
    logits = drawn(seed, shape).to(dtype)
    found = ood_scores(logits, temperature)
    exact = dtype if dtype == torch.float64 else torch.float32
    assert {score.dtype for score in found} == {exact}
    for score, expected in zip(found, spelt_out(logits, temperature), strict=True):
        torch.testing.assert_close(score, expected.to(exact))


@pytest.mark.parametrize("values", [1, 60, 2**19])
@pytest.mark.parametrize("arrange", [torch.Tensor.contiguous, lambda logits: logits.mT.contiguous().mT])
def test_pieces_and_layouts_change_nothing(values, arrange, monkeypatch):
    logits = drawn(0, (3, 5, 6, 7)).float()
    monkeypatch.setattr(chunks, "VALUES", values)
    last = logits.to(memory_format=torch.channels_last)
    for strided in (arrange(logits), last, logits.repeat_interleave(2, 3)[..., ::2]):
        for score, expected in zip(ood_scores(strided), spelt_out(logits, 1), strict=True):
            torch.testing.assert_close(score, expected.float())


def test_of_equal_logits_every_score_is_known():
    found = ood_scores(torch.full((1, 8, 2, 3), 2.5))
    expected = OODScores(1 - 1 / 8, -2.5, math.log(8), -2.5 - math.log(8))
    for score, value in zip(found, expected, strict=True):
        torch.testing.assert_close(score, torch.full((1, 2, 3), value))


def test_one_class_is_always_certain():
    logits = drawn(0, (2, 1, 3, 4))
    found = ood_scores(logits)
    assert not found.max_softmax.any()
    assert not found.entropy.any()
    assert torch.equal(found.max_logit, -logits[:, 0])
    assert torch.equal(found.energy, -logits[:, 0])


@given(seed=st.integers(0, 2**31), shift=st.floats(-1e3, 1e3))
def test_a_shift_of_all_logits_moves_energy_and_largest_logit_alone(seed, shift):
    logits = drawn(seed, (1, 6, 3, 3))
    before, after = ood_scores(logits), ood_scores((logits + shift).roll(2, 1))  # nor does the order of the classes
    for name, moved in {"max_softmax": 0, "entropy": 0, "max_logit": -shift, "energy": -shift}.items():
        torch.testing.assert_close(getattr(after, name), getattr(before, name) + moved, rtol=1e-9, atol=1e-9)


def test_sure_pixels_keep_their_order_and_large_logits_their_digits():
    margins = torch.tensor([5.0, 10.0, 14.0])
    logits = torch.stack([3e4 + torch.zeros(3), 3e4 - margins]).view(1, 2, 3)
    found = ood_scores(logits)
    for score in (found.max_softmax, found.entropy):
        assert bool((score.diff() < 0).all() and (score > 0).all())
    torch.testing.assert_close(found.max_softmax[0], torch.sigmoid(-margins), rtol=0.1, atol=0)


def test_minus_infinity_rules_a_class_out():
    logits = drawn(0, (2, 5, 3, 4)).float()
    with_it = torch.cat([logits, torch.full((2, 1, 3, 4), -math.inf)], 1)
    for score, expected in zip(ood_scores(with_it, 2.0), ood_scores(logits, 2.0), strict=True):
        assert torch.equal(score, expected)


@pytest.mark.parametrize("values", [(1.0, math.inf), (1.0, math.nan), (-math.inf, -math.inf)])
def test_without_a_softmax_there_is_no_score(values):
    found = ood_scores(torch.tensor(values).view(1, 2, 1, 1))
    for score in (found.max_softmax, found.entropy, found.energy):
        assert bool(score.isnan().all())


def test_each_score_alone_is_that_of_all():
    logits = drawn(0, (2, 4, 3, 3))
    together = ood_scores(logits, 3.0)
    for name in ("max_softmax", "entropy", "energy"):
        assert torch.equal(getattr(ood, name)(logits, 3.0), getattr(together, name))
    assert torch.equal(ood.max_logit(logits), together.max_logit)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (2, 3, 4, 5), (1, 3, 2, 2, 2), (0, 3, 4, 4)])
def test_any_number_of_dimensions(shape):
    logits = drawn(0, shape).requires_grad_()
    for score, expected in zip(ood_scores(logits), spelt_out(logits, 1), strict=True):
        torch.testing.assert_close(score, expected.detach())
        assert not score.requires_grad


@pytest.mark.parametrize("device", ["meta", "cuda", "cpu"])
def test_shapes_are_known_without_numbers(device):
    if device == "meta":
        found = ood_scores(torch.empty(2, 19, 6, 8, device="meta"))
    else:
        with FakeTensorMode():
            found = ood_scores(torch.empty(2, 19, 6, 8, device=device, dtype=torch.bfloat16))
    assert {(tuple(score.shape), score.dtype, score.device.type) for score in found} == {
        ((2, 6, 8), torch.float32, device)
    }


def test_unfit_input_is_refused():
    with pytest.raises(TypeError, match="raw floating-point scores"):
        ood_scores(torch.zeros(1, 3, 2, 2).long())
    for shape in ((3,), (2, 0, 4, 4)):
        with pytest.raises(ValueError, match="at least one class"):
            ood_scores(torch.zeros(shape))
    for temperature in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="expected a positive number"):
            ood_scores(torch.zeros(1, 3, 2, 2), temperature)
