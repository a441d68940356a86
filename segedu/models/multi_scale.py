"""The same network on several sizes of the image, at every pixel the largest of its answers (DeepLab v2, section 3)."""

from collections.abc import Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MultiScaleMax(nn.Module):
    """``(N, C, H, W) -> {"out": (N, K, H, W)}``: the pixelwise maximum over ``scales`` of what ``model`` says.

    The image is resized, scored with shared weights, and the scores are resized to the image. In training each scale's
    own scores stand beside the maximum, as ``"aux1"``, ``"aux0.75"``, ``"aux0.5"``: the release adds the four losses
    up, which is ``aux_weight=1`` in a recipe. 1.8 times the arithmetic of one scale.

    As in the paper the scores meet at the image's size; the usual PyTorch port takes the maximum on the coarse grid and
    judges each scale by labels of its own size. Other outputs of ``model`` than its ``"out"`` are left aside. Raises
    ``ValueError`` for scales that are not positive, and for none.
    """

    def __init__(self, model: nn.Module, scales: Sequence[float] = (1.0, 0.75, 0.5)) -> None:
        super().__init__()
        if not scales or min(scales) <= 0:
            raise ValueError(f"scales is {tuple(scales)}; give at least one, each above 0")
        self.model = model
        self.scales = tuple(scales)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        scores = {f"aux{scale:g}": self.at_scale(images, scale) for scale in self.scales}
        outputs = {"out": reduce(torch.maximum, scores.values())}
        return outputs | scores if self.training else outputs

    def at_scale(self, images: Tensor, scale: float) -> Tensor:
        """The scores of the resized images at the size of the images: ``-> (N, K, H, W)``."""
        height, width = images.shape[-2:]
        size = max(1, int(height * scale)), max(1, int(width * scale))
        return _resized(self.model(_resized(images, size))["out"], (height, width))


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear; pixels are squares here, so the corners of the image and not the centres of its pixels stay put."""
    if maps.shape[-2:] == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)
