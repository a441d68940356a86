"""What every data set of this package is to the code that trains on it."""

from typing import Protocol

from torch import Tensor
from torchvision import tv_tensors


class SegmentationData(Protocol):
    """Pairs ``data[i] -> (Image (3, H, W), Mask (H, W) int64)`` and what is needed to read them.

    ``classes`` are K names in the order of their labels, ``palette`` their ``(K, 3)`` uint8 colours, ``mean`` and
    ``std`` the normalisation of the images per channel on [0, 1], ``ignore_index`` the label that means void (255).
    """

    @property
    def ignore_index(self) -> int: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def palette(self) -> Tensor: ...

    @property
    def mean(self) -> tuple[float, float, float]: ...

    @property
    def std(self) -> tuple[float, float, float]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[tv_tensors.Image, tv_tensors.Mask]: ...
