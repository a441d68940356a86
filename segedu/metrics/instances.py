"""Counting objects: how many of them a segmentation finds, and how many it merges or splits."""

from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.instances.labelling import components
from segedu.labels import is_void
from segedu.metrics.inputs import image_maps
from segedu.metrics.tally import Tally


@dataclass(frozen=True)
class InstanceScores:
    """Objects counted: ``true`` ones, ``predicted`` ones, and ``matched`` pairs of an IoU above one half.

    ``merged`` counts the true objects that share a prediction with another one (each lies in it for more than half of
    its pixels), ``split`` the predictions that share a true object in the same way. ``precision``, ``recall`` and
    ``f1`` are shares of matched objects, NaN where there was none to count.
    """

    true: int
    predicted: int
    matched: int
    merged: int
    split: int

    @property
    def precision(self) -> float:
        """The share of the predicted objects that match a true one."""
        return self.matched / self.predicted if self.predicted else float("nan")

    @property
    def recall(self) -> float:
        """The share of the true objects that match a predicted one."""
        return self.matched / self.true if self.true else float("nan")

    @property
    def f1(self) -> float:
        """Their harmonic mean, the F1 at IoU 0.5."""
        both = self.true + self.predicted
        return 2 * self.matched / both if both else float("nan")


class InstanceCounts(Tally):
    """Predicted components matched with true instances, streamed over batches of images.

    A prediction is a connected component (``connectivity`` 4 or 8) of the pixels called ``label``. It matches a true
    instance where their intersection is over half of their union; then no third object can match either of them, so
    the pairs need no search. Void pixels (``ignore_index`` in the target) are taken out of both before anything is
    counted. Images are matched one by one and counts are added up (Caicedo et al., Nature Methods 16, 2019).
    """

    settings = ("label", "connectivity", "ignore_index")

    def __init__(
        self,
        label: int = 1,
        connectivity: int = 4,
        ignore_index: int = 255,
        device: torch.device | str | None = None,
    ) -> None:
        self.label = label
        self.connectivity = connectivity
        self.ignore_index = ignore_index
        super().__init__(device)

    def _kept(self) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        return {"counts": ((5,), torch.int64)}

    @torch.no_grad()
    def update(self, predictions: Tensor, target: Tensor, instances: Tensor | None = None) -> None:
        """Count a batch: scores ``(N, K, H, W)`` or labels ``(N, H, W)``, against labels ``(N, H, W)``.

        ``instances`` are the true objects' ids, int64 ``(N, H, W)``, 0 for background; without them they are the
        components of the target. Raises ``ValueError`` where shapes disagree.
        """
        classes = predictions.shape[1] if predictions.is_floating_point() and predictions.dim() == 4 else self.label + 1
        called, truth = image_maps(predictions, target, classes)
        if instances is None:
            instances = components(truth == self.label, self.connectivity)
        elif instances.shape != truth.shape:
            raise ValueError(
                f"instances have shape {tuple(instances.shape)} and target {tuple(truth.shape)}: give an id per pixel"
            )
        valid = ~is_void(truth, self.ignore_index)
        found = components((called == self.label) & valid, self.connectivity)
        self._add(counts=_matches(found, torch.where(valid, instances.as_subclass(Tensor).long(), 0)))

    def scores(self) -> InstanceScores:
        """The counts so far."""
        return InstanceScores(*self._sums["counts"].tolist())


def _matches(found: Tensor, truth: Tensor) -> Tensor:
    """True, predicted, matched, merged and split objects of a batch: ids ``(N, H, W)`` twice -> ``(5,)`` int64."""
    found_object, found_area = _objects(found)
    true_object, true_area = _objects(truth)
    overlap = (found_object > 0) & (true_object > 0)
    base = len(true_area)
    pair, common = torch.unique(found_object[overlap] * base + true_object[overlap], return_counts=True)
    called, true = pair // base, pair % base
    matched = 2 * common > found_area[called] + true_area[true] - common
    merged = _sharing(called[2 * common > true_area[true]], len(found_area))
    split = _sharing(true[2 * common > found_area[called]], len(true_area))
    totals = torch.tensor([len(true_area) - 1, len(found_area) - 1], device=found.device)
    return torch.cat([totals, torch.stack([matched.sum(), merged, split])])


def _objects(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Objects of a batch numbered through, 1..n, 0 for background: ``(N, H, W)``; and their areas ``(n + 1,)``."""
    inside = ids > 0
    image = torch.arange(len(ids), device=ids.device).view(-1, 1, 1).expand_as(ids)
    keys = image[inside] * (ids.amax() + 1) + ids[inside]
    _, number, areas = torch.unique(keys, return_inverse=True, return_counts=True)
    numbered = torch.zeros_like(ids)
    numbered[inside] = number + 1
    return numbered, torch.cat([areas.new_zeros(1), areas])


def _sharing(whole: Tensor, wholes: int) -> Tensor:
    """How many parts lie in a whole that holds more than one of them: the whole of each part ``(P,) -> ()``."""
    parts = torch.bincount(whole, minlength=wholes)
    return parts[parts > 1].sum()
