"""A residual network on a fine grid, a head that scores its last map, and the way back to the image.

What DeepLab v2 and v3 have in common, whatever the head; and how the same weights are used on another grid.
"""

import copy
from typing import Self

from torch import Tensor, nn

from segedu.layers.aspp import AtrousConv
from segedu.layers.grid import Grid
from segedu.layers.pooled import check_batch
from segedu.layers.upsample import BilinearUpsample
from segedu.models.resnet import ResNet


class AtrousSegmenter(nn.Module):
    """``(N, 3, H, W) -> {"out": (N, K, H, W)}``: ``backbone``, then ``classifier`` on its last map, then interpolation.

    ``classifier`` maps ``(N, C, h, w)``, with ``C`` the backbone's ``channels["layer4"]``, to scores ``(N, K, h, w)``.
    The first cell of the map lies on the first pixel, and every next one ``output_stride`` pixels on; interpolation
    puts them back there. Where the last cell meets the last pixel, as at 321 or 513, that is ``align_corners=True``;
    at other sizes neither setting of ``F.interpolate`` fits the cells' places. Any image of at least one pixel; in
    training a batch of 1 is refused with ``ValueError`` where the head pools the whole image (`PooledConv`).
    """

    def __init__(self, backbone: ResNet, classifier: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.upsample = self.way_to_image()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        check_batch(self.classifier, len(images))  # before the backbone's statistics are touched
        height, width = images.shape[-2:]
        return {name: self.upsample(scores, (height, width)) for name, scores in self.scores(images).items()}

    def scores(self, images: Tensor) -> dict[str, Tensor]:
        """The scores on the coarse grid: ``{"out": (N, K, h, w)}``."""
        return {"out": self.classifier(self.backbone(images)["layer4"])}

    def way_to_image(self) -> nn.Module:
        """What takes ``(N, K, h, w)`` and ``(H, W)`` to ``(N, K, H, W)``, by the backbone's output stride."""
        return BilinearUpsample(Grid(self.backbone.output_stride), Grid())

    def at_output_stride(self, output_stride: int) -> Self:
        """The same network on a finer or coarser grid: train at 16, evaluate at 8 (DeepLab v3, section 4.1).

        Parameters and statistics are shared with this one, so what either learns both have, as long as neither is moved
        to another device; a state dict of one also loads into the other. Rates of the backbone and of the head's
        branches follow the grid: 6, 12, 18 at stride 16 are 12, 24, 36 at 8. Raises ``ValueError`` for an output
        stride that the backbone cannot have or at which a rate would be no whole number.
        """
        twin = copy.deepcopy(self, {id(shared): shared for shared in (*self.parameters(), *self.buffers())})
        twin.backbone.set_output_stride(output_stride)
        for module in twin.classifier.modules():
            if isinstance(module, AtrousConv):
                module.rate = _on_grid(module.rate, self.backbone.output_stride, output_stride)
        twin.upsample = twin.way_to_image()
        return twin


def rates_on_grid(rates: tuple[int, ...], output_stride: int) -> tuple[int, ...]:
    """Rates that a paper gives at output stride 16, as they are at another: 6, 12, 18 becomes 12, 24, 36 at 8.

    Raises ``ValueError`` where one would be no whole number.
    """
    return tuple(_on_grid(rate, 16, output_stride) for rate in rates)


def _on_grid(rate: int, before: int, after: int) -> int:
    if rate * before % after:
        raise ValueError(f"a rate of {rate} at output stride {before} is no whole number at output stride {after}")
    return rate * before // after
