"""Labels that say nothing: which pixels of a label map are void."""

import torch
from torch import Tensor


def is_void(labels: Tensor, ignore_index: int) -> Tensor:
    """Which integer labels are ``ignore_index``, boolean and of the same shape.

    An index that the labels' type cannot hold is nowhere among them. A comparison alone would find it: PyTorch brings
    the number to the type of the tensor, where -1 becomes the byte 255, and -100 the class 156.
    """
    range_ = torch.iinfo(labels.dtype)
    if not range_.min <= ignore_index <= range_.max:
        return torch.zeros_like(labels, dtype=torch.bool)
    return labels == ignore_index
