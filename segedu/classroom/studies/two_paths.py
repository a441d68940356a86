"""What each part of a BiSeNet brings, and what a smaller picture costs (lesson 06, claims B1, B2, B3 and B5).

Small nets learn painted streets, whole or with one part taken out, replaced or joined in another way; and whole ones
learn the same streets made smaller. All are judged at the full size, and on labels that are reduced as the paper's code
reduces them.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from segedu import data
from segedu.classroom.studies import record
from segedu.classroom.studies.path_arms import ARMS, CLASSES
from segedu.classroom.trial import pictures, score_logits
from segedu.inference import inference
from segedu.metrics import ConfusionMatrix
from segedu.models.bisenet import BiSeNet
from segedu.models.resnet import RESNETS
from segedu.train import Recipe, fit
from segedu.train.progress import bar

SIZE = (96, 128)
SCALES = (1.0, 0.75, 0.5, 0.25)
LEARNT_AT = (1.0, 0.5, 0.25)
SEEDS = (0, 1, 2)
MODULES = (
    "whole",
    "attention without gate",
    "fusion without gate",
    "fusion by sum",
    "no global context",
    "no mean of the whole",
)
MORE_SEEDS = (4, 5, 6)
"""For the arms of `MODULES`, whose differences are the smallest."""
STEPS = 320
RECIPE = Recipe(batch_size=8, lr=0.03, optimizer="adamw", channels_last=True, aux_weight=1.0)
"""The rate is the best of 0.003, 0.01 and 0.03 for the mean IoU of three arms together (whole, and either path alone)
after 160 steps with seed 3; it is the largest of them."""
WIDTH = 16


def net_of(arm: str) -> BiSeNet:
    """The small net of ``arm``: an eighth of ResNet-18 and of BiSeNet's widths."""
    return ARMS[arm](RESNETS["resnet_mini"], WIDTH)


def scaled(images: Tensor, scale: float) -> Tensor:
    """``(N, 3, H, W)`` made smaller, each pixel the mean of what it covers."""
    if scale == 1:
        return images
    size = [round(scale * side) for side in images.shape[-2:]]
    return F.interpolate(images, size, mode="bilinear", antialias=True)


def learnt(arm: str, seed: int, training: TensorDataset, steps: int, scale: float = 1.0) -> BiSeNet:
    """The net of ``arm``, trained on pictures and labels made smaller by ``scale``."""
    torch.manual_seed(seed)
    net = net_of(arm)
    images, labels = training.tensors
    images = scaled(images, scale)
    labels = F.interpolate(labels[:, None].float(), images.shape[-2:], mode="nearest-exact")[:, 0].long()
    fit(net, TensorDataset(images, labels), replace(RECIPE, steps=steps, seed=seed), progress=False)
    return net


def judged(net: nn.Module, held_out: TensorDataset, scale: float = 1.0) -> dict[str, float]:
    """Per cent at the full size, for pictures given at ``scale``: mean IoU, boundary F1, and the IoU of each class."""
    images, labels = held_out.tensors
    with inference(net):
        logits = net(scaled(images, scale))["out"]
    if scale != 1:
        logits = F.interpolate(logits, labels.shape[-2:], mode="bilinear")
    counts = ConfusionMatrix(CLASSES, device=logits.device)
    counts.update(logits, labels)
    by_class = zip(data.Streets.classes, (100 * counts.scores().iou).tolist(), strict=True)
    return {**score_logits(logits, labels)._asdict(), **dict(by_class)}


def judged_at_an_eighth(net: BiSeNet, held_out: TensorDataset) -> float:
    """Mean IoU in per cent of the scores at 1/8 on labels reduced to that size: every eighth, where the cells lie."""
    images, labels = held_out.tensors
    counts = ConfusionMatrix(CLASSES, device=images.device)
    with inference(net):
        counts.update(net.scores(images)["out"], labels[:, ::8, ::8])
    return 100 * counts.scores().mean_iou


SETTINGS = {
    "seeds": SEEDS,
    "more_seeds": MORE_SEEDS,
    "size": SIZE,
    "scales": SCALES,
    "learnt_at": LEARNT_AT,
    "steps": STEPS,
    "width": WIDTH,
    "recipe": RECIPE.to_dict(),
}


def main() -> None:
    """Train every arm, and whole nets at every scale, with every seed and record it; half an hour on one core."""
    training, held_out = pictures("streets", "train", 256, SIZE), pictures("streets", "val", 48, SIZE)
    arms: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    at_scales: dict[str, list[dict[str, dict[str, float]]]] = {str(scale): [] for scale in LEARNT_AT}
    more: dict[str, list[dict[str, float]]] = {arm: [] for arm in MODULES}
    runs = (len(ARMS) + len(LEARNT_AT) - 1) * len(SEEDS) + len(MODULES) * len(MORE_SEEDS)
    with bar(runs, done=0, shown=True) as shown:
        for seed in SEEDS:
            for arm in ARMS:
                net = learnt(arm, seed, training, STEPS)
                eighth = {"mean IoU at 1/8": judged_at_an_eighth(net, held_out)}
                arms[arm].append(judged(net, held_out) | eighth)
                if arm == "whole":
                    at_scales["1.0"].append({str(scale): judged(net, held_out, scale) for scale in SCALES})
                shown.update()
            for scale in LEARNT_AT[1:]:
                net = learnt("whole", seed, training, STEPS, scale)
                at_scales[str(scale)].append({str(scale): judged(net, held_out, scale)})
                shown.update()
        for seed in MORE_SEEDS:
            for arm in MODULES:
                more[arm].append(judged(learnt(arm, seed, training, STEPS), held_out))
                shown.update()
    print(record.save("two_paths", SETTINGS, {"arms": arms, "scales": at_scales, "more": more}))


if __name__ == "__main__":
    main()
