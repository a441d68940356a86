"""``train``: a model, a data set and a recipe become a folder with a checkpoint and a finished model."""

import argparse
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from segedu import trained
from segedu.cli.sources import chosen_device, open_data
from segedu.data import SegmentationData, class_frequencies, median_frequency_weights
from segedu.losses import CrossEntropy, DiceLoss, FocalLoss, JaccardLoss, LovaszLoss, OHEMCrossEntropy, WeightedSum
from segedu.models import create, default_backbone, released
from segedu.profile import parameters
from segedu.train import Recipe, distributed, fit

LOSSES: dict[str, type[nn.Module]] = {
    "cross-entropy": CrossEntropy,
    "focal": FocalLoss,
    "ohem": OHEMCrossEntropy,
    "dice": DiceLoss,
    "jaccard": JaccardLoss,
    "lovasz": LovaszLoss,
}


def run(chosen: argparse.Namespace) -> int:
    """Train, print the validation scores, and leave ``checkpoint.pt`` and ``model.pt`` in the output folder."""
    with distributed.process_group(chosen_device(chosen.device)) as device:
        model, training, recipe, loss, card = prepare(chosen)
        validation = open_data(chosen.data, "val", chosen.size)
        folder = _folder(chosen)
        _say(
            f"{card.title}, {parameters(model):,} parameters, on {len(training)} images of "
            f"{chosen.data}: {recipe.steps} steps of {recipe.batch_size} in {recipe.precision} on {device}, "
            f"into {folder}"
        )
        checkpoint = folder / trained.CHECKPOINT
        with _resumable(checkpoint, chosen.arguments):
            history = fit(
                model, training, recipe, loss=loss, validation=validation, device=device, checkpoint=checkpoint
            )
            if distributed.is_main():
                trained.save(folder / trained.MODEL, model, card)
        scores = history.validation[recipe.steps]
        _say(
            f"validation mean IoU {100 * scores['mean_iou']:.2f} %, pixel accuracy "
            f"{100 * scores['pixel_accuracy']:.2f} %; class by class: python -m segedu evaluate {folder}"
        )
    return 0


class Prepared(NamedTuple):
    """What a command line asks to train: a model with its first weights, and by what; the card says all of it."""

    model: nn.Module
    training: SegmentationData
    recipe: Recipe
    loss: nn.Module | None
    card: trained.Card


def prepare(chosen: argparse.Namespace) -> Prepared:
    """Build all that a training starts from, the same each time for the same words; nothing is written."""
    options = _options(chosen.options)
    if chosen.weights in released.SETS:  # then what they need is what the card of this run has to say
        start = released.find(chosen.weights, chosen.model).model
        chosen.backbone = start["backbone"] if chosen.backbone is None else chosen.backbone
        options = {**start["options"], **options}
    elif chosen.backbone is None:
        chosen.backbone = default_backbone(chosen.model)
    training = open_data(chosen.data, "train", chosen.size, augment=chosen.augment, scenes=chosen.scenes)
    recipe, loss = _recipe(chosen), _loss(chosen)
    torch.manual_seed(recipe.seed)
    try:
        model = create(chosen.model, len(training.classes), chosen.backbone, chosen.weights, **options)
    except TypeError as error:
        raise ValueError(f"{chosen.model} cannot be built with {' '.join(chosen.options)}: {error}") from error
    return Prepared(model, training, recipe, loss, _card(chosen, training, recipe, options))


def _options(words: list[str]) -> dict[str, Any]:
    """``["width=8", "rates=[1,2,3]"]`` as keywords; a value is read as JSON, and as a word where it is none."""
    options: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"--option is {word!r}; give a name and a value, such as width=8")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def _say(sentence: str) -> None:
    if distributed.is_main():
        print(sentence, flush=True)


def _recipe(chosen: argparse.Namespace) -> Recipe:
    return Recipe(
        steps=chosen.steps,
        batch_size=chosen.batch_size,
        lr=chosen.lr,
        optimizer=chosen.optimizer,
        class_weights=_class_weights(chosen),
        precision=chosen.precision,
        channels_last=chosen.channels_last,
        compile="inductor" if chosen.compile else None,
        seed=chosen.seed,
        validate_every=chosen.validate_every,
        checkpoint_every=chosen.checkpoint_every,
        workers=chosen.workers,
    )


def _loss(chosen: argparse.Namespace) -> nn.Module | None:
    """The losses that were named, each with a share of one; None, for cross entropy alone, is the recipe's own."""
    if chosen.loss == "cross-entropy":
        return None
    if chosen.class_weights is not None:
        raise ValueError("--class-weights are for cross entropy alone; leave out either them or --loss")
    names = chosen.loss.split("+")
    for name in names:
        if name not in LOSSES or names.count(name) > 1:
            raise ValueError(f"--loss is {chosen.loss!r}; join any of {', '.join(LOSSES)} by +, each once")
    parts = {name: LOSSES[name]() for name in names}
    return parts[names[0]] if len(parts) == 1 else WeightedSum({name: (1.0, part) for name, part in parts.items()})


def _class_weights(chosen: argparse.Namespace) -> tuple[float, ...] | None:
    if chosen.class_weights is None:
        return None
    if chosen.class_weights != "median-frequency":
        raise ValueError(f"--class-weights is {chosen.class_weights!r}; the weights to choose are median-frequency")
    labels_as_stored = open_data(chosen.data, "train", chosen.size)
    return tuple(median_frequency_weights(class_frequencies(labels_as_stored)).tolist())


def _folder(chosen: argparse.Namespace) -> Path:
    """Where this run goes: a folder that no run has, or with ``--resume`` the one to go on in."""
    if chosen.output is not None:
        if _is_taken(chosen.output) and not chosen.resume:
            raise ValueError(
                f"{chosen.output} holds a run already: give --resume to go on with it, or another folder as --output"
            )
        return Path(chosen.output)
    name = "-".join(filter(None, (chosen.model, chosen.backbone, chosen.data)))
    numbered = (Path("runs") / (name if number == 1 else f"{name}-{number}") for number in count(1))
    taken = list(takewhile(_is_taken, numbered))
    if chosen.resume and taken:
        return taken[-1]
    return Path("runs") / (f"{name}-{len(taken) + 1}" if taken else name)


def _is_taken(folder: Path) -> bool:
    return (folder / trained.CHECKPOINT).exists() or (folder / trained.MODEL).exists()


@contextmanager
def _resumable(checkpoint: Path, arguments: list[str]) -> Iterator[None]:
    """Where Ctrl-C ends the training, say what is left of it and which command goes on."""
    try:
        yield
    except KeyboardInterrupt:
        if not checkpoint.exists():
            raise KeyboardInterrupt("; no checkpoint had been written yet; see --checkpoint-every") from None
        words = [word for word in arguments if word != "--resume"]
        output = [] if "--output" in words else ["--output", str(checkpoint.parent)]
        command = shlex.join(["python", "-m", "segedu", *words, *output, "--resume"])
        raise KeyboardInterrupt(f"; the last checkpoint stays, go on from it with: {command}") from None


def _card(chosen: argparse.Namespace, data: SegmentationData, recipe: Recipe, options: dict[str, Any]) -> trained.Card:
    return trained.Card(
        name=chosen.model,
        backbone=chosen.backbone,
        classes=list(data.classes),
        palette=data.palette.tolist(),
        mean=list(data.mean),
        std=list(data.std),
        data=chosen.data,
        size=chosen.size,
        recipe=recipe.to_dict(),
        options=options,
        arguments=[word for word in chosen.arguments if word != "--resume"],
    )
