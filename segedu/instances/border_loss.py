"""Cross entropy under U-Net's weight map, made from the labels of the batch itself."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segedu.instances.labelling import components
from segedu.instances.weight_map import border_weights
from segedu.losses import pixel_weighted_cross_entropy_sums


class BorderWeightedCrossEntropy(nn.Module):
    """U-Net's energy (section 3, eq. 1 and 2): ``logits (N, 2, H, W), target (N, H, W) -> (total, weight)``.

    The map is that of the labels it is given, so a label that an augmentation has bent brings the weights of its bent
    shape: the cells are the 4-connected components of class 1, and ``border_weights`` does the rest. Void pixels belong
    to no cell and weigh nothing. ``w_c``, ``w0`` and ``sigma`` are those of ``border_weights``.

    The two sums that come back, over the batch, are what ``fit(loss=...)`` divides, after adding them up over all
    processes; the paper minimises the first of them, undivided. Errors are those of ``border_weights`` and
    ``pixel_weighted_cross_entropy``.
    """

    w_c: Tensor

    def __init__(
        self, w_c: Tensor | Sequence[float] = (1.0, 1.0), w0: float = 10.0, sigma: float = 5.0, ignore_index: int = 255
    ) -> None:
        super().__init__()
        self.register_buffer("w_c", torch.as_tensor(w_c, dtype=torch.float32), persistent=False)
        self.w0 = w0
        self.sigma = sigma
        self.ignore_index = ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        weights = border_weights(components(target == 1), self.w_c, self.w0, self.sigma)
        return pixel_weighted_cross_entropy_sums(logits, target, weights, ignore_index=self.ignore_index)
