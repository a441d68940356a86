"""The pairwise kernels of a dense CRF: which pixels are near to each other, and how much that counts."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Kernel(Protocol):
    """A weight times a Gaussian of the distance between two pixels, in whatever space."""

    @property
    def weight(self) -> float: ...

    def features(self, colours: Tensor) -> Tensor:
        """Colours ``(N, C, H, W)`` in 8-bit levels -> points ``(N, H W, d)``, the standard deviation being 1."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """``weight * exp(-|p_i - p_j|^2 / (2 position_std^2))``: near pixels; removes small regions of any colour.

    The smoothness kernel of Krähenbühl and Koltun (NeurIPS 2011, equation 3), its standard deviation in pixels. Raises
    ``ValueError`` for a standard deviation that is not positive and finite.
    """

    position_std: float = 3.0
    weight: float = 3.0

    def __post_init__(self) -> None:
        _check_std("position_std", self.position_std)

    def features(self, colours: Tensor) -> Tensor:
        return _positions(colours) / self.position_std


@dataclass(frozen=True)
class Bilateral:
    """``weight * exp(-|p_i - p_j|^2 / (2 position_std^2) - |I_i - I_j|^2 / (2 colour_std^2))``: near and alike.

    The appearance kernel of Krähenbühl and Koltun (NeurIPS 2011, equation 3), its standard deviations in pixels and in
    levels of an 8-bit image. DeepLab v1 (section 5.1) searches weights of 5 to 10, 50 to 100 pixels and 3 to 10 levels.
    Raises ``ValueError`` for a standard deviation that is not positive and finite.
    """

    position_std: float = 80.0
    colour_std: float = 13.0
    weight: float = 10.0

    def __post_init__(self) -> None:
        _check_std("position_std", self.position_std)
        _check_std("colour_std", self.colour_std)

    def features(self, colours: Tensor) -> Tensor:
        places = _positions(colours) / self.position_std
        return torch.cat([places, colours.flatten(2).transpose(1, 2) / self.colour_std], 2)


def _positions(colours: Tensor) -> Tensor:
    """Column and row of each pixel, ``(N, H W, 2)``."""
    count, _, height, width = colours.shape
    columns = torch.arange(width, dtype=colours.dtype, device=colours.device)
    rows = torch.arange(height, dtype=colours.dtype, device=colours.device)
    return torch.stack([columns.repeat(height), rows.repeat_interleave(width)], 1).expand(count, -1, -1)


def _check_std(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} is {value}; a standard deviation must be positive and finite")
