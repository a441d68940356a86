"""Every network of the course on the same scenes, with the same steps, loss and seeds (lesson 08).

Small forms of nine networks, of 0.1 to 0.3 million parameters, learn from random weights. Only the learning rate is a
network's own: the best of ``RATES`` for it, found on painted streets with a seed that is not used afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.data import TensorDataset

from segedu import data, losses, models
from segedu.classroom.studies import output_strides, record
from segedu.classroom.studies.two_paths import judged
from segedu.classroom.trial import pictures
from segedu.train import Recipe, fit
from segedu.train.progress import bar

CLASSES = len(data.Streets.classes)
SIZE = (96, 128)
DATA = ("streets", "camvid")
SEEDS = (0, 1, 2)
STEPS = {"streets": 200, "camvid": 120}
TRIAL_SEED, TRIAL_STEPS, RATES = 3, 60, (0.003, 0.01, 0.03)
RECIPE = Recipe(batch_size=8, optimizer="adamw", channels_last=True, aux_weight=1.0)


@dataclass(frozen=True)
class Contestant:
    """A network in two sizes: ``small()`` is trained, ``published()`` is as in the paper, to be counted."""

    small: Callable[[], nn.Module]
    published: Callable[[], nn.Module]


def _of_one_name(name: str, small: dict[str, Any], published: dict[str, Any]) -> Contestant:
    return Contestant(*(partial(models.create, name, CLASSES, **options) for options in (small, published)))


def _deeplab_v3(output_stride: int) -> Contestant:
    return Contestant(
        partial(output_strides.net_at, output_stride),
        partial(models.create, "deeplabv3", CLASSES, backbone="resnet101", output_stride=output_stride),
    )


_VGG = {"backbone": "vgg_mini"}, {"backbone": "vgg16"}
NETS = {
    "FCN-32s": _of_one_name("fcn32s", *_VGG),
    "FCN-16s": _of_one_name("fcn16s", *_VGG),
    "FCN-8s": _of_one_name("fcn8s", *_VGG),
    "U-Net": _of_one_name("unet", {"width": 6}, {}),
    "SegNet": _of_one_name("segnet", {"widths": (8, 16, 32, 64, 64), "depths": (1,) * 5}, {}),
    "DeepLab v1": _of_one_name("deeplabv1", {"backbone": "vgg_mini", "rate": 4}, {}),
    "DeepLab v3, stride 16": _deeplab_v3(16),
    "DeepLab v3, stride 8": _deeplab_v3(8),
    "BiSeNet": _of_one_name("bisenet", {"backbone": "resnet_mini"}, {"backbone": "resnet18"}),
}


TAGS = dict(zip(NETS, ("32s", "16s", "8s", "U-Net", "SegNet", "v1", "v3/16", "v3/8", "BiSeNet"), strict=True))
"""Short names, for pictures."""


def carried(net: nn.Module) -> int:
    """The parameters that a user of ``net`` carries home: auxiliary heads are for training alone."""
    return sum(values.numel() for name, values in net.named_parameters() if "aux" not in name)


def weighed(training: TensorDataset) -> tuple[float, ...]:
    """A weight for each class: the root of what would give every class the same say, so that rare ones are learnt."""
    labels = training.tensors[1]
    pixels = labels[labels != 255].bincount(minlength=CLASSES)
    return tuple(losses.inverse_frequency_weights(pixels).sqrt().tolist())


def learnt(name: str, seed: int, training: TensorDataset, steps: int, lr: float) -> nn.Module:
    """The small net called ``name``, trained; of one seed all networks see the same pictures in the same order."""
    torch.manual_seed(seed)
    net = NETS[name].small().to(training.tensors[0].device)
    recipe = replace(RECIPE, steps=steps, lr=lr, seed=seed, class_weights=weighed(training))
    fit(net, training, recipe, progress=False)
    return net


def scenes(name: str) -> tuple[TensorDataset, TensorDataset]:
    """256 pictures to learn from and 64 to be judged by."""
    return pictures(name, "train", 256, SIZE), pictures(name, "val", 64, SIZE)


SETTINGS = {
    "seeds": SEEDS,
    "size": SIZE,
    "steps": STEPS,
    "trial": {"seed": TRIAL_SEED, "steps": TRIAL_STEPS, "rates": RATES},
    "recipe": RECIPE.to_dict(),
}


def main() -> None:
    """Find each net's rate, then train it with every seed on each data set that is here; 17 minutes on one core."""
    there = [name for name in DATA if data.available(name)]
    trials: dict[str, dict[str, float]] = {name: {} for name in NETS}
    scores: dict[str, dict[str, list[dict[str, float]]]] = {}
    with bar(len(NETS) * (len(RATES) + len(there) * len(SEEDS)), done=0, shown=True) as shown:
        training, held_out = scenes("streets")
        for name, tried in trials.items():
            for lr in RATES:
                net = learnt(name, TRIAL_SEED, training, TRIAL_STEPS, lr)
                tried[str(lr)] = judged(net, held_out)["mean_iou"]
                shown.update()
        rates = {name: float(max(tried, key=tried.__getitem__)) for name, tried in trials.items()}
        for source in there:
            training, held_out = scenes(source)
            scores[source] = {name: [] for name in NETS}
            for seed in SEEDS:
                for name, runs in scores[source].items():
                    runs.append(judged(learnt(name, seed, training, STEPS[source], rates[name]), held_out))
                    shown.update()
            print(record.save("shootout", SETTINGS, {"trials": trials, "rates": rates, "scores": scores}))


if __name__ == "__main__":
    main()
