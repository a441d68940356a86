"""Normal distributions of features, one for each class and all of one covariance, and distances to them."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from segedu.losses.chunks import chunks
from segedu.losses.inputs import arithmetic_dtype


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Where the features of K classes lie, and how they spread; all in float64.

    ``means (K, C)`` are NaN for a class that no pixel had, ``covariance (C, C)`` is that of every class, and
    ``pixels (K,)`` says how many pixels each class had. Features times ``whitening (C, C)`` have no covariance.
    """

    means: Tensor
    covariance: Tensor
    pixels: Tensor
    whitening: Tensor

    @classmethod
    def of(cls, means: Tensor, covariance: Tensor, pixels: Tensor) -> Self:
        """Whitened by the inverse of the covariance's Cholesky factor; ``ValueError`` where there is none."""
        root, failed = torch.linalg.cholesky_ex(covariance)
        if failed:
            raise ValueError(
                f"the covariance of {len(root)} channels has no inverse: some do not vary, or follow from others; "
                "raise the shrinkage"
            )
        identity = torch.eye(len(root), dtype=root.dtype, device=root.device)
        return cls(means, covariance, pixels, torch.linalg.solve_triangular(root, identity, upper=False))

    @torch.no_grad()
    def distances(self, features: Tensor) -> Tensor:
        """The squared Mahalanobis distance to the nearest class that has a mean: ``(N, C, P) -> (N, P)``.

        Float32, float64 for float64 features. On the CPU whitened features exist for one piece at a time.
        """
        dtype, device = arithmetic_dtype(features), features.device
        means = self.means[~self.means[:, 0].isnan()]
        centre = means.mean(0).to(dtype)  # from there, places keep their digits where features lie far from zero
        places = ((means - centre) @ self.whitening.mT).to(device, dtype)
        whitening, centre = self.whitening.to(device, dtype), centre.to(device)[:, None]
        own = places.square().sum(1)[:, None]
        nearest = torch.empty(len(features), features.shape[2], dtype=dtype, device=device)
        with torch.autocast(device.type, enabled=False):
            for images, run in chunks(features):
                white = whitening @ (features[images, :, run].to(dtype) - centre)
                # |w - m|^2 = |w|^2 + (|m|^2 - 2 m.w): the largest part is the same for all classes.
                beside = torch.sub(own, places @ white, alpha=2).amin(1)
                nearest[images, run] = white.square_().sum(1).add_(beside)
        return nearest.clamp_(min=0)
