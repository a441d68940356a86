"""Means over images of what each image scores in each of its classes."""

import torch
from torch import Tensor

from segedu.metrics.tally import narrowed


def sums_over_images(values: Tensor, counted: Tensor) -> Tensor:
    """What the means are read from, for a batch: values and whether they count, both ``(N, K) -> (K + 1, 2)``.

    A row for each class and a last one for the images' own means over classes: the sum, and how many were summed.
    """
    values = values.to(narrowed(torch.float64, values.device)) * counted
    image = values.sum(1, keepdim=True) / counted.sum(1, keepdim=True).clamp(min=1)
    summed = torch.cat([values, image], 1).sum(0)
    number = torch.cat([counted, counted.any(1, keepdim=True)], 1).sum(0)
    return torch.stack([summed, number.to(summed)], 1)


def quotients_over_images(parts: Tensor, wholes: Tensor) -> Tensor:
    """The same of the quotients of integers ``(N, K)``: what has a whole of 0 is left out."""
    return sums_over_images(parts.to(narrowed(torch.float64, parts.device)) / wholes.clamp(min=1), wholes > 0)


def means_over_images(sums: Tensor) -> tuple[float, Tensor, int]:
    """The images' mean, each class's ``(K,)`` float64 on the CPU, and how many images counted; NaN where none did."""
    sums = sums.cpu().double()
    means = sums[:, 0] / sums[:, 1]
    return float(means[-1]), means[:-1], int(sums[-1, 1])
