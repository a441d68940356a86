"""How far each pixel's features lie from those of every known class, in the spread that the classes share."""

from typing import Self

import torch
from torch import Tensor

from segedu.labels import is_void
from segedu.losses.chunks import chunks
from segedu.metrics.inputs import checked_num_classes, stray_sentence
from segedu.metrics.tally import Tally
from segedu.ood.gaussians import Gaussians


class Mahalanobis(Tally):
    """The distance of a pixel's features to the nearest class: ``min_c (f - mean_c)' S^-1 (f - mean_c)``.

    The class means and the covariance ``S``, which all classes share, are those of the training pixels (Lee et al.,
    NeurIPS 2018, arXiv 1807.03888, equations 1 and 2). They are kept as counts, sums and sums of products in float64,
    so maps may stream by and two parts of a data set add up with ``+`` (Apple's GPUs know float32 alone: give
    ``device="cpu"`` there). As ``f`` is any map ``(N, C, H, W)``, this measures hidden layers and logits alike.

    ``shrinkage`` is the share of the covariance that is replaced by the same amount of variance in every direction, so
    that there is an inverse where channels never vary: ``(1 - s) S + s trace(S) / C I``. Of every map the rows and
    columns ``step // 2, step // 2 + step, ...`` are read: neighbours tell much the same, and ``step`` squared times
    fewer of them cost less. Void pixels (``ignore_index``) are left out.
    """

    settings = ("num_classes", "channels", "shrinkage", "step", "ignore_index")

    def __init__(
        self,
        num_classes: int,
        channels: int,
        shrinkage: float = 1e-3,
        step: int = 1,
        ignore_index: int = 255,
        device: torch.device | str | None = None,
    ) -> None:
        if channels < 1 or step < 1:
            raise ValueError(f"channels is {channels} and step is {step}, expected at least 1 of each")
        if not 0 <= shrinkage <= 1:
            raise ValueError(f"shrinkage is {shrinkage}, expected a share between 0 (none) and 1 (no correlations)")
        self.num_classes = checked_num_classes(num_classes)
        self.channels = channels
        self.shrinkage = shrinkage
        self.step = step
        self.ignore_index = ignore_index
        super().__init__(device)

    def reset(self) -> None:
        """Forget everything seen so far."""
        super().reset()
        self.gaussians: Gaussians | None = None

    def _kept(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        # Features above one-hot labels, times the same: sums of products, beside them class sums, and counts.
        side = self.channels + self.num_classes
        return {"products": ((side, side), torch.float64), "strays": ((1,), torch.int64)}

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Count a batch: features ``(N, C, H, W)`` and labels ``(N, H, W)`` of the same pixels.

        What was fitted is forgotten. Raises ``TypeError`` for features that are no floating-point numbers or labels
        that are no integers, ``ValueError`` for shapes that do not fit and for a label that is neither a class nor
        ``ignore_index``; on a GPU, where asking would hold up the queue, the latter comes from ``fit``.
        """
        features, labels = self._checked(features), _checked_labels(labels, features)
        grid = slice(self.step // 2, None, self.step)
        features, labels = features[..., grid, grid].flatten(2), labels[..., grid, grid].flatten(1)
        void = is_void(labels, self.ignore_index)
        stray = ~void & ((labels < 0) | (labels >= self.num_classes))
        strays = stray.sum().view(1)
        if labels.device.type == "cpu":
            self._refuse_strays(strays)
        left_out = void | stray
        index = labels.long().masked_fill(left_out, -1)  # no class
        classes = torch.arange(self.num_classes, device=labels.device)[:, None]
        kept = self._kept_beside("products", features)
        for images, pixels in chunks(features):
            known = features[images, :, pixels].masked_fill(left_out[images, None, pixels], 0)
            one_hot = index[images, None, pixels] == classes
            rows = torch.cat([known.to(kept), one_hot.to(kept)], 1)
            kept += (rows @ rows.mT).sum(0)
        self._add(strays=strays)
        self.gaussians = None

    def fit(self) -> Self:
        """Means and covariance of all pixels so far, kept as ``gaussians``; returns itself.

        The covariance divides by the number of pixels. Raises ``ValueError`` where no pixel had a class, where
        features were infinite or NaN, and where the covariance has no inverse.
        """
        self._refuse_strays(self._sums["strays"])
        products, channels = self._sums["products"], self.channels
        pixels = products[channels:, channels:].diagonal().clone()
        if not pixels.sum() > 0:
            raise ValueError("no pixel with a class was seen: update with labels that are not all void")
        if not products.isfinite().all():
            raise ValueError("features held infinity or NaN at pixels of a class, whose mean is undefined")
        means = products[channels:, :channels] / pixels[:, None]
        between = products[:channels, channels:] @ means.nan_to_num()
        covariance = (products[:channels, :channels] - between) / pixels.sum()
        round_ = torch.diag(covariance.diagonal().mean().expand(channels))
        self.gaussians = Gaussians.of(means, torch.lerp(covariance, round_, self.shrinkage), pixels)
        return self

    def scores(self, features: Tensor) -> Tensor:
        """The squared distance to the nearest class that was seen: ``(N, C, H, W) -> (N, H, W)``.

        Float32, float64 for float64 features; without a gradient. Raises ``ValueError`` before ``fit``, and as
        ``update`` does for features that do not fit.
        """
        features = self._checked(features)
        if self.gaussians is None:
            raise ValueError("there are no means to measure from: call fit() after the last update")
        return self.gaussians.distances(features.flatten(2)).view(len(features), *features.shape[2:])

    def _checked(self, features: Tensor) -> Tensor:
        if not features.is_floating_point():
            raise TypeError(f"features have dtype {features.dtype}, expected floating-point numbers")
        if features.ndim != 4 or features.shape[1] != self.channels:
            raise ValueError(f"features have shape {tuple(features.shape)}, expected (N, {self.channels}, H, W)")
        return features.detach().as_subclass(Tensor)

    def _refuse_strays(self, strays: Tensor) -> None:
        if pixels := int(strays):
            raise ValueError(stray_sentence("labels", pixels, self.num_classes, self.ignore_index))


def _checked_labels(labels: Tensor, features: Tensor) -> Tensor:
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"labels have dtype {labels.dtype}, expected integer class labels such as torch.int64")
    expected = (len(features), *features.shape[2:])
    if labels.shape != expected:
        raise ValueError(
            f"labels have shape {tuple(labels.shape)}, expected {expected} for features of shape "
            f"{tuple(features.shape)}: resize the labels to the features with nearest neighbour"
        )
    return labels.as_subclass(Tensor)
