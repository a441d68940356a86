"""How unknown each pixel looks to a classifier, read off its logits: four scores from one pass over them."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from segedu.losses.chunks import chunks
from segedu.losses.inputs import arithmetic_dtype, check_logits
from segedu.losses.powers import scratch


class OODScores(NamedTuple):
    """Four scores of each pixel, ``(N, H, W)`` each: the higher, the less it looks like what the net was trained on."""

    max_softmax: Tensor
    """One minus the largest softmax probability, 0 to ``1 - 1/K`` (Hendrycks & Gimpel, ICLR 2017, arXiv 1610.02136)."""
    max_logit: Tensor
    """The largest logit, negated (Hendrycks et al., ICML 2022, arXiv 1911.11132, section 3)."""
    entropy: Tensor
    """The entropy of the softmax in nats, 0 to ``log K``."""
    energy: Tensor
    """``-T log sum exp(x / T)`` (Liu et al., NeurIPS 2020, arXiv 2010.03759, equation 4)."""


@torch.no_grad()
def ood_scores(logits: Tensor, temperature: float = 1.0) -> OODScores:
    """All four scores in one pass: ``(N, K, H, W) -> (N, H, W)`` each, or any other shape behind ``(N, K)``.

    With ``m`` the largest logit of a pixel, everything follows from ``m``, ``sum e^(x - m)`` and
    ``sum e^(x - m) (x - m)``. The logits are divided by ``temperature`` first, except for the largest logit, whose
    order it would not change. Scores are float32, float64 for float64 logits, and carry no gradient.

    A logit of minus infinity is a class that is ruled out. Where a pixel holds plus infinity or NaN, or rules out every
    class, it has no softmax, and but for the largest logit its scores are NaN. Raises ``TypeError`` for logits that are
    no floating-point numbers, ``ValueError`` where they have no classes and for a temperature that is not positive.
    """
    check_logits(logits)
    if logits.ndim < 2 or not logits.shape[1]:
        raise ValueError(f"logits have shape {tuple(logits.shape)}, expected (N, K, H, W) with at least one class")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature is {temperature}, expected a positive number that the logits are divided by")
    pixels = logits.as_subclass(Tensor).flatten(2) if logits.ndim > 2 else logits.as_subclass(Tensor)[..., None]
    maps = torch.empty(4, len(logits), pixels.shape[2], dtype=arithmetic_dtype(logits), device=logits.device)
    rooms = scratch(pixels, maps.dtype), scratch(pixels, maps.dtype)
    for images, run in chunks(pixels):
        values = pixels[images, :, run]
        top = values.amax(1, keepdim=True).to(maps.dtype)
        below = torch.sub(values, top, out=rooms[0](values))
        if temperature != 1:
            below.div_(temperature)
        powers = torch.exp(below, out=rooms[1](values))
        total, spread = powers.sum(1), below.mul_(powers).nansum(1)  # 0 times minus infinity: a class ruled out
        largest, log_total = top.squeeze(1), total.log()
        maps[0, images, run] = (total - 1) / total
        maps[1, images, run] = -largest
        maps[2, images, run] = log_total - spread / total
        maps[3, images, run] = -largest - temperature * log_total
    return OODScores(*maps.view(4, len(logits), *logits.shape[2:]))


def max_softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """One minus the largest softmax probability: ``(N, K, H, W) -> (N, H, W)``; see `OODScores`."""
    return ood_scores(logits, temperature).max_softmax


def max_logit(logits: Tensor) -> Tensor:
    """The largest logit, negated: ``(N, K, H, W) -> (N, H, W)``; see `OODScores`."""
    return ood_scores(logits).max_logit


def entropy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """The entropy of the softmax in nats: ``(N, K, H, W) -> (N, H, W)``; see `OODScores`."""
    return ood_scores(logits, temperature).entropy


def energy(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """The free energy of the logits: ``(N, K, H, W) -> (N, H, W)``; see `OODScores`."""
    return ood_scores(logits, temperature).energy
