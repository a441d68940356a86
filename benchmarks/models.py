"""What every model of the course costs, beside its reference, and what `optimize_for_inference` gains.

The ways of a task are run in turn, and ``speed`` is how many times as fast as the first of them each is, at the most
threads. ``images_s`` are those of batches of 4. A training step is cross entropy on two images, forward and backward.
Peaks are the bytes allocated beside the parameters, in the inference of one image and in that step. The tasks called
optimised, at 512x1024, are inference alone, at the most threads; ``deviation`` is the largest distance between the
scores of a way and those of our own eager model, on random weights and as a share of the largest score, and ``changed``
the share of pixels that get another label.

torchvision's ``deeplabv3_resnet50`` and ``fcn_resnet50`` are the networks that ours are too: before they are timed,
ours with their weights must give their scores. segmentation-models-pytorch's DeepLabV3 over ResNet-50 at output stride
16 stands beside ours as its nearest relative: it has one more 3x3 convolution after the pyramid and no multi-grid. Its
Unet is not compared: what has that name there has a classifier for an encoder and interpolates on the way up. For the
others no package has the network. smp is in the [bench] extra and left out where it is not installed.
"""

import argparse
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import common
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import segmentation

from segedu.inference import inference, outputs_of
from segedu.mode import mode
from segedu.models import ARCHITECTURES, create
from segedu.profile import macs, optimize_for_inference, parameters, peak_memory

CLASSES, BATCH, STEP_BATCH, REPEATS = 19, 4, 2, 3
STREET = (512, 1024)
HEADS = ("task", "image", "way", "parameters", "gmac", "ms_1_thread", "ms_2_threads", "speed", "images_s", "peak_mib")
HEADS += ("step_ms", "step_peak_mib", "deviation", "changed", "applied")


class Task(NamedTuple):
    """Ways to build a network; ``same`` if all of them compute the same numbers."""

    ways: dict[str, Callable[[], nn.Module]]
    same: bool = False


def torchvision(name: str) -> nn.Module:
    """Without its auxiliary head, which it would pass in inference too."""
    build: Callable[..., nn.Module] = getattr(segmentation, name)
    return build(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=False)


def smp_deeplabv3() -> nn.Module:
    library = import_module("segmentation_models_pytorch")
    model: nn.Module = library.DeepLabV3("resnet50", encoder_weights=None, encoder_output_stride=16, classes=CLASSES)
    return model


TASKS = {
    **{name: Task({"segedu": partial(create, name, CLASSES)}) for name in ARCHITECTURES},
    "bisenet, xception39": Task({"segedu": partial(create, "bisenet", CLASSES, "xception39")}),
    "deeplabv3": Task({"smp": smp_deeplabv3, "segedu": partial(create, "deeplabv3", CLASSES)}),
    **{
        ours: Task(
            {"torchvision": partial(torchvision, theirs), "segedu": partial(create, ours, CLASSES, aux=False)},
            same=True,
        )
        for ours, theirs in (("deeplabv3_torchvision", "deeplabv3_resnet50"), ("fcn_torchvision", "fcn_resnet50"))
    },
}
OPTIMISED = {f"{name}, optimised": TASKS[name] for name in ("deeplabv3_torchvision", "bisenet")}


def built(task: Task, device: str) -> dict[str, nn.Module]:
    """The models of those ways that are installed, with the same weights where they are the same."""
    models = {
        way: build().to(device).eval()
        for way, build in task.ways.items()
        if way != "smp" or find_spec("segmentation_models_pytorch")
    }
    if task.same:
        first, *others = models.values()
        images = torch.randn(1, 3, 65, 97, device=device)
        for other in others:
            other.load_state_dict(first.state_dict())
            torch.testing.assert_close(scores(other, images), scores(first, images))
    return models


def scores(model: nn.Module, images: Tensor) -> Tensor:
    with inference(model):
        return outputs_of(model, images)["out"]


def step(model: nn.Module, images: Tensor) -> None:
    """Forward and backward; the optimiser's own part is the same for all."""
    with mode(model, training=True):
        losses = [
            F.cross_entropy(out, torch.zeros(len(out), *out.shape[-2:], dtype=torch.long, device=out.device))
            for out in outputs_of(model, images).values()
        ]
        torch.stack(losses).sum().backward()
    model.zero_grad()


