"""Is it the skips or the bending that lets U-Net learn from few pictures? (lesson 02, claim U3)

Small U-Nets learn painted cells from 1, 2, 4, 8 or 30 pictures, with and without skips, with and without elastic
deformation, for a short and for a long time. Each seed has pictures of its own, all are tested on the same strips.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset

from segedu.classroom.studies import record
from segedu.classroom.trial import pictures
from segedu.data import ElasticDeformation, Held
from segedu.inference import inference
from segedu.metrics import ConfusionMatrix
from segedu.models.unet import UNet
from segedu.train import Recipe, fit
from segedu.train.objective import Loss
from segedu.train.progress import bar

SIZE = (96, 32)
COUNTS = (1, 2, 4, 8, 30)
SEEDS = (0, 1, 2)
STEPS = (20, 200)
ARMS = {
    "skips, bent": (True, True),
    "skips": (True, False),
    "none, bent": (False, True),
    "none": (False, False),
}
BEND = ElasticDeformation(grid=3, sigma=3.0)  # pixels; the cells are about 22 wide
RECIPE = Recipe(batch_size=2, lr=6e-3, optimizer="adamw", channels_last=True)


class WithoutSkips(nn.Module):
    """A U-Net whose copies are held at zero, in training and after: ``{"out": (N, K, H, W)}`` from the bottom alone."""

    def __init__(self, net: UNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        *skips, bottom = self.net.encode(images)
        return {"out": self.net.decode([*map(torch.zeros_like, skips), bottom])}


def learnt(data: Dataset[Any], recipe: Recipe, *, skips: bool = True, loss: Loss | None = None) -> nn.Module:
    """A U-Net of an eighth of the usual width, trained on ``data``: ``recipe.seed`` decides its start and its order."""
    torch.manual_seed(recipe.seed)
    whole = UNet(num_classes=2, width=8)
    net = whole if skips else WithoutSkips(whole)
    fit(net, data, recipe, loss=loss, progress=False)
    return net


def few(count: int, seed: int, bend: bool) -> Dataset[Any]:
    """The first ``count`` of the 30 pictures that belong to ``seed``, bent anew whenever they are asked for or not."""
    chosen = slice(COUNTS[-1] * seed, COUNTS[-1] * seed + count)
    images, labels = (part[chosen] for part in _pictures("train", COUNTS[-1] * len(SEEDS)).tensors)
    return Held(images, labels, BEND) if bend else TensorDataset(images, labels)


def mean_iou(net: nn.Module) -> float:
    """In per cent, on 200 strips that no net has seen."""
    images, labels = _pictures("val", 200).tensors
    counts = ConfusionMatrix(2, device=images.device)
    with inference(net):
        counts.update(net(images)["out"], labels)
    return 100 * counts.scores().mean_iou


def grid(
    steps: int, counts: Sequence[int] = COUNTS, seeds: Sequence[int] = SEEDS, progress: bool = False
) -> dict[str, list[list[float]]]:
    """Mean IoU of each arm, ``{arm: seed x count}``, after ``steps`` steps of two pictures each."""
    results: dict[str, list[list[float]]] = {arm: [] for arm in ARMS}
    with bar(len(ARMS) * len(seeds) * len(counts), done=0, shown=progress) as shown:
        for arm, (skips, bend) in ARMS.items():
            for seed in seeds:
                recipe = replace(RECIPE, steps=steps, seed=seed)
                row = []
                for count in counts:
                    row.append(mean_iou(learnt(few(count, seed, bend), recipe, skips=skips)))
                    shown.update()
                results[arm].append(row)
    return results


@cache
def _pictures(split: str, count: int) -> TensorDataset:
    return pictures("cells", split, count, SIZE)


SETTINGS = {"counts": COUNTS, "seeds": SEEDS, "size": SIZE, "recipe": RECIPE.to_dict()}


def main() -> None:
    """Run the whole grid and record it; some ten minutes on one core."""
    figures = {str(steps): grid(steps, progress=True) for steps in STEPS}
    print(record.save("few_pictures", SETTINGS, figures))


if __name__ == "__main__":
    main()
