"""torchvision's own ``deeplabv3_resnet*`` and ``fcn_resnet*``: same names, same numbers, so their weights load.

They are not the papers' networks. Their DeepLab v3 has no multi-grid, stride 8 in training too, a further 3x3
convolution after the pyramid, dropout, and a second head on the third stage; their FCN is a ResNet on a fine grid with
one 3x3 convolution, no score fusion.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from segedu.layers.aspp import pyramid
from segedu.models.atrous import AtrousSegmenter, rates_on_grid
from segedu.models.resnet import ResNet


class TorchvisionSegmenter(AtrousSegmenter):
    """Two heads, of which ``aux_classifier`` speaks in training only: ``-> {"out": (N, K, H, W), "aux": ...}``.

    Scores are interpolated with ``align_corners=False``, as torchvision does: up to half a cell away from where the
    cells lie. torchvision's returns ``"aux"`` in evaluation mode as well.
    """

    def __init__(self, backbone: ResNet, classifier: nn.Module, aux_classifier: nn.Module | None = None) -> None:
        super().__init__(backbone, classifier)
        self.aux_classifier = aux_classifier

    def scores(self, images: Tensor) -> dict[str, Tensor]:
        """The scores on the coarse grid, in training also those of ``aux_classifier``."""
        maps = self.backbone(images)
        scores = {"out": self.classifier(maps["layer4"])}
        if self.training and self.aux_classifier is not None:
            scores["aux"] = self.aux_classifier(maps["layer3"])
        return scores

    def way_to_image(self) -> nn.Module:
        return HalfPixelUpsample()


class HalfPixelUpsample(nn.Module):
    """``F.interpolate`` with ``align_corners=False``: cells are squares that share the image among them."""

    def forward(self, scores: Tensor, size: tuple[int, int]) -> Tensor:
        return F.interpolate(scores, size=size, mode="bilinear", align_corners=False)


def torchvision_deeplabv3(num_classes: int, backbone: ResNet, *, aux: bool = True) -> TorchvisionSegmenter:
    """torchvision's ``deeplabv3_resnet50`` and ``101`` over a backbone at stride 8: 42.0 M and 61.0 M parameters.

    At output stride 16 the rates are 6, 12 and 18 instead of 12, 24 and 36. ``aux=False`` leaves the second head out,
    as torchvision's ``aux_loss=False`` does.
    """
    head = pyramid(backbone.channels["layer4"], rates_on_grid((6, 12, 18), backbone.output_stride))
    head.project.append(nn.Dropout(0.5))
    classifier = nn.Sequential(
        head,
        nn.Conv2d(256, 256, 3, padding=1, bias=False),
        nn.BatchNorm2d(256),
        nn.ReLU(inplace=True),
        nn.Conv2d(256, num_classes, 1),
    )
    return TorchvisionSegmenter(backbone, classifier, _aux_head(backbone, num_classes) if aux else None)


def torchvision_fcn(num_classes: int, backbone: ResNet, *, aux: bool = True) -> TorchvisionSegmenter:
    """torchvision's ``fcn_resnet50`` and ``101`` over a backbone at stride 8: 35.3 M and 54.3 M parameters.

    ``aux=False`` leaves the second head out.
    """
    classifier = fcn_head(backbone.channels["layer4"], num_classes)
    return TorchvisionSegmenter(backbone, classifier, _aux_head(backbone, num_classes) if aux else None)


def _aux_head(backbone: ResNet, num_classes: int) -> nn.Sequential:
    return fcn_head(backbone.channels["layer3"], num_classes)


def fcn_head(in_channels: int, num_classes: int) -> nn.Sequential:
    """A 3x3 convolution to a quarter of the channels, batch norm, ReLU, dropout, scores."""
    return nn.Sequential(
        nn.Conv2d(in_channels, in_channels // 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(in_channels // 4),
        nn.ReLU(inplace=True),
        nn.Dropout(0.1),
        nn.Conv2d(in_channels // 4, num_classes, 1),
    )
