"""One function, one process or many: the few questions that training asks about its fellow processes.

``torchrun`` starts the processes and says in their environment which is which. Alone, every function here is a no-op.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["all_reduce_sum", "is_main", "process_group", "rank", "require_equal", "synchronised", "world_size", "wrap"]


@contextmanager
def process_group(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that ``torchrun`` started, and yield this one's device.

    NCCL joins CUDA devices (each process takes the one of its ``LOCAL_RANK``), Gloo joins CPUs. Where there is no such
    environment, or a group exists already, nothing is joined and nothing is left at the end.
    """
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", torch.cuda.current_device())))
    if dist.is_initialized() or int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
        dist.init_process_group("nccl", device_id=device)
    else:
        dist.init_process_group("gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """This process's number, 0 when alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes share the work, 1 when alone."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this process is the one that prints and writes."""
    return rank() == 0


def all_reduce_sum(values: Tensor) -> Tensor:
    """``values`` added up over the processes, in place."""
    if world_size() > 1:
        dist.all_reduce(values)
    return values


def require_equal(value: int, what: str, device: torch.device) -> None:
    """Raise ``ValueError`` in every process unless ``value`` is the same in all of them."""
    if world_size() == 1:
        return
    values = torch.zeros(world_size(), dtype=torch.int64, device=device)
    values[rank()] = value
    seen = all_reduce_sum(values).tolist()
    if len(set(seen)) > 1:
        raise ValueError(f"the processes disagree about {what}: {seen}; let all of them read the same files")


def synchronised(model: nn.Module, device: torch.device) -> nn.Module:
    """``model`` with batch statistics taken over all processes, where they share the work on CUDA devices.

    The layers of ``model`` are replaced in place, so that it is the caller's own model that is trained.
    """
    if world_size() == 1 or device.type != "cuda":
        return model
    return cast("nn.Module", nn.SyncBatchNorm.convert_sync_batchnorm(model))  # type: ignore[no-untyped-call]


def wrap(model: nn.Module, device: torch.device) -> nn.Module:
    """``model`` with its gradients averaged over the processes after each backward pass."""
    if world_size() == 1:
        return model
    return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)
