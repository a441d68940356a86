"""Costs that can be counted without running anything: parameters and multiply-adds."""

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from segedu.inference import device_of, inference


def parameters(model: nn.Module, *, trainable_only: bool = False) -> int:
    """How many numbers the model learns; shared tensors count once, and buffers (statistics, fixed filters) never."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)


def macs(model: nn.Module, size: tuple[int, int], *, batch_size: int = 1, channels: int = 3) -> int:
    """Multiply-adds of one inference on images ``(batch_size, channels, H, W)``.

    Convolutions, transposed convolutions and matrix products count, as in the tables of papers; pooling, normalisation,
    activations and ``F.interpolate`` do not (``layers.upsample`` interpolates by matrix products, which do). torch
    counts two operations for a multiply-add, papers mostly one: this is one. Runs on fake tensors, so no number is
    computed and any size takes about as long as a small one.
    """
    with (
        inference(model),
        FakeTensorMode(allow_non_fake_inputs=True),
        FlopCounterMode(display=False) as counter,
    ):
        model(torch.empty(batch_size, channels, *size, device=device_of(model)))
    return int(counter.get_total_flops()) // 2
