"""Costs that can be counted without running anything: parameters and multiply-adds."""

from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from segedu.inference import device_of, inference


def parameters(model: nn.Module, *, trainable_only: bool = False) -> int:
    """How many numbers the model learns; shared tensors count once, and buffers (statistics, fixed filters) never."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)


class CountedMACs(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the multiply-adds of what runs inside, into ``count``, by torch's own formulas.

    torch counts two operations for a multiply-add, papers mostly one: this is one. `FlopCounterMode` keeps a book of
    every module beside the sum and takes ten times as long, which a hand on a slider would feel.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.count += int(formula(*args, **(kwargs or {}), out_val=out)) // 2
        return out


def macs(model: nn.Module, size: tuple[int, int], *, batch_size: int = 1, channels: int = 3) -> int:
    """Multiply-adds of one inference on images ``(batch_size, channels, H, W)``.

    Convolutions, transposed convolutions and matrix products count, as in the tables of papers; pooling, normalisation,
    activations and ``F.interpolate`` do not (``layers.upsample`` interpolates by matrix products, which do). Runs on
    fake tensors, so no number is computed and any size takes about as long as a small one.
    """
    counted = CountedMACs()
    with inference(model), FakeTensorMode(allow_non_fake_inputs=True), counted:
        model(torch.empty(batch_size, channels, *size, device=device_of(model)))
    return counted.count
