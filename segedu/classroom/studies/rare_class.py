"""What each loss does to a class that is one pixel in a hundred (lesson 07, claims L1, L2, L4, L5 and L6).

Small nets learn to tell poles from all else on painted streets. Each loss has nets of its own, which start from the same
numbers and see the same pictures in the same order; all are judged by all losses and all scores on the same scenes.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from segedu import data, losses
from segedu.classroom.studies import record
from segedu.classroom.trial import pictures
from segedu.inference import inference
from segedu.layers.way_back import WAYS_BACK
from segedu.metrics import BoundaryF1, ConfusionMatrix
from segedu.models import SegNet
from segedu.train import Record, Recipe, fit
from segedu.train.objective import Loss
from segedu.train.progress import bar

SIZE = (64, 96)
POLE = data.Streets.classes.index("Pole")  # 1.2 % of the pixels; in CamVid the same index, and 1.0 %
SEEDS = (0, 1, 2)
STEPS, EVERY = 1280, 80
RECIPE = Recipe(batch_size=4, lr=0.01, optimizer="adamw", channels_last=True)
JUDGES: Mapping[str, Loss] = {
    "cross entropy": losses.cross_entropy,
    "focal": losses.focal_loss,
    "Dice": losses.dice_loss,
    "Jaccard": losses.jaccard_loss,
    "Lovász": losses.lovasz_loss,
}


def arms(labels: Tensor) -> dict[str, Loss]:
    """The losses that are compared, by name; the weights are those of the classes in ``labels``."""
    weights = losses.inverse_frequency_weights(labels[labels != 255].bincount(minlength=2))
    return {
        "cross entropy": losses.CrossEntropy(),
        "weighted": losses.CrossEntropy(weight=weights),
        "focal": losses.FocalLoss(gamma=2),
        "Dice": losses.DiceLoss(),
        "CE + Dice": losses.WeightedSum({"ce": (1, losses.CrossEntropy()), "dice": (1, losses.DiceLoss())}),
        "Lovász": losses.LovaszLoss(),
    }


def one_class(name: str, split: str, count: int, index: int = POLE) -> TensorDataset:
    """Pictures with the labels 1 on class ``index``, 0 on all others, and void as it was."""
    images, labels = pictures(name, split, count, SIZE).tensors
    return TensorDataset(images, torch.where(labels == 255, labels, (labels == index).long()))


def tiny(seed: int) -> nn.Module:
    """12 thousand parameters: three stages of one convolution, and the whole maps kept for the way back."""
    torch.manual_seed(seed)
    return SegNet(2, WAYS_BACK["full skip"], widths=(8, 16, 32), depths=(1, 1, 1))


def judged(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """What the scores and the losses say of ``(N, 2, H, W)`` logits; scores of class 1, in per cent.

    ``predicted`` is how much of class 1 is predicted, in per cent of what there is. A precision of nothing is 0.
    """
    pixels, contours = ConfusionMatrix(2, device=logits.device), BoundaryF1(2, device=logits.device)
    for metric in (pixels, contours):
        metric.update(logits, labels)
    (_, invented), (missed, found) = pixels.matrix.tolist()
    return {
        "accuracy": 100 * pixels.scores().pixel_accuracy,
        "precision": 100 * found / max(1, found + invented),
        "recall": 100 * found / (found + missed),
        "IoU": 100 * found / (found + missed + invented),
        "boundary F1": 100 * float(contours.scores().f1[1]),
        "predicted": 100 * (found + invented) / (found + missed),
    } | {f"{name} loss": float(loss(logits, labels)) for name, loss in JUDGES.items()}


def judge(net: nn.Module, held_out: TensorDataset) -> dict[str, float]:
    """``judged`` of what a net says of pictures in memory."""
    images, labels = held_out.tensors
    with inference(net):
        return judged(net(images)["out"], labels)


def course(loss: Loss, seed: int, training: TensorDataset, held_out: TensorDataset) -> list[dict[str, float]]:
    """``judge`` after every ``EVERY`` of ``STEPS`` steps of one run."""
    net, found = tiny(seed), []

    def look(step: int, _: Record) -> None:
        if step % EVERY == 0:
            found.append(judge(net, held_out))

    fit(net, training, replace(RECIPE, steps=STEPS, seed=seed), loss=loss, on_step=look, progress=False)
    return found


def main() -> None:
    """Run every loss with every seed and record it; some ten minutes on one core."""
    training, held_out = one_class("streets", "train", 256), one_class("streets", "val", 64)
    compared = arms(training.tensors[1])
    figures: dict[str, list[list[dict[str, float]]]] = {arm: [] for arm in compared}
    with bar(len(compared) * len(SEEDS), done=0, shown=True) as shown:
        for arm, loss in compared.items():
            for seed in SEEDS:
                figures[arm].append(course(loss, seed, training, held_out))
                shown.update()
    settings = {"seeds": SEEDS, "size": SIZE, "steps": STEPS, "every": EVERY, "recipe": RECIPE.to_dict()}
    print(record.save("rare_class", settings, figures))


if __name__ == "__main__":
    main()
