"""FCN: a classifier that scores every place, and skip connections that sharpen where (Long, Shelhamer and Darrell,
2015).

FCN-32s scores the stride-32 features and interpolates. FCN-16s first adds scores taken at stride 16, FCN-8s also
those at stride 8. It is scores that are added, one channel a class, never features.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from segedu.layers.grid import Grid
from segedu.layers.upsample import BilinearUpsample, LearnedUpsample
from segedu.models.backbones import Trunk

SKIPS: dict[str, tuple[str, ...]] = {"fcn32s": (), "fcn16s": ("pool4",), "fcn8s": ("pool4", "pool3")}

# The at-once release trains all skips together and tames their larger features with these fixed factors.
AT_ONCE_SCALES = {"conv7": 1.0, "pool4": 0.01, "pool3": 0.0001}


class FCN(nn.Module):
    """Score, upsample, add: ``(N, 3, H, W) -> {"out": (N, K, H, W)}`` for any size from the trunk's minimum up.

    ``skips`` names the finer maps that join, coarsest first: none for FCN-32s, ``("pool4",)`` for 16s, ``("pool4",
    "pool3")`` for 8s (section 4.2). All score layers start at zero, so a new skip leaves the predictions as they
    were. Upsampling is fixed bilinear as in the release; ``learn_upsampling`` makes it a transposed convolution that
    starts bilinear. ``at_once`` scales the skips as in the at-once release. ``border`` is how upsampling continues a
    map outside itself.

    Deviation: maps are aligned by the centres of their receptive fields. The release pads the image with 100 pixels and
    crops, 1.7 times the arithmetic at 500 x 500; a trunk with ``padding=100`` and ``border="zeros"`` gives its numbers.
    """

    def __init__(
        self,
        trunk: Trunk,
        num_classes: int,
        skips: Sequence[str] = (),
        *,
        learn_upsampling: bool = False,
        at_once: bool = False,
        border: str = "replicate",
    ) -> None:
        super().__init__()
        names = ("conv7", *skips)
        grids = {name: trunk.grids[name] for name in names} | {"image": Grid()}
        self.trunk = trunk
        self.scales = {name: AT_ONCE_SCALES[name] if at_once else 1.0 for name in names}
        self.score = nn.ModuleDict({name: _zero_score(trunk.channels[name], num_classes) for name in names})
        self.upsample = nn.ModuleDict()
        for coarse, fine in zip(names, (*skips, "image"), strict=True):
            self.upsample[coarse] = (
                LearnedUpsample(num_classes, grids[coarse], grids[fine], border)
                if learn_upsampling
                else BilinearUpsample(grids[coarse], grids[fine], border)
            )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        height, width = images.shape[-2:]
        return {"out": self.fuse(self.scores(images), (height, width))}

    def scores(self, images: Tensor) -> dict[str, Tensor]:
        """One score map per stride, coarse to fine: ``{"conv7": (N, K, h, w), "pool4": ..., "pool3": ...}``."""
        features = self.trunk(images)
        return {name: score(features[name] * self.scales[name]) for name, score in self.score.items()}

    def fuse(self, scores: dict[str, Tensor], size: tuple[int, int]) -> Tensor:
        """Add score maps from coarse to fine, bring the sum to ``size``: ``-> (N, K, H, W)``. Linear in the scores."""
        names = list(self.upsample)
        fused = scores[names[0]]
        for coarse, fine in pairwise(names):
            height, width = scores[fine].shape[-2:]
            fused = self.upsample[coarse](fused, (height, width)) + scores[fine]
        whole: Tensor = self.upsample[names[-1]](fused, size)
        return whole


def _zero_score(channels: int, num_classes: int) -> nn.Conv2d:
    """A 1x1 convolution to class scores that starts at zero (section 4.2)."""
    score = nn.Conv2d(channels, num_classes, 1)
    nn.init.zeros_(score.weight)
    if score.bias is not None:
        nn.init.zeros_(score.bias)
    return score
