"""U-Net's weight map: the narrow background between touching cells counts most."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_NEGLIGIBLE = 2.0**-25
"""A weight that float32 drops when it is added to one."""
_CACHED_PIXELS = 2**16
"""Pixels weighted at once on a CPU, so that the few planes of a sweep stay in the cache."""
_PIXELS = 2**24
"""Pixels weighted at once elsewhere: about 1 GB of memory at the peak."""


def border_weights(instances: Tensor, w_c: Tensor | Sequence[float], w0: float = 10.0, sigma: float = 5.0) -> Tensor:
    """``w_c + w0 exp(-(d1 + d2)^2 / (2 sigma^2))`` of each pixel: ids ``(N, H, W)`` int64 -> ``(N, H, W)`` float32.

    ``d1`` and ``d2`` are the distances in pixels, Euclidean and exact, to the border of the nearest and of the second
    nearest cell (U-Net, section 3, eq. 2). A cell's border are its pixels that share a side with one of another id, so
    the frame of the picture is none. An image with fewer than two borders has no gap, and weighs ``w_c`` alone.
    ``instances`` holds 0 for background and an id for each cell; ``w_c`` the two weights, background and cell, that
    even out the classes (``median_frequency_weights`` of ``segedu.data`` gives them), ``(2,)``; ``sigma`` is in pixels.

    Only borders within the reach where the term is over 2^-25 are looked at: what is left out is below the resolution
    of float32. Each pass keeps the two nearest different ids of each pixel, first along the columns, then along the
    rows, in a memory that does not grow with the number of cells.

    Raises ``TypeError`` for ids that are not integers, ``ValueError`` for shapes, negative ``w0`` or ``sigma <= 0``.
    """
    weights = _checked(instances, w_c, w0, sigma)
    instances = instances.as_subclass(Tensor)
    result = weights[(instances > 0).long()]
    if instances.numel():
        budget = _CACHED_PIXELS if instances.device.type == "cpu" else _PIXELS
        images = max(1, budget // instances[0].numel())
        for part, ids in zip(torch.split(result, images), torch.split(instances, images), strict=True):
            part += _gap_term(ids, w0, sigma)
    return result


def _checked(instances: Tensor, w_c: Tensor | Sequence[float], w0: float, sigma: float) -> Tensor:
    """``w_c`` as a tensor, once everything else is known to be in order."""
    if instances.is_floating_point() or instances.is_complex() or instances.dtype == torch.bool:
        raise TypeError(
            f"instances has dtype {instances.dtype}, expected integer ids: number a mask by components(mask)"
        )
    if instances.dim() != 3:
        raise ValueError(f"instances has shape {tuple(instances.shape)}, expected (N, H, W) ids")
    if not 0 <= w0 < math.inf:
        raise ValueError(f"w0 is {w0}, expected a finite weight of 0 or more")
    if not 0 < sigma < math.inf:
        raise ValueError(f"sigma is {sigma}, expected a finite width in pixels above 0")
    weights = torch.as_tensor(w_c, device=instances.device)
    if weights.shape != (2,):
        raise ValueError(f"w_c has shape {tuple(weights.shape)}, expected (2,): the weights of background and cell")
    return weights.float()


def _gap_term(instances: Tensor, w0: float, sigma: float) -> Tensor:
    """The second term of the map, 0 where two borders are not within reach."""
    reach = int(sigma * math.sqrt(2 * math.log(w0 / _NEGLIGIBLE))) if w0 > _NEGLIGIBLE else 0
    first, second = (squared.float() for squared in _two_nearest_borders(instances, reach))
    term = w0 * torch.exp((first.sqrt() + second.sqrt()).square() / (-2 * sigma * sigma))
    return term.masked_fill(second > 2 * reach * reach, 0)


def _two_nearest_borders(instances: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Squared distances to the two nearest borders that lie within ``reach`` rows and columns; more than
    ``2 reach^2`` where there is none. Two ``(N, H, W)``."""
    far = 2 * reach * reach + 1
    id_bits = int(instances.max()).bit_length() if instances.device.type == "cpu" else 32  # asking would wait there
    dtype = torch.int32 if id_bits + (2 * far).bit_length() < 32 else torch.int64
    border = torch.where(_on_border(instances), instances, 0).to(dtype)
    first = torch.where(border > 0, border, far << id_bits)
    second = torch.full_like(first, far << id_bits)
    _sweep([first], first, second, 1, reach, id_bits)
    _sweep([first, second], first, second, 2, reach, id_bits)
    return first >> id_bits, second >> id_bits


def _on_border(instances: Tensor) -> Tensor:
    """Pixels of a cell that share a side with a pixel of another id: ``(N, H, W)`` bool."""
    edge = torch.zeros_like(instances, dtype=torch.bool)
    for axis in (1, 2):
        length = instances.shape[axis] - 1
        here, there = instances.narrow(axis, 0, length), instances.narrow(axis, 1, length)
        differs = here != there
        edge.narrow(axis, 0, length).logical_or_(differs)
        edge.narrow(axis, 1, length).logical_or_(differs)
    return edge & (instances > 0)


def _sweep(sources: list[Tensor], first: Tensor, second: Tensor, axis: int, reach: int, id_bits: int) -> None:
    """Let every pixel hear of the keys up to ``reach`` pixels away along an axis, in place.

    A key is a squared distance followed by ``id_bits`` of id, so the smaller of two keys is the nearer. ``first`` and
    ``second`` hold the smallest key of each pixel and the smallest with another id.
    """
    size = first.shape[axis]
    planes = [source.clone() for source in sources]
    for step in range(1, min(reach, size - 1) + 1):
        for plane in planes:
            offered = plane + (step * step << id_bits)
            for start, end in ((0, step), (step, 0)):
                best, next_best = (tensor.narrow(axis, end, size - step) for tensor in (first, second))
                _offer(best, next_best, offered.narrow(axis, start, size - step), id_bits)


def _offer(first: Tensor, second: Tensor, offered: Tensor, id_bits: int) -> None:
    """Keep the smallest key and the smallest of another id, in place; ``offered`` comes from a step away."""
    apart = (first ^ offered).bitwise_and_((1 << id_bits) - 1)  # 0 where the ids are the same
    torch.threshold_(apart, 0, torch.iinfo(first.dtype).max)
    # The larger key, or one that is no other id's: a distance of 1 or more outweighs the bits of any id.
    other = apart.maximum(torch.maximum(first, offered))
    torch.minimum(second, other, out=second)
    torch.minimum(first, offered, out=first)
