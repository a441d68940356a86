"""A stand-in for a trained FCN-8s: it reads the classes off flatly coloured images, so its scores are known."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)
CLASSES = ("Sky", "Road", "Pole", "Car")
PALETTE = torch.tensor([(128, 128, 128), (128, 64, 128), (192, 192, 128), (64, 0, 128)], dtype=torch.uint8)
SIZE = (96, 128)


class PyramidFCN(nn.Module):
    """Scores that split a one-hot label map into what stride 32 shows, what 16 adds and what 8 adds."""

    def scores(self, images):
        colours = (images.movedim(1, -1) * torch.tensor(STD) + torch.tensor(MEAN)) * 255
        nearest = (colours[..., None, :] - PALETTE.float()).abs().sum(-1).argmin(-1)
        one_hot = F.one_hot(nearest, len(CLASSES)).movedim(-1, 1).float()
        conv7, pool4, pool3 = (F.avg_pool2d(one_hot, stride, ceil_mode=True) for stride in (32, 16, 8))
        return {"conv7": 5 * conv7, "pool4": 5 * (pool4 - up(conv7, pool4)), "pool3": 5 * (pool3 - up(pool4, pool3))}

    def fuse(self, scores, size):
        fused = scores["conv7"]
        for name in ("pool4", "pool3"):
            fused = up(fused, scores[name]) + scores[name]
        return F.interpolate(fused, size, mode="bilinear", align_corners=False)


def up(coarse, like):
    return F.interpolate(coarse, like.shape[-2:], mode="bilinear", align_corners=False)


def street(seed, size=SIZE, void=True):
    """A label map with a horizon, poles three pixels wide, a car and a void corner."""
    draw = torch.Generator().manual_seed(seed)
    height, width = size
    labels = torch.zeros(size, dtype=torch.int64)
    labels[height // 2 :] = 1
    for left in torch.randint(0, width - 3, (2,), generator=draw).tolist():
        labels[height // 6 : 3 * height // 4, left : left + 3] = 2
    top, left = height // 2 - 8, int(torch.randint(0, width - 40, (1,), generator=draw))
    labels[top : top + 22, left : left + 40] = 3
    painted = labels.clone()
    if void:
        labels[:6, :6] = 255
    return painted, labels


def make_streets(count=3, size=SIZE, void=True):
    painted, labels = map(torch.stack, zip(*(street(seed, size, void) for seed in range(count)), strict=True))
    colours = PALETTE[painted].movedim(-1, 1).float() / 255
    images = (colours - torch.tensor(MEAN).view(-1, 1, 1)) / torch.tensor(STD).view(-1, 1, 1)
    return images, labels


@pytest.fixture
def streets():
    """Three images ``(3, 3, 96, 128)`` and their labels."""
    return make_streets()


@pytest.fixture
def explore(streets):
    """Build the explorer over the stand-in; keywords replace its arguments."""
    from segedu.classroom.explorers import FusionExplorer

    def build(**changes):
        images, labels = streets
        given = {"model": PyramidFCN(), "images": images, "labels": labels, "classes": CLASSES, "palette": PALETTE}
        return FusionExplorer(**given | {"mean": MEAN, "std": STD} | changes)

    return build