def latencies(models: dict[str, nn.Module], images: Tensor, threads: list[int]) -> list[dict[str, float]]:
    """Milliseconds of an inference of each way, at each number of threads."""
    found = []
    for count in threads:
        torch.set_num_threads(count)
        times = common.interleaved({way: partial(scores, m, images) for way, m in models.items()}, REPEATS, warm_up=1)
        found.append({way: round(1e3 * timing.wall, 1) for way, timing in times.items()})
    return found


def rows_of(name: str, models: dict[str, nn.Module], images: Tensor, threads: list[int]) -> dict[str, dict[str, Any]]:
    """What is asked of every task: sizes and latencies, a row for each way."""
    size = (images.shape[-2], images.shape[-1])
    times = latencies(models, images, threads)
    first = times[-1][next(iter(models))]
    return {
        way: dict.fromkeys(HEADS)
        | {
            "task": name,
            "image": f"{size[0]}x{size[1]}",
            "way": way,
            "parameters": parameters(model),
            "gmac": round(macs(model, size) / 1e9, 2),
            **{
                f"ms_{count}_thread{'s' * (count > 1)}": found[way] for count, found in zip(threads, times, strict=True)
            },
            "speed": round(first / times[-1][way], 2),
        }
        for way, model in models.items()
    }


def costs(name: str, size: tuple[int, int], device: str, threads: list[int]) -> list[dict[str, Any]]:
    """All that a model costs, in inference and in training."""
    models = built(TASKS[name], device)
    if hasattr(models["segedu"], "margin"):  # without padding: the nearest size that it takes
        lost = 2 * models["segedu"].margin
        size = models["segedu"].input_size((size[0] - lost, size[1] - lost))
    images = {count: torch.randn(count, 3, *size, device=device) for count in (1, STEP_BATCH, BATCH)}
    rows = rows_of(name, models, images[1], threads)
    runs = {way: (partial(scores, m), partial(step, m)) for way, m in models.items()}
    batches = common.interleaved({way: partial(run, images[BATCH]) for way, (run, _) in runs.items()}, 2, warm_up=1)
    steps = common.interleaved({way: partial(run, images[STEP_BATCH]) for way, (_, run) in runs.items()}, 2, warm_up=1)
    for way, (run, train) in runs.items():
        rows[way] |= {
            "images_s": round(BATCH / batches[way].wall, 2),
            "peak_mib": round(peak_memory(partial(run, images[1]), device) / 2**20, 1),
            "step_ms": round(1e3 * steps[way].wall, 1),
            "step_peak_mib": round(peak_memory(partial(train, images[STEP_BATCH]), device) / 2**20, 1),
        }
    return list(rows.values())


def gains(name: str, device: str, threads: list[int]) -> list[dict[str, Any]]:
    """A model as it is and optimised, exactly and as fast as may be, beside its reference."""
    models = built(OPTIMISED[name], device)
    images = torch.randn(1, 3, *STREET, device=device)
    torch.set_num_threads(threads[-1])
    results = {
        way: optimize_for_inference(models["segedu"], images, dtype=dtype, repeats=2)
        for way, dtype in (("optimised, float32", torch.float32), ("optimised", None))
    }
    rows = rows_of(name, models | {way: result.model for way, result in results.items()}, images, threads)
    for way, result in results.items():
        rows[way] |= {
            "peak_mib": round(peak_memory(partial(scores, result.model, images), device) / 2**20, 1),
            "deviation": float(f"{result.deviation / result.largest_score:.2g}"),
            "changed": round(result.changed, 6),
            "applied": ", ".join(result.applied),
        }
    return list(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [*TASKS, *OPTIMISED]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="the tasks to measure")
    parser.add_argument("--size", nargs=2, type=int, default=[160, 320], help="height and width of an image")
    parser.add_argument("--device", default="cpu", help="where to measure (default: cpu)")
    parser.add_argument("--json", type=Path, help="write the table here")
    arguments = parser.parse_args()
    threads = [1, 2] if arguments.device == "cpu" else [1]
    rows = []
    for name in arguments.only:
        if name in OPTIMISED:
            rows += gains(name, arguments.device, threads[-1:])
        else:
            rows += costs(name, tuple(arguments.size), arguments.device, threads)
    print(common.table([{head: value for head, value in row.items() if head != "applied"} for row in rows]))
    if arguments.json:
        common.write(arguments.json, rows)


if __name__ == "__main__":
    main()
