"""U-Net: a path down that says what, a path up that says where, and at each level a copy handed across (Ronneberger,
Fischer and Brox, 2015).

Both networks here have the figure's shape: five levels of two 3x3 convolutions, the channels doubling on the way down
from the ``width`` of the first. ``UNetOriginal`` is the paper's, ``UNet`` the padded one with batch norm that most
people mean by the name today.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 5
STRIDE = 1 << (LEVELS - 1)  # of the coarsest map

# Two 3x3 convolutions take 2 pixels off each side of a map, and a pixel of level l is 2^l pixels of the image; the
# lowest level is passed once, the others on the way down and on the way up.
LOST = 2 * (sum(1 << level for level in range(LEVELS)) + sum(1 << level for level in range(LEVELS - 1)))
SMALLEST = 2 * LOST + 4  # below this side, the way up runs out of pixels


class UShape(nn.Module):
    """What the two networks share: ``encode`` goes down, ``decode`` comes back up, skip by skip.

    ``convs(in_channels, out_channels)`` makes the two convolutions of a level, ``meet(skip, up)`` brings a copied map
    and an upsampled one to one size. Weights start normal with variance 2 / N for N inputs to a unit (section 3).
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        width: int,
        convs: Callable[[int, int], nn.Module],
        meet: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    ) -> None:
        super().__init__()
        if min(num_classes, in_channels, width) < 1:
            raise ValueError(
                f"num_classes is {num_classes}, in_channels {in_channels} and width {width}; each must be at least 1"
            )
        widths = [width * 2**level for level in range(LEVELS)]
        self.contract = nn.ModuleList(convs(above, own) for above, own in pairwise([in_channels, *widths]))
        self.expand = nn.ModuleList(Expansion(below, own, convs, meet) for below, own in pairwise(widths[::-1]))
        self.score = nn.Conv2d(width, num_classes, 1)
        self.apply(_he_normal)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features = self.encode(images)
        return {"out": self.decode(features)}

    def encode(self, images: Tensor) -> list[Tensor]:
        """The map of each level, fine to coarse: ``(N, C, H, W) -> 5 x (N, width * 2**level, ...)``, strides 1 to 16.

        The first four are what the skips copy; the last has been through the bottom of the U.
        """
        features = [self.contract[0](images)]
        for level in self.contract[1:]:
            features.append(level(F.max_pool2d(features[-1], 2)))
        return features

    def decode(self, features: Sequence[Tensor]) -> Tensor:
        """From the maps of ``encode`` to scores ``(N, K, h, w)``; scale or zero one of them to see what it is for."""
        *skips, x = features
        for expand, skip in zip(self.expand, reversed(skips), strict=True):
            x = expand(x, skip)
        scores: Tensor = self.score(x)
        return scores


