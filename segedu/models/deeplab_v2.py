"""DeepLab v2: four rates read the same map, and the sum of what they say decides (Chen et al., PAMI 2017)."""

from collections.abc import Sequence

from segedu.layers.aspp import SummedASPP
from segedu.models.atrous import AtrousSegmenter
from segedu.models.resnet import ResNet


class DeepLabV2(AtrousSegmenter):
    """A ResNet and the summed pyramid of 3x3 convolutions: ``(N, 3, H, W) -> {"out": (N, K, H, W)}``.

    Over ``resnet101_msra`` at output stride 8 with rates 6, 12, 18 and 24 ("ASPP-L", section 4.1.2) 44.0 M parameters
    at 21 classes; 321 x 321 is scored on 41 x 41. ``rates`` are those on the backbone's own grid. Three scales of the
    image, as in the paper's best results, are a wrapper of their own: `MultiScaleMax`.

    Deviations: scores are interpolated in training, where the paper subsamples the labels; batch norm learns unless it
    is frozen by the caller; the dense CRF is not part of the network.
    """

    classifier: SummedASPP

    def __init__(self, num_classes: int, backbone: ResNet, rates: Sequence[int] = (6, 12, 18, 24)) -> None:
        super().__init__(backbone, SummedASPP(backbone.channels["layer4"], num_classes, rates))
