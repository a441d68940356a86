"""Pieces of a batch that fit a processor's cache."""

from collections.abc import Iterator

import torch
from torch import Tensor

VALUES = 2**19
"""How many values a piece holds: 2 MiB of float32, what a core's L2 cache holds, at little cost for each operation."""

RUN = 2**17
"""How many values of a single map are worked on at once: few calls for each, and temporaries near the processor."""


def chunks(logits: Tensor) -> Iterator[tuple[slice, slice]]:
    """Slices of images and of pixels that cover ``(N, K, P)``: what fits the cache on a CPU, everything elsewhere.

    Every pixel is in exactly one piece, together with all of its classes, so a piece can be taken on its own. An empty
    batch has no pieces.
    """
    images, classes, pixels = logits.shape
    run, batch = pixels, images
    if logits.device.type == "cpu":
        # Threads that share a piece wait for one another at the end of every operation: fewer pieces, fewer waits.
        values = VALUES if torch.get_num_threads() == 1 else 2 * VALUES
        run = min(pixels, values // max(1, classes))
        batch = values // max(1, classes * run)
    for image in range(0, images, max(1, batch)):
        for pixel in range(0, pixels, max(1, run)):
            yield slice(image, image + max(1, batch)), slice(pixel, pixel + max(1, run))