class Expansion(nn.Module):
    """One level up: ``(N, 2C, h, w)`` from below and the skip ``(N, C, ...)`` become ``(N, C, ...)``.

    The 2x2 up-convolution halves the channels and doubles the size; the skip comes first in the concatenation.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        convs: Callable[[int, int], nn.Module],
        meet: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    ) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, channels, 2, stride=2)
        self.meet = meet
        self.convs = convs(2 * channels, channels)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        joined = torch.cat(self.meet(skip, self.up(coarse)), dim=1)
        fused: Tensor = self.convs(joined)
        return fused


class UNet(UShape):
    """The padded U-Net with batch norm: ``(N, C, H, W) -> {"out": (N, K, H, W)}`` for any H and W from 16 up.

    31.0 M parameters at ``width=64``. Not from the paper: convolutions pad, so maps keep their size, and each is
    followed by batch norm in place of its bias. Where an odd size was pooled, the map on the way up is one row or
    column short, and zeros make up for it. The same network as milesial's Pytorch-UNet, whose weights
    ``keymaps.load_milesial_unet`` brings here. In training a single image needs a side of 32: else the bottom has one
    pixel, and batch norm no variance. Raises ``ValueError`` for smaller images.
    """

    def __init__(self, num_classes: int, in_channels: int = 3, width: int = 64) -> None:
        super().__init__(num_classes, in_channels, width, padded_convs, extend_up)

    def encode(self, images: Tensor) -> list[Tensor]:
        if min(images.shape[-2:]) < STRIDE:
            raise ValueError(
                f"images are {images.shape[-2]}x{images.shape[-1]}; this U-Net pools {LEVELS - 1} times and needs at "
                f"least {STRIDE}x{STRIDE} pixels"
            )
        return super().encode(images)


class UNetOriginal(UShape):
    """The paper's U-Net: ``(N, C, H, W) -> {"out": (N, K, H - 184, W - 184)}``, 572 to 388 as in its figure 1.

    31.0 M parameters at ``width=64``. No convolution pads, so every score rests on real pixels alone, and the scores
    belong to the image without its outer ``margin`` of 92 pixels; the skips are cropped to fit. To score a whole
    picture, mirror it at its borders: ``segedu.predict`` does. Sizes must leave an even map to every pooling: 188, 204,
    220, ... (``output_size`` and ``input_size`` tell). Dropout ends the contracting path (section 3.1); its rate, left
    open by the paper, is 0.5. Raises ``ValueError`` for other sizes, naming the nearest that fit.
    """

    margin = LOST

    def __init__(self, num_classes: int, in_channels: int = 3, width: int = 64) -> None:
        super().__init__(num_classes, in_channels, width, valid_convs, crop_skip)
        self.dropout = nn.Dropout(0.5)

    def encode(self, images: Tensor) -> list[Tensor]:
        self.output_size((images.shape[-2], images.shape[-1]))
        *skips, bottom = super().encode(images)
        return [*skips, self.dropout(bottom)]

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size of the scores for an image of ``size=(H, W)``; raises ``ValueError`` where it does not tile."""
        if any(side < SMALLEST or (side - SMALLEST) % STRIDE for side in size):
            heights, widths = (
                " or ".join(str(near) for near in sorted({_fitting(side - STRIDE + 1), _fitting(side)}))
                for side in size
            )
            raise ValueError(
                f"images are {size[0]}x{size[1]}, which does not leave an even map to every pooling of this U-Net; the "
                f"nearest that do are {heights} high and {widths} wide"
            )
        return size[0] - 2 * LOST, size[1] - 2 * LOST

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The smallest image whose scores cover ``size=(h, w)``."""
        return _fitting(size[0] + 2 * LOST), _fitting(size[1] + 2 * LOST)


def padded_convs(in_channels: int, channels: int) -> nn.Sequential:
    """Two 3x3 convolutions that keep the size, batch norm after each: ``(N, C, H, W) -> (N, K, H, W)``."""
    layers: list[nn.Module] = []
    for width in (in_channels, channels):
        layers += [
            nn.Conv2d(width, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def valid_convs(in_channels: int, channels: int) -> nn.Sequential:
    """Two 3x3 convolutions without padding: ``(N, C, H, W) -> (N, K, H - 4, W - 4)``."""
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 3),
        nn.ReLU(inplace=True),
    )


def crop_skip(skip: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """The skip's centre, as large as the map that came up: the borders were lost on the longer way."""
    return centre_crop(skip, (up.shape[-2], up.shape[-1])), up


def extend_up(skip: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """The map that came up, with zeros below and to the right where pooling dropped an odd row or column."""
    rows, columns = skip.shape[-2] - up.shape[-2], skip.shape[-1] - up.shape[-1]
    return skip, F.pad(up, (0, columns, 0, rows)) if rows or columns else up


def centre_crop(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle ``size=(h, w)`` of ``(..., H, W)``, a view; an odd rest is cut at the end.

    Also what labels need beside the scores of `UNetOriginal`. Raises ``ValueError`` where the maps are smaller.
    """
    rows, columns = maps.shape[-2] - size[0], maps.shape[-1] - size[1]
    if rows < 0 or columns < 0:
        raise ValueError(f"cannot crop {maps.shape[-2]}x{maps.shape[-1]} to {size[0]}x{size[1]}: it is smaller")
    top, left = rows // 2, columns // 2
    return maps[..., top : top + size[0], left : left + size[1]]


def _fitting(side: int) -> int:
    """The smallest side from ``side`` up that leaves an even map to every pooling: 188, and every 16th from there."""
    return max(SMALLEST, side + (SMALLEST - side) % STRIDE)


def _he_normal(module: nn.Module) -> None:
    """Normal weights of variance 2 / N; a unit of the 2x2 up-convolution has one input a channel, not four."""
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        return
    inputs = module.in_channels if isinstance(module, nn.ConvTranspose2d) else module.weight[0].numel()
    nn.init.normal_(module.weight, std=(2 / inputs) ** 0.5)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
