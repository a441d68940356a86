"""Counter-based random numbers: a function of (seed, index, counter) and of nothing else."""

from copy import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segedu.data.counter import Draws, mix


@given(words=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_mix_equals_python_integers(words):
    assert mix(torch.tensor(words)).tolist() == [mix(word) for word in words]  # Python's integers cannot overflow


def test_mix_is_a_bijection_that_scrambles():
    words = torch.arange(1 << 16)
    mixed = mix(words)
    assert len(mixed.unique()) == len(words)
    for bit in (0, 7, 15):
        flipped = mixed ^ mix(words ^ (1 << bit))
        turned = torch.stack([(flipped >> place) & 1 for place in range(32)]).double().mean(1)
        assert turned.sub(0.5).abs().max() < 0.05


@given(seed=st.integers(0, 2**32 - 1), indices=st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=6))
def test_a_draw_knows_only_its_seed_index_and_turn(seed, indices):
    together = Draws(seed, torch.tensor(indices), 12)
    first, second = together.words(5), together.words(7)
    for row, index in enumerate(indices):
        alone = Draws(seed, torch.tensor([index]), 99)
        assert torch.equal(alone.words(12)[0], torch.cat([first[row], second[row]]))


def test_neighbours_are_unrelated():
    draws = torch.stack([Draws(seed, torch.arange(200), 50).words(50) for seed in (0, 1)]).double() / 2**32
    for shift in (draws[0, 1:] - draws[0, :-1], draws[0, :, 1:] - draws[0, :, :-1], draws[1] - draws[0]):
        assert shift.std() == pytest.approx((1 / 6) ** 0.5, rel=0.02)  # of the difference of independent uniforms


@given(low=st.integers(-50, 50), width=st.integers(1, 40))
def test_integers_cover_their_range_evenly(low, width):
    drawn = Draws(3, torch.arange(400), 20).integers(low, low + width, 20)
    counts = torch.bincount(drawn.flatten() - low, minlength=width).double()
    assert len(counts) == width
    assert (counts - 8000 / width).abs().max() < 5.5 * (8000 / width) ** 0.5


def test_chance_grows_by_adding():
    rare, common = (Draws(0, torch.arange(500), 10).chance(p, 10) for p in (0.2, 0.7))
    assert not (rare & ~common).any()
    assert rare.double().mean() == pytest.approx(0.2, abs=0.02)
    assert Draws(0, torch.arange(500), 10).chance(1.0, 10).all()
    assert not Draws(0, torch.arange(500), 10).chance(0.0, 10).any()


def test_a_copy_goes_on_alone():
    draws = Draws(0, torch.arange(4), 6)
    draws.words(2)
    again = copy(draws)
    assert torch.equal(draws.words(2), again.words(2))
