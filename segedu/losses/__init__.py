"""Losses for semantic segmentation: logits and integer labels in, float32 arithmetic whatever the logits' dtype.

Void pixels (``ignore_index``) are removed before anything is looked up, so they add nothing to the value, to the
gradient or to the mean's denominator; when nothing is valid the loss is 0 and so is its gradient.

On the CPU the memory of the last large gradients is kept for the next; ``release_memory`` gives it back.
"""

from segedu.losses.binary import (
    BinaryCrossEntropy,
    BinaryFocalLoss,
    binary_cross_entropy,
    binary_cross_entropy_sums,
    binary_focal_loss,
    binary_focal_loss_sums,
)
from segedu.losses.binary_regions import (
    BinaryDiceLoss,
    BinaryJaccardLoss,
    BinaryTverskyLoss,
    binary_dice_loss,
    binary_jaccard_loss,
    binary_tversky_loss,
)
from segedu.losses.cross_entropy import (
    CrossEntropy,
    PixelWeightedCrossEntropy,
    cross_entropy,
    cross_entropy_sums,
    pixel_weighted_cross_entropy,
    pixel_weighted_cross_entropy_sums,
)
from segedu.losses.focal import FocalLoss, focal_loss, focal_loss_sums
from segedu.losses.inputs import check_labels
from segedu.losses.lovasz import LovaszHingeLoss, LovaszLoss, lovasz_hinge_loss, lovasz_loss
from segedu.losses.ohem import OHEMCrossEntropy, ohem_cross_entropy
from segedu.losses.one_vs_rest import OneVsRestFocalLoss, one_vs_rest_focal_loss
from segedu.losses.pages import release_memory
from segedu.losses.reduction import Reduction, quotient
from segedu.losses.regions import DiceLoss, JaccardLoss, TverskyLoss, dice_loss, jaccard_loss, tversky_loss
from segedu.losses.weighted_sum import WeightedSum
from segedu.losses.weights import inverse_frequency_weights, median_frequency_weights

__all__ = [
    "BinaryCrossEntropy",
    "BinaryDiceLoss",
    "BinaryFocalLoss",
    "BinaryJaccardLoss",
    "BinaryTverskyLoss",
    "CrossEntropy",
    "DiceLoss",
    "FocalLoss",
    "JaccardLoss",
    "LovaszHingeLoss",
    "LovaszLoss",
    "OHEMCrossEntropy",
    "OneVsRestFocalLoss",
    "PixelWeightedCrossEntropy",
    "Reduction",
    "TverskyLoss",
    "WeightedSum",
    "binary_cross_entropy",
    "binary_cross_entropy_sums",
    "binary_dice_loss",
    "binary_focal_loss",
    "binary_focal_loss_sums",
    "binary_jaccard_loss",
    "binary_tversky_loss",
    "check_labels",
    "cross_entropy",
    "cross_entropy_sums",
    "dice_loss",
    "focal_loss",
    "focal_loss_sums",
    "inverse_frequency_weights",
    "jaccard_loss",
    "lovasz_hinge_loss",
    "lovasz_loss",
    "median_frequency_weights",
    "ohem_cross_entropy",
    "one_vs_rest_focal_loss",
    "pixel_weighted_cross_entropy",
    "pixel_weighted_cross_entropy_sums",
    "quotient",
    "release_memory",
    "tversky_loss",
]
