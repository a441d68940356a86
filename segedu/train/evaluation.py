"""A model measured on a data set."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from segedu import device as default_device
from segedu.inference import outputs_of
from segedu.metrics import ConfusionMatrix
from segedu.mode import mode
from segedu.models.unet import centre_crop
from segedu.train import distributed
from segedu.train.progress import bar
from segedu.train.sampling import evaluation_batches

__all__ = ["evaluate", "scored"]


def evaluate(
    model: nn.Module,
    data: Any,
    *,
    batch_size: int = 1,
    device: torch.device | str | None = None,
    num_classes: int | None = None,
    ignore_index: int = 255,
    precision: Literal["float32", "bfloat16"] = "float32",
    workers: int = 0,
    progress: bool = False,
) -> ConfusionMatrix:
    """Count what ``model`` calls every valid pixel of ``data``, batch by batch, in evaluation mode.

    ``data`` is anything that ``fit`` trains on; images of different sizes are run apart, so ``batch_size`` is a matter
    of speed and memory only. A network without padding is judged where it scores. ``num_classes`` is that of
    ``data.classes`` unless given. The model is moved to ``device`` (``segedu.device()`` by default) and every module's
    mode is put back. Under ``torchrun`` each process takes a share and the counts are added up, so each of them returns
    the whole. Raises ``ValueError`` where the number of classes is not known or ``batch_size`` is below 1.
    """
    if num_classes is None:
        if not hasattr(data, "classes"):
            raise ValueError(f"num_classes is not given and {type(data).__name__} has no classes; give num_classes")
        num_classes = len(data.classes)
    with distributed.process_group(torch.device(device or default_device())) as place, mode(model, training=False):
        model.to(place)
        counts = ConfusionMatrix(num_classes, ignore_index, place)
        rank, world_size = distributed.rank(), distributed.world_size()
        batches = evaluation_batches(
            data, batch_size=batch_size, device=place, workers=workers, rank=rank, world_size=world_size
        )
        with torch.no_grad(), bar(len(data), unit="image", shown=progress and distributed.is_main()) as shown:
            for images, labels in batches:
                with torch.autocast(place.type, torch.bfloat16, enabled=precision == "bfloat16"):
                    logits = outputs_of(model, images)["out"]
                counts.update(logits, scored(model, labels, logits))
                shown.update(world_size * len(images))
        return counts.all_reduce()


def scored(model: nn.Module, labels: Tensor, logits: Tensor) -> Tensor:
    """The labels of the pixels that have scores: all of them, but for a network that loses a ``margin`` of its image.

    ``(N, H, W) -> (N, h, w)`` for logits ``(N, K, h, w)``.
    """
    return centre_crop(labels, (logits.shape[-2], logits.shape[-1])) if hasattr(model, "margin") else labels
