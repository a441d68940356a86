"""The dense CRF of images and a network's scores: as a function, and as a layer that learns."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segedu.crf.all_pairs import AllPairs
from segedu.crf.calibration import calibrated
from segedu.crf.filters import Filter
from segedu.crf.inputs import check_pair, colours
from segedu.crf.kernels import Bilateral, Gaussian, Kernel
from segedu.crf.lattice import Lattice
from segedu.crf.mean_field import mean_field
from segedu.crf.normalisation import Normalisation, OthersOnly, normalised
from segedu.losses.inputs import arithmetic_dtype

KERNELS: tuple[Kernel, ...] = (Gaussian(), Bilateral())


@torch.compiler.disable  # type: ignore[untyped-decorator]
def pairwise_filters(
    images: Tensor,
    kernels: Sequence[Kernel] = KERNELS,
    *,
    normalisation: Normalisation = "symmetric",
    exclude_self: bool = False,
    exact: bool = False,
    dtype: torch.dtype = torch.float32,
) -> list[Filter]:
    """One filter for each kernel over images ``(N, C, H, W)``, for ``mean_field`` to use any number of times.

    Images are uint8, or floating point in [0, 1]; a kernel's weight is no part of its filter. ``normalisation`` is one
    of ``segedu.crf.normalisation``; with ``"none"`` a lattice is calibrated to weigh as much as the formula. With
    ``exclude_self`` a pixel hears others only, as in the paper; with ``exact`` all pairs are summed, in quadratic time.
    Raises ``TypeError`` and ``ValueError`` for images that are none of these, for an unknown normalisation, and for
    features too far apart for the lattice.
    """
    levels = colours(images, dtype)
    filters: list[Filter] = []
    with torch.autocast(images.device.type, enabled=False):
        for kernel in kernels:
            features = kernel.features(levels)
            whole: Filter = AllPairs(features) if exact else Lattice(features)
            if normalisation == "none" and isinstance(whole, Lattice):
                whole = calibrated(whole, features)
            whole = normalised(whole, normalisation)
            filters.append(OthersOnly(whole, whole.own_weight()) if exclude_self else whole)
    return filters


def dense_crf(
    logits: Tensor,
    images: Tensor,
    kernels: Sequence[Kernel] = KERNELS,
    *,
    weights: Tensor | None = None,
    compatibility: Tensor | None = None,
    iterations: int = 10,
    normalisation: Normalisation = "symmetric",
    exclude_self: bool = False,
    exact: bool = False,
) -> Tensor:
    """Probabilities ``(N, K, H, W)`` of what ``logits (N, K, H, W)`` and the colours of ``images (N, C, H, W)`` say.

    Krähenbühl and Koltun (NeurIPS 2011), with the normalisation and the self term of their release by default. Logits
    are a network's scores or the logarithm of probabilities (0 becomes minus infinity, and stays 0); images are uint8,
    or floating point in [0, 1], not normalised for a network. ``weights`` replace those of the kernels, and may learn.
    Computed in float32, in float64 for float64 logits, on the logits' device. The other options and the errors are
    those of ``pairwise_filters`` and ``mean_field``.
    """
    check_pair(logits, images)
    filters = pairwise_filters(
        images,
        kernels,
        normalisation=normalisation,
        exclude_self=exclude_self,
        exact=exact,
        dtype=arithmetic_dtype(logits),
    )
    strengths = [kernel.weight for kernel in kernels] if weights is None else weights
    field: Tensor = mean_field(logits, filters, strengths, compatibility=compatibility, iterations=iterations)
    return field


class DenseCRF(nn.Module):
    """The dense CRF as a layer: ``logits (N, K, H, W), images (N, C, H, W) -> probabilities (N, K, H, W)``.

    Zheng et al. (CRF as RNN, ICCV 2015): the weights of the kernels and the compatibility of labels are learnt with the
    network through the iterations, 5 by default as in their training. They start at the kernels' weights and at Potts.
    A kernel has one weight, where the paper has one a class; the standard deviations do not learn. Options and errors
    are those of ``dense_crf``.
    """

    def __init__(
        self,
        num_classes: int,
        kernels: Sequence[Kernel] = KERNELS,
        *,
        iterations: int = 5,
        normalisation: Normalisation = "symmetric",
        exclude_self: bool = False,
        exact: bool = False,
    ) -> None:
        super().__init__()
        self.kernels = tuple(kernels)
        self.iterations = iterations
        self.normalisation: Normalisation = normalisation
        self.exclude_self = exclude_self
        self.exact = exact
        self.weights = nn.Parameter(torch.tensor([kernel.weight for kernel in self.kernels]))
        self.compatibility = nn.Parameter(1 - torch.eye(num_classes))

    def forward(self, logits: Tensor, images: Tensor) -> Tensor:
        return dense_crf(
            logits,
            images,
            self.kernels,
            weights=self.weights,
            compatibility=self.compatibility,
            iterations=self.iterations,
            normalisation=self.normalisation,
            exclude_self=self.exclude_self,
            exact=self.exact,
        )
