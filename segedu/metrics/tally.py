"""What a metric keeps while batches stream by: sums that follow the data's device and add up over parts and ranks."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import torch
import torch.distributed as dist
from torch import Tensor


class Tally(ABC):
    """Named sums over a data set. A metric says which they are, and adds to them.

    They lie on ``device``, or without one where the first batch lies. ``+`` adds the tallies of two parts of a data
    set, ``all_reduce`` those of all processes. ``settings`` names the attributes, which are the constructor's
    arguments too, that both parts must share.
    """

    settings: ClassVar[tuple[str, ...]]

    def __init__(self, device: torch.device | str | None = None) -> None:
        self.device = None if device is None else torch.device(device)
        self.reset()

    def reset(self) -> None:
        """Forget everything seen so far."""
        with torch.inference_mode(False):  # sums outlive the mode that they happen to be made in
            self._sums = {
                name: torch.zeros(shape, dtype=narrowed(dtype, self.device), device=self.device or "cpu")
                for name, (shape, dtype) in self._kept().items()
            }

    @abstractmethod
    def _kept(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        """Shape and type of each sum."""

    def _add(self, **sums: Tensor) -> None:
        for name, more in sums.items():
            kept = self._kept_beside(name, more)
            kept += more.to(kept)

    def _kept_beside(self, name: str, data: Tensor) -> Tensor:
        """The sum itself, moved to where the data lie unless a device was asked for."""
        if self.device is None:
            kept = self._sums[name]
            with torch.inference_mode(False):
                self._sums[name] = kept.to(data.device, narrowed(kept.dtype, data.device))
        return self._sums[name]

    def all_reduce(self) -> Self:
        """Add up the sums of all processes, in place: call it once, after the last update; returns itself.

        One process alone has nothing to add.
        """
        if dist.is_available() and dist.is_initialized():
            for kept in self._sums.values():
                dist.all_reduce(kept)
        return self

    def __add__(self, other: Self) -> Self:
        if not isinstance(other, type(self)):
            return NotImplemented
        own, theirs = self._settings(), other._settings()
        if own != theirs:
            kind = type(self).__name__
            raise ValueError(
                f"cannot add a {kind} with {_listed(theirs)} to one with {_listed(own)}: both need the same"
            )
        total = type(self)(**own, device=self.device)
        total._sums = {name: kept + other._sums[name].to(kept) for name, kept in self._sums.items()}
        return total

    def _settings(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.settings}


def narrowed(dtype: torch.dtype, device: torch.device | None) -> torch.dtype:
    """The type itself, or float32 for float64 on Apple's GPUs, which have none."""
    return torch.float32 if dtype == torch.float64 and device is not None and device.type == "mps" else dtype


def _listed(settings: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())
