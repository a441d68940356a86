"""What networks say of classes that they were never taught, on painted streets and on photographs (lesson 09).

Small nets learn road scenes in which two classes are void. Then they are shown those classes, and every score of
`segedu.ood` ranks what it sees: the share of pairs that it orders rightly, its average precision, and its false alarms.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from segedu import data, models, ood
from segedu.classroom.studies import record
from segedu.classroom.trial import pictures
from segedu.inference import inference
from segedu.layers.way_back import WAYS_BACK
from segedu.metrics import ConfusionMatrix, Ranking
from segedu.metrics.bands import compact, corners, within
from segedu.train import Recipe, fit
from segedu.train.progress import bar

SIZE = (96, 128)
CLASSES = data.CAMVID.classes
HELD_OUT = ("Car", "Bicyclist")
SETS = ("streets", "camvid")
SEEDS = (0, 1, 2)
STEPS, EARLY = 300, 75
RECIPE = Recipe(batch_size=4, optimizer="adamw", channels_last=True)
SCORES = ("max softmax", "max logit", "entropy", "energy")
BORDER = 2  # pixels to each side of an outline

NETS: Mapping[str, tuple[Callable[[], nn.Module], float]] = {
    "FCN-8s": (lambda: models.create("fcn8s", len(CLASSES), backbone="vgg_mini"), 0.004),
    "SegNet": (
        lambda: models.SegNet(len(CLASSES), WAYS_BACK["full skip"], widths=(16, 32, 64, 64), depths=(1, 1, 1, 1)),
        0.01,
    ),
}
"""Each with its rate of learning, those of lessons 01 and 03."""

Ranks = dict[str, float]


def index(name: str) -> int:
    """The number of a class."""
    return CLASSES.index(name)


def taught(labels: Tensor) -> Tensor:
    """The labels without the held-out classes, which become void: same shape."""
    return labels.masked_fill(torch.isin(labels, labels.new_tensor([index(name) for name in HELD_OUT])), 255)


def learnt(
    net: str, seed: int, training: TensorDataset, steps: int, look: Callable[[nn.Module], object] | None = None
) -> nn.Module:
    """A small net trained without the held-out classes; ``look`` is shown it after ``EARLY`` steps."""
    build, rate = NETS[net]
    torch.manual_seed(seed)
    model = build()
    images, labels = training.tensors

    def on_step(step: int, _: object) -> None:
        if look is not None and step == EARLY:
            look(model)

    recipe = replace(RECIPE, lr=rate, steps=steps, seed=seed)
    fit(model, TensorDataset(images, taught(labels)), recipe, on_step=on_step, progress=False)
    return model


def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """``(N, K, H, W)`` for ``(N, 3, H, W)``; the model's mode is put back."""
    with inference(model):
        out: Tensor = model(images)["out"]
    return out


def scores_of(logits: Tensor) -> dict[str, Tensor]:
    """The four scores by name, ``(N, K, H, W) -> (N, H, W)`` each."""
    return dict(zip(SCORES, ood.ood_scores(logits), strict=True))


def target_of(labels: Tensor, unknown: Tensor) -> Tensor:
    """1 where ``unknown``, 0 on the taught classes, 255 elsewhere: ``(N, H, W)`` int64."""
    known = taught(labels) != 255
    return torch.where(unknown, 1, torch.where(known, 0, 255))


def on_border(labels: Tensor, width: int = BORDER) -> Tensor:
    """Pixels with another label, void or not, in the square of ``2 width + 1`` around them: ``(N, H, W)`` bool."""
    changes = corners({1: compact(labels, len(CLASSES)), 2: labels == 255})
    return within(changes, width) != 0


def ranks(score: Tensor, target: Tensor) -> Ranks:
    """How well a score ranks the unknown: AUROC, average precision and the false alarms at 95 % found."""
    ranking = Ranking(device=score.device)
    ranking.update(score, target)
    kept = ranking.scores()
    return {"auroc": kept.auroc, "ap": kept.average_precision, "fpr95": kept.fpr_at_95_tpr}


def called(logits: Tensor, where: Tensor) -> dict[str, float]:
    """The share of the pixels ``where`` that gets each class's name, the most frequent first."""
    shares = logits.argmax(1)[where].bincount(minlength=len(CLASSES)) / where.sum()
    order = shares.argsort(descending=True, stable=True).tolist()
    return {CLASSES[k]: float(shares[k]) for k in order if shares[k] > 0}


def taught_iou(logits: Tensor, labels: Tensor) -> float:
    """Mean IoU of the classes that were taught, in per cent, on their own pixels."""
    counts = ConfusionMatrix(len(CLASSES), device=logits.device)
    counts.update(logits, taught(labels))
    iou = torch.as_tensor(counts.scores().iou)
    return 100 * float(iou[[k for k, name in enumerate(CLASSES) if name not in HELD_OUT]].nanmean())


def judged(model: nn.Module, held_out: TensorDataset) -> dict[str, object]:
    """What each score makes of each held-out class, with borders and without, and by what names the class goes."""
    images, labels = held_out.tensors
    logits = logits_of(model, images)
    scores, border = scores_of(logits), on_border(labels)
    found: dict[str, object] = {"mean_iou": taught_iou(logits, labels)}
    for name in HELD_OUT:
        unknown = labels == index(name)
        target = target_of(labels, unknown)
        inside = target.masked_fill(border & (target == 0), 255)
        found[name] = {
            "share": float(unknown.sum() / (target != 255).sum()),
            "called": called(logits, unknown),
            "ranks": {title: ranks(score, target) for title, score in scores.items()},
            "away from borders": {title: ranks(score, inside) for title, score in scores.items()},
        }
    return found


def run(net: str, seed: int, training: TensorDataset, held_out: TensorDataset) -> dict[str, object]:
    """What is said of a net after ``EARLY`` steps and after all of them."""
    early: list[dict[str, object]] = []
    model = learnt(net, seed, training, STEPS, lambda one: early.append(judged(one, held_out)))
    return {"early": early[0], "late": judged(model, held_out)}


SETTINGS = {
    "held_out": HELD_OUT,
    "seeds": SEEDS,
    "size": SIZE,
    "steps": STEPS,
    "early": EARLY,
    "border": BORDER,
    "recipe": RECIPE.to_dict(),
    "rates": {net: rate for net, (_, rate) in NETS.items()},
}


def main() -> None:
    """Train every net on both sets with every seed and record it; ten minutes on one core, CamVid has to be there."""
    figures: dict[str, dict[str, list[dict[str, object]]]] = {name: {net: [] for net in NETS} for name in SETS}
    with bar(len(SETS) * len(NETS) * len(SEEDS), done=0, shown=True) as shown:
        for name in SETS:
            training, held_out = pictures(name, "train", 256, SIZE), pictures(name, "val", 64, SIZE)
            for net in NETS:
                for seed in SEEDS:
                    figures[name][net].append(run(net, seed, training, held_out))
                    shown.update()
    print(record.save("never_taught", SETTINGS, figures))


if __name__ == "__main__":
    main()
