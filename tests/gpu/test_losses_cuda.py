"""Losses on a CUDA device: the CPU's values, the same bits twice, no host that waits, and little memory."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from segedu.losses.binary import binary_cross_entropy, binary_focal_loss
from segedu.losses.binary_regions import binary_dice_loss, binary_jaccard_loss, binary_tversky_loss
from segedu.losses.cross_entropy import cross_entropy
from segedu.losses.focal import focal_loss
from segedu.losses.gpu import takes_kernels
from segedu.losses.lovasz import lovasz_hinge_loss, lovasz_loss
from segedu.losses.ohem import ohem_cross_entropy
from segedu.losses.regions import dice_loss, jaccard_loss, tversky_loss

CUDA = "cuda"
SOFTMAX = [cross_entropy, focal_loss, ohem_cross_entropy, dice_loss, jaccard_loss, tversky_loss, lovasz_loss]
SIGMOID = [
    binary_cross_entropy,
    binary_focal_loss,
    binary_dice_loss,
    binary_jaccard_loss,
    binary_tversky_loss,
    lovasz_hinge_loss,
]

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
each_loss = pytest.mark.parametrize("loss", SOFTMAX + SIGMOID)


def scene(loss, size=(67, 129), dtype=torch.float32):
    """Logits and labels on the CPU for a loss: 19 classes, or a foreground; a tenth is void."""
    classes = 1 if loss in SIGMOID else 19
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2, classes, *size, generator=generator)
    target = torch.randint(0, max(2, classes), (2, *size), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.1] = 255
    return logits.to(dtype), target


def with_gradient(loss, logits, target):
    logits = logits.detach().requires_grad_()
    value = loss(logits, target)
    return value.detach(), torch.autograd.grad(value, logits)[0]


@each_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_value_and_gradient_are_those_of_the_cpu(loss, dtype, memory_format):
    logits, target = scene(loss, dtype=dtype)
    value, gradient = with_gradient(loss, logits, target)
    found, slope = with_gradient(loss, logits.to(CUDA, memory_format=memory_format), target.to(CUDA))
    exact = loss is not lovasz_loss or dtype == torch.float64  # else a pixel may be rounded into the neighbouring bin
    torch.testing.assert_close(found.cpu(), value, rtol=1e-6 if exact else 1e-4, atol=1e-6)
    stored = {torch.float32: 1e-5, torch.bfloat16: 2**-7, torch.float64: 1e-10}[dtype] if exact else 2e-2
    assert float((slope.cpu() - gradient).norm()) <= stored * float(gradient.norm())


@each_loss
def test_bits_repeat_in_deterministic_mode(loss):
    logits, target = (tensor.to(CUDA) for tensor in scene(loss))
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (with_gradient(loss, logits, target) for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(map(torch.equal, first, second))


@each_loss
def test_the_host_does_not_wait(loss):
    logits, target = (tensor.to(CUDA) for tensor in scene(loss))
    with_gradient(loss, logits, target)  # what is compiled and loaded at the first call may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        with_gradient(loss, logits, target)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("loss", [cross_entropy, dice_loss, lovasz_loss])
def test_no_softmax_is_kept(loss):
    logits, target = (tensor.to(CUDA) for tensor in scene(loss, size=(512, 512)))
    if not takes_kernels(logits):
        pytest.skip("no Triton for this device")
    with_gradient(loss, logits, target)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    with_gradient(loss, logits, target)
    size = logits.numel() * logits.element_size()
    assert torch.cuda.max_memory_allocated() - before < 1.7 * size  # the gradient, and maps of one number a pixel


def test_kernels_are_taken_where_triton_is():
    if find_spec("triton") is None or torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("no Triton for this device")
    assert takes_kernels(torch.zeros(1, 2, 3, device=CUDA))


@pytest.mark.parametrize("loss", [cross_entropy, dice_loss, lovasz_loss])
def test_a_stray_label_stops_the_program(loss):
    script = f"""
import torch
from {loss.__module__} import {loss.__name__}
{loss.__name__}(torch.zeros(1, 3, 4, 4, device="cuda"), torch.full((1, 4, 4), 3, device="cuda"))
torch.cuda.synchronize()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)  # it spoils its process
    assert done.returncode != 0
    assert "assert" in done.stderr


def test_a_batch_may_hold_more_logits_than_32_bits_count():
    if torch.cuda.mem_get_info()[0] < 16 * 2**30:
        pytest.skip("needs 16 GiB of free memory")
    logits = torch.zeros(1, 2048, 1, 2**20 + 5, dtype=torch.float16, device=CUDA)
    logits[..., -1] = torch.linspace(-3, 3, 2048, device=CUDA)[:, None]
    target = torch.full((1, 1, 2**20 + 5), 2047, device=CUDA)

    def last(logits, target):
        logits = logits.requires_grad_()
        value = cross_entropy(logits, target, reduction="none")[..., -1].sum()
        return value.detach(), torch.autograd.grad(value, logits)[0][..., -1]

    assert all(map(torch.equal, last(logits, target), last(logits[..., -1:].detach(), target[..., -1:])))
