"""U-Net's elastic deformation: a few random displacements, joined smoothly, bend a picture and its labels alike."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchvision import tv_tensors
from torchvision.transforms import v2


class ElasticDeformation(v2.Transform):  # type: ignore[misc]  # torchvision carries no types
    """Bend ``(Image, Mask)`` by displacements drawn at a coarse grid and joined bicubically (U-Net, section 3.1).

    An image ``(3, H, W)`` with its mask ``(H, W)``, or a batch ``(N, 3, H, W)`` with ``(N, H, W)``, in which each
    sample is bent its own way. The displacement at each of the ``grid x grid`` points, which span the picture from
    corner to corner, is normal with deviation ``sigma`` in pixels; the paper's 3 and 10 are meant for pictures of about
    512 pixels, so take a smaller ``sigma`` for smaller ones. Numbers are drawn from torch's generator on the CPU,
    whatever the device. What comes from beyond the frame is mirrored at it; images are read bilinearly, masks at the
    nearest pixel, so no label is made up.

    This is another field than that of ``v2.ElasticTransform``, which draws a displacement for every pixel and blurs
    them (Simard et al., 2003): that wobbles locally, this bends the picture as a whole.

    Raises ``ValueError`` for ``grid`` below 2 or a negative ``sigma``, and where a batch's images and masks differ in
    number.
    """

    def __init__(self, grid: int = 3, sigma: float = 10.0) -> None:
        super().__init__()
        _check(grid, sigma)
        self.grid = grid
        self.sigma = sigma

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        bent = [entry for entry in flat_inputs if isinstance(entry, tv_tensors.Image | tv_tensors.Mask)]
        if not bent:
            raise TypeError("ElasticDeformation got no Image and no Mask: wrap tensors in torchvision.tv_tensors")
        *batch, height, width = _leading(bent[0])
        for entry in bent:
            if _leading(entry) != (*batch, height, width):
                raise ValueError(
                    f"an image of {tuple(bent[0].shape)} and a {type(entry).__name__} of {tuple(entry.shape)} cannot "
                    "be bent together: give (C, H, W) with (H, W), or (N, C, H, W) with (N, H, W)"
                )
        knots = self.sigma * torch.randn(batch[0] if batch else 1, 2, self.grid, self.grid, device="cpu")
        return {"field": displacement_field(knots, (height, width)).to(bent[0].device)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if not isinstance(inpt, tv_tensors.Image | tv_tensors.Mask):
            return inpt
        plain, single = inpt.as_subclass(Tensor), len(_leading(inpt)) == 2
        batch = plain[None] if single else plain
        sample = sample_nearest if isinstance(inpt, tv_tensors.Mask) else sample_bilinear
        moved = sample(batch, params["field"])
        return tv_tensors.wrap(moved[0] if single else moved, like=inpt)


def deform(
    images: Tensor,
    labels: Tensor,
    *,
    grid: int = 3,
    sigma: float = 10.0,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """``ElasticDeformation`` of a batch on its device: images ``(N, C, H, W)`` and labels ``(N, H, W)``.

    ``generator`` is one of the CPU, torch's own by default. Raises ``ValueError`` where the two disagree in shape.
    """
    _check(grid, sigma)
    if images.dim() != 4 or labels.shape != images.shape[:1] + images.shape[2:]:
        raise ValueError(
            f"images are {tuple(images.shape)} and labels {tuple(labels.shape)}, expected (N, C, H, W) and (N, H, W)"
        )
    knots = sigma * torch.randn(len(images), 2, grid, grid, generator=generator, device="cpu")
    field = displacement_field(knots, (images.shape[2], images.shape[3])).to(images.device)
    return sample_bilinear(images, field), sample_nearest(labels, field)


def displacement_field(knots: Tensor, size: tuple[int, int]) -> Tensor:
    """Displacements at a grid, joined bicubically: ``(N, 2, g, g)`` in pixels, (down, across) -> ``(N, 2, H, W)``.

    The grid spans the picture from the centres of its corner pixels; where a pixel lies on a grid point, it moves by
    exactly that point's displacement.
    """
    return functional.interpolate(knots, size, mode="bicubic", align_corners=True)


def sample_bilinear(images: Tensor, field: Tensor) -> Tensor:
    """Each pixel becomes what lies at its own place plus its displacement: ``(N, C, H, W)``, ``(N, 2, H, W)``.

    The type stays; whole levels are rounded to the nearest.
    """
    down, across = _places(field)
    top, left = down.floor(), across.floor()
    upper, lower, before, after = (
        _mirrored(place, length)
        for place, length in zip(
            (top, top + 1, left, left + 1), (*images.shape[-2:-1] * 2, *images.shape[-1:] * 2), strict=True
        )
    )
    below, beside = (down - top)[:, None], (across - left)[:, None]
    values = images if images.is_floating_point() else images.float()
    above_row = torch.lerp(_at(values, upper, before), _at(values, upper, after), beside.to(values.dtype))
    below_row = torch.lerp(_at(values, lower, before), _at(values, lower, after), beside.to(values.dtype))
    moved = torch.lerp(above_row, below_row, below.to(values.dtype))
    return moved if images.is_floating_point() else moved.round().to(images.dtype)


def sample_nearest(labels: Tensor, field: Tensor) -> Tensor:
    """The same at the nearest pixel, for labels or ids ``(N, H, W)`` of any type."""
    down, across = ((place + 0.5).floor() for place in _places(field))
    height, width = labels.shape[-2:]
    return _at(labels[:, None], _mirrored(down, height), _mirrored(across, width))[:, 0]


def _places(field: Tensor) -> tuple[Tensor, Tensor]:
    """The place that each pixel is read from, row and column: two ``(N, H, W)``."""
    rows, columns = (torch.arange(length, device=field.device) for length in field.shape[-2:])
    return field[:, 0] + rows[:, None], field[:, 1] + columns


def _mirrored(place: Tensor, length: int) -> Tensor:
    """Whole places reflected at the centres of the first and the last pixel, as often as it takes: int64."""
    period = max(2 * (length - 1), 1)
    folded = place.long() % period
    return torch.minimum(folded, period - folded) if length > 1 else torch.zeros_like(folded)


def _at(pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``(N, C, H, W)`` read at the places ``(N, H, W)``."""
    index = (rows * pictures.shape[-1] + columns).flatten(1)[:, None].expand(-1, pictures.shape[1], -1)
    return pictures.flatten(2).gather(2, index).view(*pictures.shape[:2], *rows.shape[1:])


def _leading(entry: Tensor) -> tuple[int, ...]:
    """The shape without channels: ``(H, W)`` or ``(N, H, W)``."""
    return (*entry.shape[:-3], *entry.shape[-2:]) if isinstance(entry, tv_tensors.Image) else tuple(entry.shape)


def _check(grid: int, sigma: float) -> None:
    if grid < 2:
        raise ValueError(f"grid is {grid}, expected at least 2 points a side")
    if not 0 <= sigma < float("inf"):
        raise ValueError(f"sigma is {sigma}, expected a deviation in pixels of 0 or more")
