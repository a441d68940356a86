"""What every painted data set is: scenes with numbers, painted when asked for, on the device that uses them."""

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from torch import Tensor
from torchvision import tv_tensors

Indices = Sequence[int] | Tensor
Sample = tuple[tv_tensors.Image, tv_tensors.Mask]

_CACHED_PIXELS = 400_000
"""Pixels painted at once on a CPU: the three 16-bit pictures that a brush touches then stay in a core's cache."""
_PIXELS = 2**25
"""Pixels painted at once elsewhere: about 1 GB of memory at the peak."""


class Painting(Protocol):
    """A batch of painted scenes."""

    def images(self) -> Tensor:
        """``(N, 3, H, W)`` of an integer type, 0..255."""
        ...

    def labels(self) -> Tensor:
        """``(N, H, W)`` int64."""
        ...


AnyPainting = TypeVar("AnyPainting", bound=Painting)


class Painter(torch.utils.data.Dataset[Sample], ABC, Generic[AnyPainting]):
    """A data set whose scene ``i`` is a function of ``(seed, i)``, the size and the dials, and of nothing else.

    ``size`` is (H, W), each 32..4096; ``dial_type`` the dataclass that holds and checks ``dials``. A painter says in
    ``paint`` how scenes are painted, and in its attributes what they show.
    Raises ``TypeError`` or ``ValueError`` for an argument out of bounds.
    """

    mean: ClassVar[tuple[float, float, float]]
    std: ClassVar[tuple[float, float, float]]

    def __init__(
        self,
        size: tuple[int, int],
        length: int,
        seed: int,
        transforms: Callable[[Any, Any], Any] | None,
        dial_type: type,
        dials: Mapping[str, float],
    ) -> None:
        try:
            height, width = size
        except (TypeError, ValueError):
            raise TypeError(f"size is {size!r}, expected (height, width)") from None
        self.size = _whole("height in size", height, 32, 4096), _whole("width in size", width, 32, 4096)
        self.length = _whole("length", length, 1, 2**31)
        self.seed = _whole("seed", seed, 0, 2**32 - 1)
        self.transforms = transforms
        names = [field.name for field in fields(dial_type)]
        for name in dials:
            if name not in names:
                raise TypeError(f"{name!r} is not a dial of {type(self).__name__}, expected one of {', '.join(names)}")
        self.dials = dial_type(**dials)

    @abstractmethod
    def paint(self, indices: Tensor) -> AnyPainting:
        """Paint the scenes of ``indices`` ``(N,)`` int64 on their device."""

    def __len__(self) -> int:
        return self.length

    def __repr__(self) -> str:
        usual = type(self.dials)()
        turned = [
            field.name for field in fields(usual) if getattr(self.dials, field.name) != getattr(usual, field.name)
        ]
        shown = "".join(f", {name}={getattr(self.dials, name)}" for name in turned)
        return f"{type(self).__name__}(size={self.size}, length={self.length}, seed={self.seed}{shown})"

    def __getitem__(self, index: int) -> Sample:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Several items for the price of one batch; torch's DataLoader asks for its batches this way."""
        images, labels = self.batch(indices, device="cpu")
        samples = zip(map(tv_tensors.Image, images), map(tv_tensors.Mask, labels), strict=True)
        return [self.transforms(*sample) if self.transforms else sample for sample in samples]

    def batch(self, indices: Indices, device: torch.device | str | None = None) -> tuple[Tensor, Tensor]:
        """Paint these scenes on a device: images ``(N, 3, H, W)`` float32, normalised, and labels ``(N, H, W)`` int64.

        ``device=None`` is that of the indices if they are a tensor, else torch's default device.
        Raises ``IndexError`` for an index that is negative or not below the length.
        """
        scenes = self.paintings(indices, device)
        images, labels = zip(*((scene.images(), scene.labels()) for scene in scenes), strict=True)
        return self._normalise(torch.cat(images)), torch.cat(labels)

    def paintings(self, indices: Indices, device: torch.device | str | None) -> Iterator[AnyPainting]:
        """Paint the scenes, as many at once as is fastest."""
        if device is None:
            device = indices.device if isinstance(indices, Tensor) else torch.get_default_device()
        listed = indices.tolist() if isinstance(indices, Tensor) else indices
        numbers = torch.tensor([self._checked(index) for index in listed], dtype=torch.int64, device=device)
        budget = _CACHED_PIXELS if numbers.device.type == "cpu" else _PIXELS
        for part in torch.split(numbers, max(1, budget // (self.size[0] * self.size[1]))):
            yield self.paint(part)

    def _checked(self, index: int) -> int:
        try:
            number = operator.index(index)
        except TypeError:
            raise TypeError(f"index {index!r} is not an integer: ask for scenes 0 to {self.length - 1}") from None
        if not 0 <= number < self.length:
            raise IndexError(f"index {number} is out of range: this data set has scenes 0 to {self.length - 1}")
        return number

    def _normalise(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor(stat, dtype=torch.float32, device=images.device) for stat in (self.mean, self.std))
        return (images.float() / 255 - mean[:, None, None]) / std[:, None, None]


def _whole(name: str, value: int, low: int, high: int) -> int:
    """Check a whole number at the boundary."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}, expected an integer from {low} to {high}") from None
    if not low <= number <= high:
        raise ValueError(f"{name} is {number}, expected {low} to {high}")
    return number
