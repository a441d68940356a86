"""Losses, forward and backward, on two 512x512 images of 19 classes, against what is in use elsewhere.

Before a peer is timed its value and gradient are held against ours, where both define the same loss; a peer that
defines another is timed all the same, and its row says so. The peers are in the [bench] extra; one that is not
installed is left out. OHEM cross entropy is timed against the ways of two code bases that are no packages, BiSeNet's
and mmsegmentation's, said again here. Each way runs four times in a row, of which three count.
On a GPU the clock is the device's, and ``cpu_ms`` is what the host takes to queue a step.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import common
import torch
import torch.nn.functional as F
from torch import Tensor

from segedu.losses import (
    binary_dice_loss,
    binary_focal_loss,
    cross_entropy,
    dice_loss,
    focal_loss,
    jaccard_loss,
    lovasz_loss,
    ohem_cross_entropy,
    one_vs_rest_focal_loss,
    release_memory,
    tversky_loss,
)
from segedu.profile import peak_memory

CLASSES, VOID, VALUE_TOLERANCE, GRADIENT_TOLERANCE = 19, 255, 1e-3, 1e-2

Loss = Callable[[Tensor, Tensor], Tensor]


class Way(NamedTuple):
    """One library's loss, and ours under its definition, where there is one."""

    loss: Loss
    same: Loss | None


def scene(classes: int, device: str) -> tuple[Tensor, Tensor]:
    """Logits ``(2, classes, 512, 512)`` that lean to the truth, and labels in regions as in a real scene."""
    generator = torch.Generator().manual_seed(0)
    truth = F.interpolate(torch.randn(2, classes, 16, 16, generator=generator), size=(512, 512), mode="bilinear")
    target = truth.argmax(1) if classes > 1 else (truth[:, 0] > 0.5).long()
    logits = 2 * truth + torch.randn(truth.shape, generator=generator)
    return logits.to(device).requires_grad_(), target.to(device)


def ohem_of_the_hardest(logits: Tensor, target: Tensor) -> Tensor:
    """BiSeNet's: what is below a probability of 0.7, or the sixteenth that is hardest."""
    loss = F.cross_entropy(logits, target, ignore_index=VOID, reduction="none").flatten()
    least, limit = int((target != VOID).sum()) // 16, -torch.log(torch.tensor(0.7))
    hard = loss[loss > limit]
    return (hard if len(hard) >= least else loss.topk(least).values).mean()


