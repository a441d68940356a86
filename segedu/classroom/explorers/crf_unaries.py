"""Unary scores for a crop that are as good as a segmenter's of one output stride: made from the truth, always alike."""

import torch
from torch import Tensor
from torch.nn import functional as F

from segedu.classroom.explorers.crf_crops import Crop

STRIDES = (4, 8, 16, 32)
SHARPNESS = 5.0
NOISE = 1.0


def unaries(crop: Crop, stride: int) -> Tensor:
    """Scores ``(K, H, W)``: what is left of the labels on a grid of ``stride``, softened, disturbed and interpolated.

    In each cell the shares of the classes times `SHARPNESS`, plus normal noise of standard deviation `NOISE`, of the
    same seed every time; between the cells' centres bilinear, as segmenters do it. Void counts for no class. The
    mistakes are those of coarse maps: rounded corners, lost thin objects, blobs as large as cells.
    """
    count, (height, width) = len(crop.classes), crop.labels.shape
    names = torch.where(crop.labels == crop.ignore_index, count, crop.labels)
    one_hot = F.one_hot(names, count + 1)[..., :count].movedim(-1, 0).float()
    # The cells at the far edges may reach beyond the crop: nothing is there, as in void.
    padded = F.pad(one_hot, (0, -width % stride, 0, -height % stride))
    held = F.avg_pool2d(padded[None], stride)
    shares = held / held.sum(1, keepdim=True).clamp(min=stride**-2)
    noise = torch.randn(shares.shape, generator=torch.Generator().manual_seed(0))
    grown = F.interpolate(SHARPNESS * shares + NOISE * noise, padded.shape[1:], mode="bilinear", align_corners=False)
    return grown[0, :, :height, :width]
