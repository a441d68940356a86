"""Which samples a step sees, and with what randomness: everything about step t follows from (seed, t) alone.

That is what makes a resumed run the same run: no state of any random generator has to be kept. Random transforms are
covered as far as they draw from torch's generators, as ``torchvision.transforms.v2`` does.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

__all__ = ["Draw", "evaluation_batches", "seed_of", "seeded", "shuffled", "training_batches"]

Draw: TypeAlias = tuple[int, int]  # a sample's index, and the seed of whatever is random about it
Batch: TypeAlias = tuple[Tensor, Tensor]


def training_batches(
    data: Any,
    *,
    batch_size: int,
    seed: int,
    steps: range,
    device: torch.device,
    workers: int = 0,
    rank: int = 0,
    world_size: int = 1,
) -> Iterator[Batch]:
    """This process's share of the batch of every step in ``steps``: ``(images, labels)`` on ``device``.

    Epochs are shuffled one after another without a gap, so a batch may hold the end of one and the start of the next.
    Raises ``ValueError`` where samples of one batch differ in size, or there are more processes than samples in it.
    """
    if batch_size < world_size:
        raise ValueError(
            f"batch_size {batch_size} cannot be shared by {world_size} processes; give each one sample at least"
        )
    draws = ([*shuffled(len(data), batch_size, seed, step)][rank::world_size] for step in steps)
    for groups in _fetch(data, draws, device, workers):
        if len(groups) > 1:
            sizes = " and ".join(str(tuple(images.shape[-2:])) for images, _ in groups[:2])
            raise ValueError(
                f"samples of {sizes} pixels cannot share a training batch; "
                "give the data set a size, crop in its transform, or train with batch_size=1"
            )
        yield groups[0]


def evaluation_batches(
    data: Any, *, batch_size: int, device: torch.device, workers: int = 0, rank: int = 0, world_size: int = 1
) -> Iterator[Batch]:
    """This process's share of all samples, each once and in order; samples of different sizes come apart.

    Raises ``ValueError`` for a batch size below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
    share = range(rank, len(data), world_size)
    draws = (
        [(i, seed_of("sample", i)) for i in share[at : at + batch_size]] for at in range(0, len(share), batch_size)
    )
    for groups in _fetch(data, draws, device, workers):
        yield from groups


def shuffled(length: int, batch_size: int, seed: int, step: int) -> Iterator[Draw]:
    """The draws of one step's whole batch: a window on the endless row of permutations, one an epoch."""
    for slot in range(batch_size):
        epoch, place = divmod(step * batch_size + slot, length)
        yield _permutation(length, seed, epoch)[place], seed_of("sample", seed, step, slot)


@lru_cache(maxsize=2)
def _permutation(length: int, seed: int, epoch: int) -> list[int]:
    generator = torch.Generator("cpu").manual_seed(seed_of("epoch", seed, epoch))
    return torch.randperm(length, generator=generator, device="cpu").tolist()


def seed_of(*keys: int | str) -> int:
    """A 63-bit seed that depends on every key and on their order."""
    return int.from_bytes(hashlib.blake2b(repr(keys).encode(), digest_size=8).digest(), "big") >> 1


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Inside, random numbers on the CPU and on ``device`` follow from ``seed``; outside, they are left as found."""
    generators = [torch.default_generator]
    if device is not None and device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        generators.append(torch.cuda.default_generators[index])
    elif device is not None and device.type == "mps":
        generators.append(torch.mps._get_default_mps_generator())
    states = [generator.get_state() for generator in generators]
    for generator in generators:
        generator.manual_seed(seed)
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def _fetch(data: Any, draws: Iterable[list[Draw]], device: torch.device, workers: int) -> Iterator[list[Batch]]:
    """Each list of draws as batches on ``device``: painted there, sliced from tensors, or loaded sample by sample."""
    if hasattr(data, "batch") and getattr(data, "transforms", None) is None:  # a painter transforms single items only
        for draw in draws:
            yield [data.batch([index for index, _ in draw], device=device)]
    elif isinstance(data, TensorDataset):
        images, labels = data.tensors
        for draw in draws:
            index = torch.tensor([index for index, _ in draw], device=images.device)
            yield [(images[index].to(device), labels[index].to(device))]
    else:
        cuda = device.type == "cuda"
        loader = DataLoader(
            _Seeded(data),
            batch_sampler=draws,
            num_workers=workers,
            collate_fn=_by_size,
            pin_memory=cuda,
            generator=torch.Generator("cpu"),  # else the loader would advance the global one
        )
        with torch.device("cpu"):  # it draws a seed of its own
            loaded = iter(loader)
        for groups in loaded:
            yield [
                (images.to(device, non_blocking=cuda), labels.to(device, non_blocking=cuda))
                for images, labels in groups
            ]


class _Seeded(Dataset[Batch]):
    """A data set that is asked with draws, and loads on the CPU whatever torch's default device is."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __getitem__(self, draw: Draw) -> Batch:
        index, seed = draw
        with seeded(seed), torch.device("cpu"):
            image, label = self.data[index]
        return image, label


def _by_size(samples: Sequence[Batch]) -> list[Batch]:
    """Samples stacked, one batch for every size of image, in order of first appearance."""
    groups: dict[tuple[torch.Size, torch.Size], list[Batch]] = {}
    for image, label in samples:
        groups.setdefault((image.shape, label.shape), []).append((image, label))
    return [
        (torch.stack([image for image, _ in group]), torch.stack([label for _, label in group]))
        for group in groups.values()
    ]
