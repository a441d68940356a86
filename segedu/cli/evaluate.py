"""``evaluate``: a trained model's scores on a data set, class by class."""

import argparse

from segedu import trained
from segedu.cli.sources import chosen_device, open_data
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
    with distributed.process_group(chosen_device(chosen.device)) as device, inference(model):
        model.to(device)
        confusion = ConfusionMatrix(len(card.classes), data.ignore_index, device)
        boundary = BoundaryF1(len(card.classes), ignore_index=data.ignore_index, device=device)
        batches = evaluation_batches(
            data,
            batch_size=chosen.batch_size,
            device=device,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
        )
        with bar(len(data), unit="image", shown=distributed.is_main()) as shown:
            for images, target in batches:
                predictions = outputs_of(model, images)["out"].max(dim=1).indices
                confusion.update(predictions, target)
                boundary.update(predictions, target)
                shown.update(distributed.world_size() * len(images))
        contours = boundary.all_reduce().scores()
        table = confusion.all_reduce().table(card.classes, boundary_F1=contours.f1)
        if distributed.is_main():
            print(f"{card.title} on {name}, split {chosen.split}, {len(data)} images, per cent\n")
            print(table)
            print(f"{'boundary F1':<24}{100 * contours.mean_f1:>7.2f}  (over {contours.images} images)")
    return 0
