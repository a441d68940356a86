"""Dense conditional random fields: sharpening a segmentation by the colours of its image."""

from segedu.crf.all_pairs import AllPairs
from segedu.crf.dense_crf import DenseCRF, dense_crf, pairwise_filters
from segedu.crf.filters import Filter
from segedu.crf.kernels import Bilateral, Gaussian, Kernel
from segedu.crf.lattice import Lattice
from segedu.crf.mean_field import mean_field

__all__ = [
    "AllPairs",
    "Bilateral",
    "DenseCRF",
    "Filter",
    "Gaussian",
    "Kernel",
    "Lattice",
    "dense_crf",
    "mean_field",
    "pairwise_filters",
]
