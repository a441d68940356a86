"""A data set of road scenes that are painted when asked for, with the classes and colours of CamVid."""

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors

from segedu.data.palette import CAMVID
from segedu.data.street_scene.dials import Dials
from segedu.data.street_scene.layout import VOID
from segedu.data.street_scene.scene import Scene

Indices = Sequence[int] | Tensor
Sample = tuple[tv_tensors.Image, tv_tensors.Mask]

_CACHED_PIXELS = 400_000
"""Pixels painted at once on a CPU: the three 16-bit pictures that a brush touches then stay in a core's cache."""
_PIXELS = 2**25
"""Pixels painted at once elsewhere: about 1 GB of memory at the peak."""


class Streets(torch.utils.data.Dataset[Sample]):
    """Road scenes in CamVid's 11 classes: streets in perspective, painted by tensor code on the device that uses them.

    Scene ``i`` depends on ``(seed, i)``, the size and the dials alone: not on the device, the batch or the threads.
    Labels are equal everywhere; images are whole levels 0..255 before they are normalised. Turning a dial changes
    what it names and leaves the rest of every scene in place, so two sets that differ in a dial can be compared image
    by image.

    ``size``: (H, W), each 32..4096; the scene grows with H and widens with W. ``length``: number of scenes.
    ``transforms``: a joint transform of ``torchvision.transforms.v2``, applied to single items only. ``dials``: see
    `segedu.data.street_scene.dials.Dials`; ``thinness=1, imbalance=1, scale_spread=1, texture=1, context=0.8,
    void_border=1, unknown_object=0``.

    ``data[i]`` is an image ``(3, H, W)`` float32, normalised by ``mean`` and ``std``, and labels ``(H, W)`` int64
    with void = ``ignore_index``. Raises ``TypeError`` or ``ValueError`` for an argument out of bounds.
    """

    classes = CAMVID.classes
    palette = CAMVID.colours
    ignore_index = VOID
    # Measured over scenes 0..4095 of seed 0 at 96x128 with all dials at their defaults.
    mean = (0.4267, 0.4174, 0.4025)
    std = (0.2258, 0.2229, 0.2279)

    def __init__(
        self,
        size: tuple[int, int] = (96, 128),
        length: int = 1000,
        seed: int = 0,
        transforms: Callable[[Any, Any], Any] | None = None,
        **dials: float,
    ) -> None:
        try:
            height, width = size
        except (TypeError, ValueError):
            raise TypeError(f"size is {size!r}, expected (height, width)") from None
        self.size = _whole("height in size", height, 32, 4096), _whole("width in size", width, 32, 4096)
        self.length = _whole("length", length, 1, 2**31)
        self.seed = _whole("seed", seed, 0, 2**32 - 1)
        self.transforms = transforms
        names = [field.name for field in fields(Dials)]
        for name in dials:
            if name not in names:
                raise TypeError(f"{name!r} is not a dial of Streets, expected one of {', '.join(names)}")
        self.dials = Dials(**dials)  # type: ignore[arg-type]  # Dials checks the types itself

    def __len__(self) -> int:
        return self.length

    def __repr__(self) -> str:
        usual = Dials()
        turned = [
            field.name for field in fields(Dials) if getattr(self.dials, field.name) != getattr(usual, field.name)
        ]
        shown = "".join(f", {name}={getattr(self.dials, name)}" for name in turned)
        return f"Streets(size={self.size}, length={self.length}, seed={self.seed}{shown})"

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
        scenes = self._scenes(indices, device)
        images, labels = zip(*((scene.images(), scene.labels()) for scene in scenes), strict=True)
        return self._normalise(torch.cat(images)), torch.cat(labels)

    def unknown_mask(self, indices: Indices, device: torch.device | str | None = None) -> Tensor:
        """Where the dial ``unknown_object`` put an object of no class, void in the labels: ``(N, H, W)`` bool."""
        return torch.cat([scene.unknown() for scene in self._scenes(indices, device)])

    def _scenes(self, indices: Indices, device: torch.device | str | None) -> Iterator[Scene]:
        """Paint the scenes, as many at once as is fastest."""
        if device is None:
            device = indices.device if isinstance(indices, Tensor) else torch.get_default_device()
        listed = indices.tolist() if isinstance(indices, Tensor) else indices
        numbers = torch.tensor([self._checked(index) for index in listed], dtype=torch.int64, device=device)
        budget = _CACHED_PIXELS if numbers.device.type == "cpu" else _PIXELS
        for part in torch.split(numbers, max(1, budget // (self.size[0] * self.size[1]))):
            yield Scene(self.seed, part, self.size, self.dials)

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
