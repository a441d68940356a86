"""Memory of a run: the height that allocation reaches, and what a forward pass keeps for the backward pass."""

import os
from collections.abc import Callable
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.profiler import ProfilerActivity
from torch.profiler import profile as torch_profile


def peak_memory(run: Callable[[], object], device: torch.device | str) -> int:
    """The most bytes of tensors on ``device`` at one time during ``run()``, beside those that were there before.

    Exact: CUDA's allocator keeps its own mark (in blocks of 512 bytes), and on the CPU every allocation of torch is
    replayed from the profiler's record. Scratch memory that a library takes behind torch's back is not seen. What
    ``run`` frees of the memory from before is deducted on CUDA only. Raises ``ValueError`` for other devices, whose
    allocators tell neither.
    """
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if device.type == "cpu":
        return _peak_of_allocations(run)
    raise ValueError(f"device is {device}: peak memory can be measured on cuda and cpu only")


def _peak_of_allocations(run: Callable[[], object]) -> int:
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the profiler reports the lack of a GPU as an error
    with torch_profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        run()
    changes = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    allocated = peak = 0
    for change in sorted(changes, key=lambda event: event.start_ns()):
        allocated += change.nbytes()
        peak = max(peak, allocated)
    return peak


class _Kept:
    """A tensor in the hands of the graph: alive for as long as the graph may ask for it."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()  # with its own place in the graph it would keep the graph alive in a circle


def retained_bytes(model: nn.Module, images: Tensor) -> int:
    """Bytes that ``model(images)`` keeps for its backward pass, in the mode (training or not) that the model is in.

    Each storage counts once, however many operations keep it, and the images count where a layer needs them for its
    gradient; parameters and buffers do not count, being there anyway. The model, its statistics and the random state
    stay as they are.
    """
    kept: WeakSet[_Kept] = WeakSet()

    def pack(tensor: Tensor) -> _Kept:
        holder = _Kept(tensor)
        kept.add(holder)
        return holder

    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    own = {_storage(tensor) for tensor in (*model.parameters(), *model.buffers(), *buffers.values())}
    devices = [images.device] if images.device.type == "cuda" and torch.cuda.is_available() else []
    with (
        torch.random.fork_rng(devices),
        torch.enable_grad(),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda holder: holder.tensor),
    ):
        # Held until the count is done: what belongs to the graph of no output is freed by then, and not counted.
        outputs = functional_call(model, buffers, (images,))
        storages = {_storage(holder.tensor): holder.tensor.untyped_storage().nbytes() for holder in kept}
        del outputs
    return sum(size for storage, size in storages.items() if storage not in own)


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
