"""Derivatives of derivatives: what a loss with a backward pass of its own does when that pass is differentiated."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def gradient_to_follow(plain: Callable[[Tensor], Any], logits: Tensor, steps: Any) -> Tensor:
    """The gradient of ``plain(logits)`` along ``steps``, shaped as its result, in steps that autograd can follow.

    A backward pass takes it while gradients are recorded: for second derivatives, and in ``torch.func``'s ``vjp`` and
    ``jacrev``, where ``torch.autograd.grad`` would look for a record that has been closed.
    """
    found: Tensor = torch.func.vjp(plain, logits)[1](steps)[0]
    return found
