"""Joint transforms: what moves the picture moves its labels, and void fills whatever neither covers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional, query_size

VOID = 255
_SMALLEST = 2  # torch's antialiased resizing of uint8 images fails, or returns noise, for a result of one column

Size = tuple[int, int]


def training(
    size: Size, mean: Sequence[float], std: Sequence[float], *, scale: tuple[float, float] = (0.5, 2.0)
) -> v2.Transform:
    """Random colour jitter, mirror, scale and crop: any ``(Image, Mask) -> (Image float32, Mask int64)`` of ``size``.

    The scale is drawn from ``scale`` relative to the largest at which the whole picture fits into ``size``, its aspect
    kept; where the crop leaves the picture the image is the mean colour (0 once normalised) and the labels are void,
    255. Mirror and scale are those of DeepLab v3, section 4.1.
    """
    _require_size(size)
    return v2.Compose(
        [
            v2.ToImage(),
            v2.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2),
            v2.RandomHorizontalFlip(),
            RandomScale(size, scale),
            v2.RandomCrop(size, pad_if_needed=True, fill=_fill(mean)),
            *_normalised(mean, std),
        ]
    )


def evaluation(size: Size | None, mean: Sequence[float], std: Sequence[float]) -> v2.Transform:
    """Resize to ``size``, or keep the size with None: ``(Image, Mask) -> (Image float32 normalised, Mask int64)``."""
    if size is not None:
        _require_size(size)
    return v2.Compose([v2.ToImage(), *([] if size is None else [Resize(size)]), *_normalised(mean, std)])


def denormalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Undo the normalisation for the eye: ``(..., 3, H, W) -> (..., 3, H, W)`` float32, clipped to [0, 1]."""
    images = images.as_subclass(Tensor).float()
    scale, shift = (images.new_tensor(values).view(-1, 1, 1) for values in (std, mean))
    return (images * scale + shift).clamp_(0, 1)


def resize(picture: Any, size: Size) -> Any:
    """Resize an image bilinearly with antialiasing, a mask to the nearest centre; anything else as torchvision does.

    torchvision resizes masks by an older rule, the sample at the top left of each cell. Downwards that shifts the
    labels against the image by up to half a pixel of the result, which thin classes and boundary scores feel.
    """
    if not isinstance(picture, tv_tensors.Mask):
        return functional.resize(picture, list(size), antialias=True)
    labels = picture.as_subclass(Tensor)
    resized = functional.resize_image(labels.unsqueeze(-3), list(size), interpolation=InterpolationMode.NEAREST_EXACT)
    return tv_tensors.wrap(resized.squeeze(-3), like=picture)


class Resize(v2.Transform):  # type: ignore[misc]  # torchvision carries no types
    """``resize`` to a fixed size."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return resize(inpt, self.size)


class RandomScale(v2.Transform):  # type: ignore[misc]
    """``resize``, aspect kept, by a factor from ``scale`` times the one at which the picture fits ``size``."""

    def __init__(self, size: Size, scale: tuple[float, float]) -> None:
        super().__init__()
        if not 0 < scale[0] <= scale[1]:
            raise ValueError(f"scale is {scale}, expected 0 < lowest <= highest")
        self.size = size
        self.scale = scale

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = query_size(flat_inputs)
        low, high = self.scale
        factor = low + (high - low) * torch.rand(()).item()
        factor *= min(self.size[0] / height, self.size[1] / width)
        return {"size": (max(round(height * factor), _SMALLEST), max(round(width * factor), _SMALLEST))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return resize(inpt, params["size"])


def _normalised(mean: Sequence[float], std: Sequence[float]) -> list[v2.Transform]:
    types = {tv_tensors.Image: torch.float32, tv_tensors.Mask: torch.int64, "others": None}
    return [v2.ToDtype(types, scale=True), v2.Normalize(list(mean), list(std))]


def _fill(mean: Sequence[float]) -> dict[type, Any]:
    return {tv_tensors.Image: [round(255 * value) for value in mean], tv_tensors.Mask: VOID}


def _require_size(size: Size) -> None:
    is_pair = isinstance(size, Sequence) and len(size) == 2 and all(isinstance(side, int) for side in size)
    if not is_pair or min(size) < _SMALLEST:
        raise ValueError(f"size is {size!r}, expected (height, width) in whole pixels, both at least {_SMALLEST}")
