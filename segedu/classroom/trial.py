"""What every lesson's experiment repeats: pictures held in memory, and the two scores of a net.

A small net that trains for seconds would spend most of them on loading, so a lesson's pictures are loaded once.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from segedu import data, device
from segedu.inference import inference
from segedu.metrics import BoundaryF1, ConfusionMatrix


class Score(NamedTuple):
    """Mean IoU and boundary F1 in per cent: what is named rightly, and whether the edges lie where they should."""

    mean_iou: float
    boundary_f1: float


def pictures(name: str, split: str, count: int, size: tuple[int, int]) -> TensorDataset:
    """The first ``count`` pictures of a data set (all, if it has fewer) on ``segedu.device()``, ready for ``fit``.

    Images ``(count, 3, H, W)``, normalised, and labels ``(count, H, W)``. Raises what ``data.load`` raises.
    """
    source, place = data.load(name, split=split, size=size), device()
    indices = range(min(count, len(source)))
    if isinstance(source, data.Streets | data.Cells):
        return TensorDataset(*source.batch(indices, device=place))
    images, labels = zip(*(source[i] for i in indices), strict=True)
    return TensorDataset(torch.stack(images).to(place), torch.stack(labels).to(place))


def score(model: nn.Module, held_out: TensorDataset) -> Score:
    """How well ``model`` does on pictures in memory; its mode is put back."""
    images, labels = held_out.tensors
    with inference(model):
        return score_logits(model(images)["out"], labels)


def score_logits(logits: Tensor, labels: Tensor) -> Score:
    """The two scores of ``(N, K, H, W)`` logits against ``(N, H, W)`` labels, void (255) left out."""
    classes = logits.shape[1]
    regions, edges = ConfusionMatrix(classes, device=logits.device), BoundaryF1(classes, device=logits.device)
    for metric in (regions, edges):
        metric.update(logits, labels)
    return Score(100 * regions.scores().mean_iou, 100 * edges.scores().mean_f1)