def ohem_by_probability(logits: Tensor, target: Tensor) -> Tensor:
    """mmsegmentation's: the softmax, its true class, a sort for the threshold, and then the cross entropy."""
    with torch.no_grad():
        valid = target != VOID
        true_class = logits.softmax(1).gather(1, target.masked_fill(~valid, 0)[:, None])[:, 0]
        ordered = true_class[valid].sort().values
        least = ordered[min(len(ordered) // 16, len(ordered) - 1)]
        kept = valid & (true_class < torch.clamp(least, min=0.7))
    return (F.cross_entropy(logits, target, ignore_index=VOID, reduction="none") * kept).sum() / kept.sum()


def with_channel(loss: Loss) -> Loss:
    return lambda logits, target: loss(logits, target[:, None])


def as_floats(loss: Loss) -> Loss:
    return lambda logits, target: loss(logits, target[:, None].float())


def kornia(found: Any) -> dict[str, dict[str, Way]]:
    binary = partial(found.binary_focal_loss_with_logits, alpha=0.25, gamma=2.0, reduction="mean")
    focal = partial(found.focal_loss, alpha=None, gamma=2.0, reduction="mean")
    by_image = {"over": "image"}
    return {
        "dice": {"kornia": Way(partial(found.dice_loss, average="macro"), partial(dice_loss, **by_image))},
        "focal": {"kornia": Way(focal, lambda logits, target: focal_loss(logits, target) / CLASSES)},
        "tversky": {"kornia": Way(partial(found.tversky_loss, alpha=0.3, beta=0.7), partial(tversky_loss, **by_image))},
        "lovasz": {"kornia": Way(found.lovasz_softmax_loss, partial(lovasz_loss, classes="all", **by_image))},
        "binary focal": {"kornia": Way(as_floats(binary), partial(binary_focal_loss, alpha=0.25))},
    }


def monai(found: Any) -> dict[str, dict[str, Way]]:
    softmax = {"softmax": True, "to_onehot_y": True}
    focal = found.FocalLoss(use_softmax=True, to_onehot_y=True)
    by_image = {"over": "image", "classes": "all"}
    return {
        "dice": {"monai": Way(with_channel(found.DiceLoss(**softmax)), partial(dice_loss, **by_image))},
        "focal": {"monai": Way(with_channel(focal), lambda logits, target: focal_loss(logits, target) / CLASSES)},
        "jaccard": {
            "monai": Way(with_channel(found.DiceLoss(jaccard=True, **softmax)), partial(jaccard_loss, **by_image))
        },
        "tversky": {
            "monai": Way(
                with_channel(found.TverskyLoss(alpha=0.3, beta=0.7, **softmax)), partial(tversky_loss, **by_image)
            )
        },
        "binary focal": {"monai": Way(as_floats(found.FocalLoss(alpha=0.25)), partial(binary_focal_loss, alpha=0.25))},
        "binary dice": {"monai": Way(as_floats(found.DiceLoss(sigmoid=True)), partial(binary_dice_loss, over="image"))},
    }


def smp(found: Any) -> dict[str, dict[str, Way]]:
    binary = found.FocalLoss("binary", alpha=0.25)
    return {
        "dice": {"smp": Way(found.DiceLoss("multiclass"), dice_loss)},
        "one-vs-rest focal": {"smp": Way(found.FocalLoss("multiclass"), one_vs_rest_focal_loss)},
        "focal": {"smp": Way(found.FocalLoss("multiclass"), None)},
        "jaccard": {"smp": Way(found.JaccardLoss("multiclass"), jaccard_loss)},
        "tversky": {"smp": Way(found.TverskyLoss("multiclass", alpha=0.3, beta=0.7), tversky_loss)},
        "lovasz": {"smp": Way(found.LovaszLoss("multiclass"), lovasz_loss)},
        "binary focal": {"smp": Way(as_floats(binary), partial(binary_focal_loss, alpha=0.25))},
        "binary dice": {"smp": Way(with_channel(found.DiceLoss("binary")), binary_dice_loss)},
    }


def toolbelt(found: Any) -> dict[str, dict[str, Way]]:
    return {
        "dice": {"toolbelt": Way(found.DiceLoss("multiclass"), dice_loss)},
        "focal": {"toolbelt": Way(found.CrossEntropyFocalLoss(), None)},
        "jaccard": {"toolbelt": Way(found.JaccardLoss("multiclass"), jaccard_loss)},
    }


def torchvision(found: Any) -> dict[str, dict[str, Way]]:
    focal = partial(found.sigmoid_focal_loss, reduction="mean")
    return {"binary focal": {"torchvision": Way(as_floats(focal), partial(binary_focal_loss, alpha=0.25))}}


OURS: dict[str, Loss] = {
    "cross entropy": cross_entropy,
    "dice": dice_loss,
    "focal": focal_loss,
    "one-vs-rest focal": one_vs_rest_focal_loss,
    "jaccard": jaccard_loss,
    "tversky": tversky_loss,
    "lovasz": lovasz_loss,
    "ohem": ohem_cross_entropy,
    "binary focal": partial(binary_focal_loss, alpha=0.25),
    "binary dice": binary_dice_loss,
}

PEERS: dict[str, Callable[[Any], dict[str, dict[str, Way]]]] = {
    "kornia.losses": kornia,
    "monai.losses": monai,
    "segmentation_models_pytorch.losses": smp,
    "pytorch_toolbelt.losses": toolbelt,
    "torchvision.ops": torchvision,
}


def contest() -> dict[str, dict[str, Way]]:
    """For each loss the ways to compute it, ours first."""
    found = {name: {"segedu": Way(loss, loss)} for name, loss in OURS.items()}
    found["cross entropy"]["torch"] = Way(partial(F.cross_entropy, ignore_index=VOID), cross_entropy)
    found["ohem"]["as in BiSeNet"] = Way(ohem_of_the_hardest, ohem_cross_entropy)
    found["ohem"]["as in mmsegmentation"] = Way(ohem_by_probability, ohem_cross_entropy)
    for module, ways in PEERS.items():
        try:
            library = import_module(module)
        except ModuleNotFoundError as missing:
            print(f"{module} is left out: {missing}")
            continue
        for name, more in ways(library).items():
            found[name] |= more
    return found


def steps(loss: Loss, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Value and gradient, as a step of training has them computed."""
    logits.grad = None
    value = loss(logits, target)
    value.backward()
    assert logits.grad is not None
    return value.detach(), logits.grad


def require_agreement(name: str, library: str, way: Way, logits: Tensor, target: Tensor) -> None:
    """Stop before timing ways that do not compute the same."""
    if way.same is None:
        return
    value, gradient = steps(way.loss, logits, target)
    ours, our_gradient = steps(way.same, logits, target)
    error = float((gradient - our_gradient).norm() / our_gradient.norm())
    if abs(float(value - ours)) > VALUE_TOLERANCE * abs(float(ours)) or error > GRADIENT_TOLERANCE:
        raise SystemExit(
            f"{name}: {library} says {float(value):.6g}, segedu {float(ours):.6g}; the gradients differ by {error:.2g}"
        )


def peak(run: Callable[[], Any], logits: Tensor) -> float:
    """The memory of a first step in MiB: neither a gradient of the step before, nor its memory, is there yet."""
    logits.grad = None
    release_memory()
    return peak_memory(run, logits.device) / 2**20


def by_the_device_clock(functions: Mapping[str, Callable[[], Any]], repeats: int = 31) -> dict[str, common.Timing]:
    """``common.interleaved`` by CUDA's events: the time that a step takes there, beside the host's for queuing it."""
    taken: dict[str, list[common.Timing]] = {name: [] for name in functions}
    for _ in range(repeats + 3):
        for name, function in functions.items():
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            begun = time.perf_counter()
            first.record()
            function()
            last.record()
            queued = time.perf_counter() - begun
            last.synchronize()
            taken[name].append(common.Timing(first.elapsed_time(last) / 1e3, queued))
    return {name: common.Timing(*map(statistics.median, zip(*rows[3:], strict=True))) for name, rows in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(OURS), default=list(OURS), help="the losses to measure")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], help="how many to measure with, in turn")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where to measure")
    parser.add_argument("--json", type=Path, help="write the table here")
    arguments = parser.parse_args()
    losses, rows, on_cpu = contest(), [], arguments.device == "cpu"
    for name in arguments.only:
        logits, target = scene(1 if name.startswith("binary") else CLASSES, arguments.device)
        runs = {library: partial(steps, way.loss, logits, target) for library, way in losses[name].items()}
        for library, way in losses[name].items():
            require_agreement(name, library, way, logits, target)
        for threads in arguments.threads if on_cpu else [1]:
            torch.set_num_threads(threads)
            peaks = {library: peak(run, logits) for library, run in runs.items()}
            times = common.interleaved(runs, repeats=5, warm_up=1, in_a_row=4) if on_cpu else by_the_device_clock(runs)
            for library, taken in times.items():
                rows.append(
                    {
                        "loss": name,
                        "threads": threads,
                        "way": library,
                        "same": "yes" if losses[name][library].same else "no",
                        "wall_ms": round(1e3 * taken.wall, 3),
                        "cpu_ms": round(1e3 * taken.cpu, 3),
                        "wall_ratio_to_segedu": round(taken.wall / times["segedu"].wall, 2),
                        "cpu_ratio_to_segedu": round(taken.cpu / times["segedu"].cpu, 2),
                        "peak_mib": round(peaks[library], 1),
                    }
                )
    print(common.table(rows))
    if arguments.json:
        common.write(arguments.json, rows)


if __name__ == "__main__":
    main()
