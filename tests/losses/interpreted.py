"""The kernels of a GPU under Triton's interpreter, against the passes of a CPU; ``test_triton.py`` runs this file.

Triton decides at import whether kernels are interpreted, so these tests need a process of their own. A program owns
1024 pixels: 1027 of them make two programs an image, the second nearly empty.
"""

import pytest
import torch

from segedu.losses import lovasz_bins, masses, pixels
from segedu.losses.cross_entropy import cross_entropy
from segedu.losses.focal import focal_loss
from segedu.losses.inputs import safe_labels
from segedu.losses.lovasz import lovasz_loss
from segedu.losses.ohem import ohem_cross_entropy
from segedu.losses.regions import dice_loss, jaccard_loss, tversky_loss

ROUNDING = {torch.float64: 1e-12, torch.float32: 1e-6, torch.float16: 2**-10, torch.bfloat16: 2**-7}

cases = pytest.mark.parametrize(
    ("images", "classes", "size", "dtype", "void", "memory_format"),
    [
        (2, 3, (13, 79), torch.float32, 0.3, torch.contiguous_format),
        (1, 19, (2, 4), torch.float32, 0.3, torch.channels_last),
        (1, 1, (1, 5), torch.float32, 0.3, torch.contiguous_format),
        (3, 2, (2, 3), torch.float64, 0.3, torch.channels_last),
        (1, 21, (2, 3), torch.bfloat16, 0.3, torch.contiguous_format),
        (1, 3, (4, 4), torch.float16, 0.0, torch.contiguous_format),
        (1, 2, (3, 3), torch.float32, 1.0, torch.contiguous_format),
    ],
)


@pytest.fixture
def on_kernels(monkeypatch):
    """A call in which every pass that has a kernel takes it."""

    def call(function, *arguments):
        with monkeypatch.context() as patch:
            for module in (lovasz_bins, masses, pixels):
                patch.setattr(module, "takes_kernels", lambda logits: True)
            return function(*arguments)

    return call


def scene(images, classes, size, dtype, void, memory_format=torch.contiguous_format):
    generator = torch.Generator().manual_seed(classes)
    logits = 3 * torch.randn(images, classes, *size, generator=generator)
    target = torch.randint(0, classes, (images, *size), generator=generator)
    target[torch.rand(target.shape, generator=generator) < void] = 255
    return logits.to(dtype, memory_format=memory_format), target


def flat(logits, target):
    """Logits ``(N, K, P)``, safe labels and validity ``(N, P)``."""
    index, valid = safe_labels(target, logits.shape[1], 255)
    return logits.flatten(2), index.flatten(1), valid.flatten(1)


def with_gradient(function, logits, *arguments):
    """What the function returns, and the gradient for the logits of a mixture of it whose slopes all differ."""
    logits = logits.detach().requires_grad_()
    values = function(logits, *arguments)
    values = tuple(values) if isinstance(values, tuple) else (values,)
    mixture = sum((value * torch.linspace(-0.5, 1, value.numel()).view(value.shape)).sum() for value in values)
    return *(value.detach() for value in values), torch.autograd.grad(mixture, logits)[0]


def assert_near(found, wanted):
    """Equal but for the rounding of the arithmetic and of what the gradient, which comes last, is stored in.

    (``torch.testing.assert_close`` would load all of PyTorch's distributed tensors into this process.)
    """
    arithmetic = 1e-12 if found[-1].dtype == torch.float64 else 1e-6
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.shape == theirs.shape
        error, scale = (float(size.abs().max()) for size in (ours.double() - theirs.double(), theirs.double()))
        assert error <= max(arithmetic, ROUNDING[ours.dtype]) * max(1.0, scale)


@cases
def test_log_probabilities(on_kernels, images, classes, size, dtype, void, memory_format):
    arguments = *flat(*scene(images, classes, size, dtype, void, memory_format)), 0.1 * (classes % 2)
    found = on_kernels(with_gradient, pixels.true_log_probability, *arguments)
    assert_near(found, with_gradient(pixels.true_log_probability, *arguments))


@cases
def test_masses(on_kernels, images, classes, size, dtype, void, memory_format):
    arguments = flat(*scene(images, classes, size, dtype, void, memory_format))
    found = on_kernels(with_gradient, masses.class_masses, *arguments)
    assert_near(found, with_gradient(masses.class_masses, *arguments))


@cases
def test_histograms(on_kernels, images, classes, size, dtype, void, memory_format):
    logits, index, valid = flat(*scene(images, classes, size, dtype, void, memory_format))
    options = ("image", 1000) if classes % 2 else ("batch", 10_000)  # counted in a program's memory, or outside of it
    found = on_kernels(with_gradient, lovasz_bins.in_bins, logits, index, valid, *options)
    assert_near(found, with_gradient(lovasz_bins.in_bins, logits.double(), index, valid, *options))


@pytest.mark.parametrize(
    "loss", [cross_entropy, focal_loss, ohem_cross_entropy, dice_loss, jaccard_loss, tversky_loss, lovasz_loss]
)
def test_losses(on_kernels, loss):
    logits, target = scene(2, 3, (5, 4), torch.float32, 0.3)
    wanted = with_gradient(loss, logits, target)
    logits.movedim(1, -1)[target == 255] = torch.nan  # what stands at void is not looked at
    assert_near(on_kernels(with_gradient, loss, logits, target), wanted)


def test_a_class_may_be_ruled_out(on_kernels):
    logits, target = scene(1, 4, (3, 5), torch.float64, 0.3)
    without = on_kernels(with_gradient, cross_entropy, logits[:, 1:], target.clamp(max=2))
    logits[:, 0] = -torch.inf
    value, gradient = on_kernels(with_gradient, cross_entropy, logits, target.clamp(max=2) + 1)
    assert_near((value, gradient[:, 1:]), without)
    assert not gradient[:, 0].any()


def test_second_derivatives_leave_the_kernels(on_kernels):
    def curvature(loss, logits, target):
        return with_gradient(lambda x: torch.autograd.grad(loss(x, target), x, create_graph=True)[0], logits)

    scenery = scene(1, 3, (2, 2), torch.float64, 0.3)
    for loss in (cross_entropy, dice_loss):
        assert_near(on_kernels(curvature, loss, *scenery), curvature(loss, *scenery))
