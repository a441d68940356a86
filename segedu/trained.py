"""A trained model in one file: its weights, and all that is needed to build and use it again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from segedu.data import Palette
from segedu.models import create, released
from segedu.train import checkpoint

__all__ = ["CHECKPOINT", "MODEL", "Card", "load", "save"]

CHECKPOINT, MODEL = "checkpoint.pt", "model.pt"  # what a run leaves in its folder


@dataclass(frozen=True)
class Card:
    """What a model is and what it was trained on; plain values only, as they stand in the file.

    ``name``, ``backbone`` (None for a model that has none) and ``options`` go to ``models.create``; ``palette`` is a
    list of RGB triples, one for each of ``classes``; ``mean`` and ``std`` normalise its images; ``data`` and ``size``
    (None for the data set's own) are what it was trained on, by ``recipe``. ``arguments`` are the words after
    ``python -m segedu`` that did it, none where a program called ``fit`` itself.
    """

    name: str
    backbone: str | None
    classes: list[str]
    palette: list[list[int]]
    mean: list[float]
    std: list[float]
    data: str
    size: list[int] | None
    recipe: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)

    def build(self) -> nn.Module:
        """The model with random weights; a card never asks for weights from elsewhere."""
        return create(self.name, len(self.classes), self.backbone, weights=None, **self.options)

    @property
    def title(self) -> str:
        """``fcn32s over vgg16``, or ``unet``."""
        return self.name if self.backbone is None else f"{self.name} over {self.backbone}"

    def colours(self) -> Palette:
        """The palette that predictions are drawn in."""
        return Palette(tuple(self.classes), torch.tensor(self.palette, dtype=torch.uint8, device="cpu"))


def save(path: str | Path, model: nn.Module, card: Card) -> None:
    """Write the model and its card, wholly or not at all; raises ``OSError`` where that cannot be done."""
    checkpoint.save(path, {"model": model.state_dict(), "card": asdict(card)})


def load(source: str | Path) -> tuple[nn.Module, Card]:
    """Read a model and its card back, onto the CPU and in evaluation mode.

    ``source`` is the folder of a run or its ``model.pt``, ``"streets:fcn8s"`` for weights that come with the course, or
    the path of such weights (``.safetensors``) or of their card (``.json``). No code that a file may carry is run.
    Raises ``FileNotFoundError``, and ``ValueError`` for a file that is damaged, holds no model or describes one that
    cannot be built.
    """
    card = _released(str(source))
    return _of_run(Path(source)) if card is None else _of_release(card)


def _released(source: str) -> released.Released | None:
    weights, colon, name = source.partition(":")
    if colon and weights in released.SETS:
        return released.find(weights, name)
    if Path(source).suffix in (".safetensors", ".json"):
        return released.read(Path(source))
    return None


def _of_release(found: released.Released) -> tuple[nn.Module, Card]:
    card = _card(found.model, found.path)
    with _buildable(found.path):
        model = card.build()
    released.fill(model, found)
    return model.eval(), card


def _of_run(path: Path) -> tuple[nn.Module, Card]:
    if path.is_dir():
        path = path / MODEL
        if not path.is_file():
            raise FileNotFoundError(
                f"{path.parent} holds no finished model (no {path.name}); name a run that finished, or go on with this "
                "one: python -m segedu train ... --resume"
            )
    state = checkpoint.load(path)
    card = _card(state.get("card"), path)
    with _buildable(path):
        model = card.build()
    checkpoint.load_model(model, state, path)
    return model.eval(), card


@contextmanager
def _buildable(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} describes a model that cannot be built: {error}") from error


def _card(values: object, path: Path) -> Card:
    if not isinstance(values, Mapping) or values.keys() != {entry.name for entry in fields(Card)}:
        raise ValueError(f"{path} holds a checkpoint without a model card; give the model.pt of a finished run")
    return Card(**values)
