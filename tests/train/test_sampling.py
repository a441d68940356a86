"""What a step sees follows from (seed, step) alone."""

import contextlib
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from segedu.train.sampling import _permutation, evaluation_batches, seed_of, seeded, shuffled, training_batches

CPU = torch.device("cpu")


class Pairs:
    """Samples that tell their index and a random number."""

    def __init__(self, length, size=lambda index: 2):
        self.length, self.size = length, size

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        side = self.size(index)
        image = torch.full((3, side, side), float(index))
        image[1:] = torch.rand(())
        return image, torch.full((side, side), index)


class Painter(Pairs):
    def batch(self, indices, device=None):
        images, labels = zip(*(self[index] for index in indices), strict=True)
        return torch.stack(images).to(device), torch.stack(labels).to(device)


@given(length=st.integers(1, 20), batch_size=st.integers(1, 30), seed=st.integers(0, 9), epochs=st.integers(1, 4))
def test_every_epoch_shows_every_sample_once(length, batch_size, seed, epochs):
    steps = -(-length * epochs // batch_size)
    drawn = [draw for step in range(steps) for draw in shuffled(length, batch_size, seed, step)]
    for epoch in range(epochs):
        assert Counter(i for i, _ in drawn[epoch * length : (epoch + 1) * length]) == Counter(range(length))
    assert len({seed for _, seed in drawn}) == len(drawn)


def test_epochs_and_seeds_differ():
    orders = {tuple(i for i, _ in shuffled(50, 50, seed, step)) for seed in range(4) for step in range(4)}
    assert len(orders) == 16


def test_seeds_depend_on_every_key_and_their_order():
    keys = [(0, 1), (1, 0), (0, 11), (0, 1, 1), ("a", 0, 1), ("b", 0, 1)]
    seeds = {seed_of(*key) for key in keys}
    assert len(seeds) == len(keys)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seeded_repeats_inside_and_is_invisible_outside():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with seeded(5):
        first = torch.rand(4)
    with contextlib.suppress(KeyError), seeded(5):
        assert torch.equal(torch.rand(4), first)
        raise KeyError
    assert torch.equal(torch.rand(3), expected)


def draw_all(data, steps, rank=0, world_size=1, workers=0):
    share = {"rank": rank, "world_size": world_size, "workers": workers}
    return list(training_batches(data, batch_size=5, seed=3, steps=steps, device=CPU, **share))


def assert_same(one, other):
    assert len(one) == len(other)
    for (images, labels), (other_images, other_labels) in zip(one, other, strict=True):
        assert torch.equal(images, other_images)
        assert torch.equal(labels, other_labels)


def test_a_later_start_and_worker_processes_change_nothing():
    whole = draw_all(Pairs(7), range(6))
    assert_same(whole[4:], draw_all(Pairs(7), range(4, 6)))
    assert_same(whole, draw_all(Pairs(7), range(6), workers=2))


def test_processes_share_out_the_batch():
    for (images, labels), (even, _), (odd, _) in zip(
        draw_all(Pairs(7), range(6)),
        draw_all(Pairs(7), range(6), 0, 2),
        draw_all(Pairs(7), range(6), 1, 2),
        strict=True,
    ):
        assert torch.equal(images[0::2], even)
        assert torch.equal(images[1::2], odd)
        assert torch.equal(images[:, 0].long(), labels)


def test_painters_and_tensors_see_the_same_samples():
    tensors = TensorDataset(torch.arange(7.0).view(7, 1, 1, 1).expand(7, 3, 2, 2), torch.arange(7).view(7, 1, 1))
    by_item, painted, sliced = (draw_all(data, range(6)) for data in (Pairs(7), Painter(7), tensors))
    for (item, _), (paint, _), (cut, _) in zip(by_item, painted, sliced, strict=True):
        assert torch.equal(item[:, 0], paint[:, 0])
        assert torch.equal(item[:, 0], cut[:, 0])


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    draw_all(Pairs(7), range(3))
    list(evaluation_batches(Pairs(7), batch_size=2, device=CPU))
    assert torch.equal(torch.get_rng_state(), before)


@given(length=st.integers(1, 12), batch_size=st.integers(1, 5), world_size=st.integers(1, 3))
def test_evaluation_sees_every_sample_once(length, batch_size, world_size):
    seen = [
        label
        for rank in range(world_size)
        for _, labels in evaluation_batches(
            Pairs(length, lambda index: 1 + index % 2),
            batch_size=batch_size,
            device=CPU,
            rank=rank,
            world_size=world_size,
        )
        for label in labels[:, 0, 0].tolist()
    ]
    assert sorted(seen) == list(range(length))


def test_evaluation_keeps_sizes_apart_and_repeats_random_transforms():
    data = Pairs(4, lambda index: 1 + index % 2)
    first, second = (list(evaluation_batches(data, batch_size=4, device=CPU)) for _ in range(2))
    assert [labels[:, 0, 0].tolist() for _, labels in first] == [[0, 2], [1, 3]]
    assert_same(first, second)


def test_sizes_that_differ_cannot_be_trained_on_together():
    with pytest.raises(ValueError, match=r"samples of \(\d, \d\) and \(\d, \d\) pixels cannot share a training batch"):
        draw_all(Pairs(7, lambda index: 1 + index % 2), range(1))


def test_more_processes_than_samples_in_a_batch():
    with pytest.raises(ValueError, match="batch_size 5 cannot be shared by 6 processes"):
        draw_all(Pairs(7), range(1), 0, 6)


class Random(Pairs):
    """Draws on torch's default device, as the transforms of torchvision do."""

    def __getitem__(self, index):
        return torch.full((3, 2, 2), float(index)) + torch.rand(()), torch.full((2, 2), index)


@pytest.mark.parametrize("workers", [0, 2])
def test_loading_does_not_follow_the_default_device(workers):
    expected = draw_all(Random(7), range(6))
    _permutation.cache_clear()
    with torch.device("meta"):
        assert_same(draw_all(Random(7), range(6), workers=workers), expected)


def test_a_painter_with_transforms_is_asked_for_single_items():
    """Its batches come without them, so training on those would leave out what was asked for."""
    painter = Painter(7)
    painter.transforms = "are in __getitem__"
    painter.batch = None
    assert_same(draw_all(painter, range(6)), draw_all(Pairs(7), range(6)))


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="batch_size is 0; it must be at least 1"):
        next(evaluation_batches(Pairs(7), batch_size=0, device=CPU))
