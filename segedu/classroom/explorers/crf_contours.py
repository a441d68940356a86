"""Three contours in one overlay: the truth's pale and broad, the answer's before dashed, and after drawn through."""

import numpy as np
import torch
from torch import Tensor

from segedu.classroom.colours import NOW, REST
from segedu.classroom.explorers.mask_editor_masks import Mask, dilated
from segedu.classroom.explorers.scene import Bytes

FINE = 2  # cells of the overlay to a pixel of the crop, across and down
DASH = 4  # cells

INKS = np.array(
    [(0, 0, 0, 0), (255, 255, 255, 215), *((*bytes.fromhex(ink[1:]), 255) for ink in (REST, NOW))], np.uint8
)
"""The overlay's palette: nothing, the truth, before, after."""
TRUTH, BEFORE, AFTER = 1, 2, 3


def overlay(truth: Tensor, before: Tensor, after: Tensor, ignore_index: int) -> Bytes:
    """Contours of labels ``(H, W)`` as indices ``(2 H, 2 W)`` into `INKS`; void has none."""
    void = np.repeat(np.repeat((truth == ignore_index).numpy(), FINE, 0), FINE, 1)
    drawn = np.zeros(void.shape, np.uint8)
    drawn[dilated(contour(truth) & ~dilated(void)) & ~void] = TRUTH
    drawn[contour(after)] = AFTER
    down, across = np.indices(drawn.shape)
    drawn[contour(before) & ((down + across) // DASH % 2 == 0)] = BEFORE
    return drawn


def contour(labels: Tensor) -> Mask:
    """The cells on both sides of every change of label, ``(H, W) -> (2 H, 2 W)``: as wide as a pixel of the crop."""
    fine = labels.repeat_interleave(FINE, 0).repeat_interleave(FINE, 1)
    drawn = torch.zeros_like(fine, dtype=torch.bool)
    for axis in (0, 1):
        change = fine.narrow(axis, 1, fine.shape[axis] - 1) != fine.narrow(axis, 0, fine.shape[axis] - 1)
        drawn.narrow(axis, 1, change.shape[axis]).logical_or_(change)
        drawn.narrow(axis, 0, change.shape[axis]).logical_or_(change)
    found: Mask = drawn.numpy()
    return found
