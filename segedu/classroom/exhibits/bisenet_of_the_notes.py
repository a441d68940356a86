"""The BiSeNet of the second note's listing, with the listing's mistakes: an exhibit, not a network to use.

It runs, trains and gives maps of the right size, which is how its mistakes went unseen. `FAULTS` names them, with the
place of each. It is written anew: names differ from the listing's, parameters and what is computed do not. The network
as its authors made it is `segedu.models.bisenet`.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn


class Fault(NamedTuple):
    """``where`` is the module of the exhibit in which it lies (``""``: the network itself), ``what`` one sentence."""

    name: str
    where: str
    what: str


FAULTS = (
    Fault("stride by default", "spatial_path.0", "A block strides by 2 unless told otherwise, as fusion must."),
    Fault("idle norm", "refine16.norm", "Both refinements create a batch norm and never call it: it gets no gradient."),
    Fault("wide refinement", "refine16", "No 3x3 narrows the stages to 128 channels: 768 go up to 1/8."),
    Fault("fusion in classes", "fusion", "Fusion and its gate have one map a class, where the authors' have 256."),
    Fault("twice registered", "context_path", "The trunk is registered whole and in pieces: 290 keys for 170 tensors."),
    Fault("idle classifier", "context_path.whole.fc", "ImageNet's classifier stays, 513,000 weights never used."),
    Fault("multiplied context", "", "The mean over the map multiplies the features; the authors' is added."),
    Fault("no way up", "", "Both stages jump to 1/8 and lie side by side; coarse is never added to fine."),
    Fault("half a cell", "", "Interpolation takes cells for squares that share the image; they lie 8 pixels apart."),
    Fault("sizes of 32", "", "Maps go up by a factor and not to a size: sides that 32 does not divide fail, as 720."),
    Fault("late scores", "score", "Scores are made after the upsampling: 64 times the work, and the same scores."),
    Fault("late auxiliaries", "aux16", "Auxiliary heads read maps brought to 1/8 already: 4 and 16 times the work."),
)
"""What is wrong. One more is told and not committed: the listing asks torchvision for ImageNet weights whenever a
network is made, even one that is then loaded from a file (and by ``pretrained=True``, deprecated since 0.13)."""


class Block(nn.Sequential):
    """A 3x3 convolution, batch norm, ReLU; fault "stride by default": ``(N, C, h, w) -> (N, K, h / 2, w / 2)``."""

    def __init__(self, in_channels: int, channels: int, stride: int = 2) -> None:
        super().__init__(
            nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )


class Trunk(nn.Module):
    """ResNet-18: maps at 1/16 and 1/32 and the mean of the last; faults "twice registered" and "idle classifier"."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = torchvision.models.resnet18(weights=None)
        self.stem = nn.Sequential(self.whole.conv1, self.whole.bn1, self.whole.relu, self.whole.maxpool)
        self.layer1, self.layer2 = self.whole.layer1, self.whole.layer2
        self.layer3, self.layer4 = self.whole.layer3, self.whole.layer4

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.layer3(self.layer2(self.layer1(self.stem(images))))
        coarse = self.layer4(fine)
        return fine, coarse, coarse.mean((2, 3), keepdim=True)


class Refinement(nn.Module):
    """A gate over all ``C`` channels: ``(N, C, h, w) -> (N, C, h, w)``; faults "idle norm" and "wide refinement"."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x * self.conv(x.mean((2, 3), keepdim=True)).sigmoid()
        return out


class Fusion(nn.Module):
    """Spatial and context maps mixed and gated: ``-> (N, num_classes, h, w)``; fault "fusion in classes"."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.mix = Block(in_channels, num_classes, stride=1)
        self.squeeze = nn.Conv2d(num_classes, num_classes, 1)
        self.excite = nn.Conv2d(num_classes, num_classes, 1)

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        fused = self.mix(torch.cat([spatial, context], dim=1))
        gate = self.excite(self.squeeze(fused.mean((2, 3), keepdim=True)).relu()).sigmoid()
        out: Tensor = fused + fused * gate
        return out


class BiSeNetOfTheNotes(nn.Module):
    """``(N, 3, H, W) -> {"out": (N, K, H, W)}``, in training also ``"aux16"`` and ``"aux32"``; wrong as `FAULTS` says.

    12,581,672 parameters at 19 classes, random. ``H`` and ``W`` are multiples of 32; others end in PyTorch's own
    complaint, as in the listing. What differs from the listing: it returns a dictionary, as every network
    here does, and downloads nothing.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.spatial_path = nn.Sequential(Block(3, 64), Block(64, 128), Block(128, 256))
        self.context_path = Trunk()
        self.refine16 = Refinement(256)
        self.refine32 = Refinement(512)
        self.fusion = Fusion(256 + 256 + 512, num_classes)
        self.score = nn.Conv2d(num_classes, num_classes, 1)
        self.aux16 = nn.Conv2d(256, num_classes, 1)
        self.aux32 = nn.Conv2d(512, num_classes, 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        spatial = self.spatial_path(images)
        fine, coarse, mean = self.context_path(images)
        fine = enlarged(self.refine16(fine), 2)
        coarse = enlarged(self.refine32(coarse) * mean, 4)  # faults "multiplied context" and "no way up"
        fused = self.fusion(spatial, torch.cat([fine, coarse], dim=1))
        outputs = {"out": self.score(enlarged(fused, 8))}  # fault "late scores"
        if self.training:  # fault "late auxiliaries"
            outputs["aux16"] = enlarged(self.aux16(fine), 8)
            outputs["aux32"] = enlarged(self.aux32(coarse), 8)
        return outputs


def enlarged(x: Tensor, factor: int) -> Tensor:
    """``(N, C, h, w) -> (N, C, factor * h, factor * w)``; faults "half a cell" and "sizes of 32"."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear")
