"""DeepLab v3: rates within the network's last stage and beside each other after it (Chen et al., arXiv:1706.05587)."""

from torch import nn

from segedu.layers.aspp import pyramid
from segedu.models.atrous import AtrousSegmenter, rates_on_grid
from segedu.models.resnet import ResNet


class DeepLabV3(AtrousSegmenter):
    """A ResNet, the pyramid with image pooling, and scores: ``(N, 3, H, W) -> {"out": (N, K, H, W)}``.

    39.0 M parameters over ResNet-50 and 58.0 M over ResNet-101 at 21 classes (section 3.3). ``rates`` are those of the
    paper, for output stride 16, and are doubled where the backbone's is 8. The backbone brings the multi-grid:
    ``RESNETS["resnet50"](output_stride=16, multi_grid=MULTI_GRID)``. ``width`` is that of the pyramid. 513 x 513 is
    scored on 33 x 33, at output stride 8 on 65 x 65.

    Deviations: the paper's ResNet strides at the end of a stage, torchvision's in the first 3x3 layer of the next one;
    that layer has the multi-grid's rate as the others have, and so reads further than it did on ImageNet. Batch norm
    has PyTorch's momentum. To freeze it for the paper's second phase of training, put its modules in evaluation mode.
    """

    classifier: nn.Sequential

    def __init__(
        self, num_classes: int, backbone: ResNet, rates: tuple[int, ...] = (6, 12, 18), width: int = 256
    ) -> None:
        head = pyramid(backbone.channels["layer4"], rates_on_grid(rates, backbone.output_stride), width)
        super().__init__(backbone, nn.Sequential(head, nn.Conv2d(width, num_classes, 1)))
