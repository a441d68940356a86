"""``evaluate``: a trained model's scores on a data set, class by class."""

import argparse

import torch
from torch import nn

from segedu import trained
from segedu.cli.sources import chosen_device, open_data
from segedu.data import SegmentationData
from segedu.inference import inference, outputs_of
from segedu.metrics import BoundaryF1, ConfusionMatrix
from segedu.train import distributed
from segedu.train.progress import bar
from segedu.train.sampling import evaluation_batches


def run(chosen: argparse.Namespace) -> int:
    """Print precision, recall, F1, IoU and boundary F1 of each class, and their means."""
    model, card = trained.load(chosen.run)
    name = card.data if chosen.data is None else chosen.data
    data = open_data(name, chosen.split, card.size if chosen.size is None else chosen.size)
    if list(data.classes) != card.classes:
        raise ValueError(
            f"{name} has the classes {', '.join(data.classes)}, but the model was trained on {card.data} with "
            f"{', '.join(card.classes)}; name a data set that has those"
        )
    with distributed.process_group(chosen_device(chosen.device)) as device:
        confusion, boundary = measure(model, data, chosen.batch_size, device)
        contours = boundary.scores()
        table = confusion.table(card.classes, boundary_F1=contours.f1)
        if distributed.is_main():
            print(f"{card.title} on {name}, split {chosen.split}, {len(data)} images, per cent\n")
            print(table)
            print(f"{'boundary F1':<24}{100 * contours.mean_f1:>7.2f}  (over {contours.images} images)")
    return 0


def measure(
    model: nn.Module, data: SegmentationData, batch_size: int, device: torch.device
) -> tuple[ConfusionMatrix, BoundaryF1]:
    """What ``model``, moved to ``device``, calls every pixel of ``data``, counted by region and by contour."""
    classes = len(data.classes)
    model.to(device)
    confusion = ConfusionMatrix(classes, data.ignore_index, device)
    boundary = BoundaryF1(classes, ignore_index=data.ignore_index, device=device)
    batches = evaluation_batches(
        data, batch_size=batch_size, device=device, rank=distributed.rank(), world_size=distributed.world_size()
    )
    with inference(model), bar(len(data), unit="image", shown=distributed.is_main()) as shown:
        for images, target in batches:
            predictions = outputs_of(model, images)["out"].max(dim=1).indices
            confusion.update(predictions, target)
            boundary.update(predictions, target)
            shown.update(distributed.world_size() * len(images))
    return confusion.all_reduce(), boundary.all_reduce()
