"""The losses under the function transforms of ``torch.func``, each against its own ordinary gradient."""

import pytest
import torch

from segedu import losses

BINARY = ["binary_cross_entropy", "binary_dice_loss", "binary_focal_loss", "binary_tversky_loss", "lovasz_hinge_loss"]
SOFTMAX = [
    "cross_entropy",
    "dice_loss",
    "focal_loss",
    "jaccard_loss",
    "lovasz_loss",
    "ohem_cross_entropy",
    "one_vs_rest_focal_loss",
]


def scene(name):
    generator = torch.Generator().manual_seed(0)
    classes = 1 if name in BINARY else 3
    logits = torch.randn(2, classes, 6, 5, generator=generator, dtype=torch.float64)
    target = torch.randint(max(2, classes), (2, 6, 5), generator=generator)
    target[0, 0] = 255
    return logits, target


def check(loss, logits):
    wanted = logits.clone().requires_grad_()
    gradient = torch.autograd.grad(loss(wanted), wanted)[0]
    value, pull = torch.func.vjp(loss, logits)
    torch.testing.assert_close(pull(torch.full_like(value, 2))[0], 2 * gradient)
    torch.testing.assert_close(torch.func.grad(loss)(logits), gradient)
    torch.testing.assert_close(torch.func.jacrev(lambda x: loss(x)[None])(logits)[0], gradient)

    def steepness(x):
        return torch.func.grad(loss)(x).square().sum()

    again = logits.clone().requires_grad_()
    first = torch.autograd.grad(loss(again), again, create_graph=True)[0]
    expected = torch.autograd.grad(first.square().sum(), again)[0]
    torch.testing.assert_close(torch.func.grad(steepness)(logits), expected)


@pytest.mark.parametrize("name", BINARY + SOFTMAX)
def test_transforms(name):
    logits, target = scene(name)
    check(lambda x: getattr(losses, name)(x, target), logits)


def test_transforms_under_soft_labels():
    logits, _ = scene("cross_entropy")
    shares = torch.rand(logits.shape, generator=torch.Generator().manual_seed(1)).softmax(1)
    check(lambda x: losses.cross_entropy(x, shares), logits)
    check(lambda x: losses.dice_loss(x, shares), logits)
