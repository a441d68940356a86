"""The line of background that parts touching cells in a label map."""

import torch
from torch import Tensor

from segedu.data.painting import thicken


def separated(instances: Tensor) -> Tensor:
    """Take every pixel with another cell among its eight neighbours off its cell: ids ``(N, H, W)`` -> ``(N, H, W)``.

    Where two cells touch, the line is one pixel wide on either side, so no two cells are left as neighbours, not even
    across a corner. Ids are integers, 0 the background.
    """
    highest = thicken(instances, 1)
    ceiling = torch.iinfo(instances.dtype).max
    lowest = ceiling - thicken(torch.where(instances > 0, ceiling - instances, 0), 1)
    return torch.where((highest > instances) | (lowest < instances), 0, instances)
