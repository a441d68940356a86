"""Mean field: every pixel's probabilities, made to agree with what all others say of it, some times over."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.crf.filters import Filter
from segedu.crf.inputs import check_logits

CPU_VALUES = 2**17
"""How many values a thread updates at a time: 512 KiB of float32, so that a few steps stay in its cache."""

TILE = 8
"""The side of the tiles of pixels that are worked on one after the other."""


@torch.compiler.disable  # type: ignore[untyped-decorator]
def mean_field(
    logits: Tensor,
    filters: Sequence[Filter],
    weights: Sequence[float] | Tensor,
    *,
    compatibility: Tensor | None = None,
    iterations: int = 10,
) -> Tensor:
    """Probabilities ``(N, K, H, W)`` of independent pixels, as near as they come to those of the dense random field.

    ``logits (N, K, H, W)`` are the unary energies with the sign turned, up to a constant a pixel: a network's scores,
    or the logarithm of probabilities, where minus infinity rules a class out. ``filters`` are over the ``H W`` pixels
    of each image, and each counts by its number in ``weights``. ``compatibility (K, K)`` is what label ``k`` costs near
    label ``l``; by default 1 for any two that differ (Potts). Computed in the filters' dtype.

    Krähenbühl and Koltun (NeurIPS 2011), algorithm 1; with 0 iterations the softmax. Differentiable by logits, weights
    and compatibility; where no gradient is wanted, few pixels are updated at a time. Raises ``TypeError`` for logits
    that are no floating-point numbers, ``ValueError`` for shapes that do not fit and, on the CPU, for a pixel with NaN,
    plus infinity or no class that is possible.
    """
    check_logits(logits)
    _check_field(logits, filters, weights, compatibility, iterations)
    count, classes, height, width = logits.shape
    dtype = filters[0].dtype
    # A constant a pixel makes no difference, and takes care that the powers of most scores can be told.
    scores = logits.to(dtype) - logits.detach().to(dtype).amax(1, keepdim=True)
    scores = scores.permute(0, 2, 3, 1).reshape(-1, classes).contiguous()
    strengths = torch.as_tensor(weights, dtype=dtype, device=logits.device)
    costs = None if compatibility is None else compatibility.to(dtype)
    learns = any(given is not None and given.requires_grad for given in (scores, strengths, costs))
    with torch.autocast(logits.device.type, enabled=False):
        if learns and torch.is_grad_enabled():
            probabilities = _iterate(scores, filters, strengths, costs, iterations)
        elif scores.device.type == "cpu":
            order = _by_tiles(count, height, width)
            near = [one.reordered(order) for one in filters]
            probabilities = torch.empty_like(scores)
            probabilities[order] = _iterate_in_pieces(scores[order], near, strengths, costs, iterations)
        else:
            probabilities = _iterate_in_pieces(scores, filters, strengths, costs, iterations)
    return probabilities.view(count, height, width, classes).permute(0, 3, 1, 2).contiguous()


def _iterate(
    scores: Tensor, filters: Sequence[Filter], weights: Tensor, costs: Tensor | None, iterations: int
) -> Tensor:
    """All pixels at once, as autograd can follow: ``(N P, K) -> (N P, K)``."""
    probabilities = scores.softmax(1)
    for _ in range(iterations):
        values = probabilities.view(*filters[0].shape, -1)
        heard = [one.filter(values).view(scores.shape) for one in filters]
        first, *others = (message * weight for message, weight in zip(heard, weights, strict=True))
        probabilities = _total(scores, sum(others, start=first), costs).softmax(1)
    return probabilities


def _iterate_in_pieces(
    scores: Tensor, filters: Sequence[Filter], weights: Tensor, costs: Tensor | None, iterations: int
) -> Tensor:
    """The same without a gradient: a CPU takes as many pixels at a time as its caches hold."""
    pixels, classes = scores.shape
    piece = pixels
    if scores.device.type == "cpu":
        piece = max(1, CPU_VALUES * torch.get_num_threads() // classes)
    pieces = [slice(start, min(start + piece, pixels)) for start in range(0, pixels, piece)]
    weighted = [one.scaled(None, weight.expand(one.shape)) for one, weight in zip(filters, weights, strict=True)]
    probabilities, updated = torch.empty_like(scores), torch.empty_like(scores)
    for some in pieces:
        _softmax_into(probabilities[some], scores[some])
    for _ in range(iterations):
        reads = [one.messages(probabilities) for one in weighted]
        for some in pieces:
            heard = reads[0](some)
            for read in reads[1:]:
                heard += read(some)
            _softmax_into(updated[some], _total(scores[some], heard, costs))
        probabilities, updated = updated, probabilities
    return probabilities


def _by_tiles(count: int, height: int, width: int) -> Tensor:
    """The numbers of all pixels, tile by tile: what a lattice sums then lies in a few cache lines of a CPU."""
    pixels = torch.arange(1, count * height * width + 1, device="cpu").view(count, height, width)
    padded = F.pad(pixels, (0, -width % TILE, 0, -height % TILE))
    tiles = padded.unfold(1, TILE, TILE).unfold(2, TILE, TILE).flatten()
    return tiles[tiles > 0] - 1


def _total(scores: Tensor, heard: Tensor, costs: Tensor | None) -> Tensor:
    """A pixel's own scores and what it hears of the labels of others, ``(P, K)`` each."""
    if costs is None:
        # Potts: what is heard for other labels counts against one. But for a constant, what is heard for it counts.
        return scores + heard
    return torch.addmm(scores, heard, costs.T, alpha=-1)


def _softmax_into(probabilities: Tensor, scores: Tensor) -> None:
    """The softmax, by its definition where that is safe: torch takes a CPU up to 8 times as long for few classes."""
    if scores.device.type == "cpu":
        powers = torch.exp(scores, out=probabilities)
        sums = powers @ powers.new_ones(scores.shape[1], 1)
        least, most = sums.aminmax()
        if float(least) > 1e-30 and float(most) < torch.inf:
            powers.mul_(sums.reciprocal_())
            return
    probabilities.copy_(scores.softmax(1))


def _check_field(
    logits: Tensor,
    filters: Sequence[Filter],
    weights: Sequence[float] | Tensor,
    compatibility: Tensor | None,
    iterations: int,
) -> None:
    """Raises ``ValueError`` for what does not fit together."""
    count, classes, height, width = logits.shape
    if not filters or len(weights) != len(filters):
        raise ValueError(
            f"there are {len(filters)} filters and {len(weights)} weights; give each filter one, and one at least"
        )
    for one in filters:
        if one.shape != (count, height * width) or one.dtype != filters[0].dtype or one.device != logits.device:
            raise ValueError(
                f"a filter is of {tuple(one.shape)} points in {one.dtype} on {one.device}, but logits "
                f"{tuple(logits.shape)} on {logits.device} need {(count, height * width)}, and all filters one dtype"
            )
    if compatibility is not None and compatibility.shape != (classes, classes):
        raise ValueError(
            f"compatibility is {tuple(compatibility.shape)}, but {classes} classes need {(classes, classes)}"
        )
    if iterations < 0:
        raise ValueError(f"iterations is {iterations}; it must be 0 or more")
