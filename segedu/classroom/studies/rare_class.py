"""What each loss does to a class that is one pixel in a hundred (lesson 07, claims L1, L2, L4, L5 and L6).

Small nets learn to tell poles from all else on painted streets. Every loss has nets of its own, which start from the
same numbers and see the same pictures in the same order, and all nets are judged by all losses and scores alike.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

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
from segedu.train import Recipe, Record, fit
from segedu.train.objective import Loss
from segedu.train.progress import bar

SIZE = (64, 96)
POLE = data.Streets.classes.index("Pole")  # 1.2 % of the pixels; in CamVid the same index, and 1.0 %
SEEDS = (0, 1, 2)
STEPS, EVERY = 640, 80
RECIPE = Recipe(batch_size=4, lr=0.01, optimizer="adamw", channels_last=True)
JUDGES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross entropy": losses.cross_entropy,
    "focal": losses.focal_loss,
    "Dice": losses.dice_loss,
    "Jaccard": losses.jaccard_loss,
    "Lovász": losses.lovasz_loss,
}


def arms(labels: Tensor) -> dict[str, Loss]:
    """The losses that are compared, by name; the weights are those of the two classes in ``labels``."""
    pixels = labels[labels != 255].bincount(minlength=2)
    return {
        "cross entropy": losses.CrossEntropy(),
        "weighted": losses.CrossEntropy(weight=losses.inverse_frequency_weights(pixels)),
        "focal": losses.FocalLoss(gamma=2),
        "Dice": losses.DiceLoss(),
        "CE + Dice": losses.WeightedSum({"ce": (1, losses.CrossEntropy()), "dice": (1, losses.DiceLoss())}),
        "Lovász": losses.LovaszLoss(),
    }


def one_class(name: str, split: str, count: int, index: int = POLE) -> TensorDataset:
    """The first pictures of a data set, with the labels 1 on class ``index``, 0 on all others, and void as it was."""
    images, labels = _pictures(name, split, count).tensors
    return TensorDataset(images, torch.where(labels == 255, labels, (labels == index).long()))


def tiny(seed: int) -> nn.Module:
    """12 thousand parameters: three stages of one convolution, and the whole maps kept for the way back."""
    torch.manual_seed(seed)
    return SegNet(2, WAYS_BACK["full skip"], widths=(8, 16, 32), depths=(1, 1, 1))


def learnt(
    loss: Loss, seed: int, training: TensorDataset, steps: int, look: Callable[[nn.Module], object] | None = None
) -> nn.Module:
    """A tiny net trained with ``loss``; ``look`` is shown it after every ``EVERY`` steps."""
    net = tiny(seed)

    def on_step(step: int, _: Record) -> None:
        if look is not None and step % EVERY == 0:
            look(net)

    fit(net, training, replace(RECIPE, steps=steps, seed=seed), loss=loss, on_step=on_step, progress=False)
    return net


def logits_of(net: nn.Module, held_out: TensorDataset) -> Tensor:
    """``(N, 2, H, W)`` for pictures in memory."""
    with inference(net):
        out: Tensor = net(held_out.tensors[0])["out"]
    return out


def judged(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """What the scores and the losses say of ``(N, 2, H, W)`` logits; the scores are those of class 1, in per cent.

    ``predicted`` is how much of class 1 is predicted, in per cent of what there is; a precision of nothing is 0.
    ``best IoU`` is the largest that a cut of the probabilities, chosen on these very pictures, could have.
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
        "best IoU": 100 * float(iou_by_cut(logits, labels).max()),
        "boundary F1": 100 * float(contours.scores().f1[1]),
        "predicted": 100 * (found + invented) / (found + missed),
    } | {f"{name} loss": float(loss(logits, labels)) for name, loss in JUDGES.items()}


def iou_by_cut(logits: Tensor, labels: Tensor, cuts: int = 400) -> Tensor:
    """IoU of class 1 when pixels from probability ``i / cuts`` on are called, ``(cuts,)``."""
    valid = labels != 255
    level = (logits.softmax(1)[:, 1][valid] * cuts).long().clamp(max=cuts - 1)
    true = labels[valid]
    hits, called = (level.bincount(weight, cuts).flip(0).cumsum(0).flip(0) for weight in (true.double(), None))
    return hits / (called + true.sum() - hits)


def course(loss: Loss, seed: int, training: TensorDataset, held_out: TensorDataset) -> list[dict[str, float]]:
    """What a net is judged to be after every ``EVERY`` of ``STEPS`` steps."""
    found: list[dict[str, float]] = []
    learnt(loss, seed, training, STEPS, lambda net: found.append(judged(logits_of(net, held_out), held_out.tensors[1])))
    return found


@cache
def _pictures(name: str, split: str, count: int) -> TensorDataset:
    return pictures(name, split, count, SIZE)


SETTINGS = {"seeds": SEEDS, "size": SIZE, "steps": STEPS, "every": EVERY, "recipe": RECIPE.to_dict()}


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
    print(record.save("rare_class", SETTINGS, figures))


if __name__ == "__main__":
    main()
