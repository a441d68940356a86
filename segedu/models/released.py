"""Small networks trained here, each kept as two files: weights in safetensors, and a card that says what they are.

``streets-fcn8s.safetensors`` is what ``create("fcn8s", weights="streets")`` loads, and ``streets-fcn8s.json`` its card:
what builds the network, the words that trained it, the loss of every step, the scores, and the sha256 of the weights.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from segedu.models.fitting import load_fitting

__all__ = ["SETS", "Released", "card_path", "fill", "find", "folder", "read", "require_agreement", "write"]

SETS = ("streets",)
FORMAT = "segedu weights 1"
VARIABLE = "SEGEDU_WEIGHTS"


@dataclass(frozen=True)
class Released:
    """A card that was read from ``path``: ``entries`` are all that it says."""

    path: Path
    entries: Mapping[str, Any]

    @property
    def model(self) -> Mapping[str, Any]:
        """What builds the network and feeds it: ``name``, ``backbone``, ``options``, ``classes``, ``mean``, ..."""
        model: Mapping[str, Any] = self.entries["model"]
        return model

    @property
    def weights(self) -> Path:
        """The file of the weights, beside the card."""
        return self.path.with_suffix(".safetensors")


def folder() -> Path:
    """Where the weights lie: what SEGEDU_WEIGHTS names, else beside the installed package, else ``assets/weights``."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    package = Path(__file__).resolve().parent.parent
    installed = package / "weights"
    return installed if installed.is_dir() else package.parent / "assets" / "weights"


def find(weights: str, name: str) -> Released:
    """The card of the network ``name`` in a set such as ``"streets"``.

    Raises ``FileNotFoundError`` where there is none, and ``ValueError`` for a card that cannot be read.
    """
    path = card_path(folder(), weights, name)
    if not path.is_file():
        there = sorted(other.stem.removeprefix(f"{weights}-") for other in path.parent.glob(f"{weights}-*.json"))
        raise FileNotFoundError(
            f"there are no weights {weights!r} of {name} in {path.parent}, which has "
            f"{'those of ' + ', '.join(there) if there else 'none at all'}; take the files of assets/weights from the "
            f"repository, or name another folder as {VARIABLE}"
        )
    return read(path)


def card_path(place: Path, weights: str, name: str) -> Path:
    """``place/streets-fcn8s.json``."""
    return place / f"{weights}-{name}.json"


def read(path: Path) -> Released:
    """The card at ``path``, or the one beside the weights at ``path``.

    Raises ``FileNotFoundError`` where there is none, and ``ValueError`` for any other file.
    """
    path = path.with_suffix(".json")
    if not path.is_file():
        raise FileNotFoundError(f"there is no card {path}; weights and their card stand side by side")
    try:
        entries = json.loads(path.read_text("utf-8"))
        known = entries["format"] == FORMAT and {"model", "sha256"} <= entries.keys()
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise ValueError(f"{path} is no card of weights ({FORMAT!r}); give one that python -m segedu export wrote")
    return Released(path, entries)


def require_agreement(card: Released, asked: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for the first thing asked of ``create`` that the weights contradict; None asks nothing."""
    model = card.model
    found = {"num_classes": len(model["classes"]), "backbone": model["backbone"], **model["options"]}
    for argument, value in asked.items():
        plain = list(value) if isinstance(value, tuple) else value
        if value is not None and (argument not in found or plain != found[argument]):
            fitting = (
                f"need {argument}={found[argument]!r}" if argument in found else f"were trained without {argument}"
            )
            raise ValueError(
                f"{argument} is {value!r}, but the weights {card.path.stem} {fitting}; leave {argument} out"
            )


def fill(model: nn.Module, card: Released) -> None:
    """Copy the weights that belong to ``card`` into ``model``, once they are found to be those that the card means.

    Raises ``FileNotFoundError`` without the file, and ``ValueError`` for another digest or an entry that does not fit.
    """
    load_fitting(model, _state(card), str(card.weights))


def write(path: Path, state: Mapping[str, Tensor], entries: Mapping[str, Any]) -> Released:
    """Write weights and card, each wholly or not at all, the card last; ``path`` is the card's.

    What the weights say of themselves, format, sha256, bytes and dtype, comes first, then ``entries``, a line each.
    """
    stored = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    data = save(stored)
    floats = {str(value.dtype).removeprefix("torch.") for value in stored.values() if value.is_floating_point()}
    whole = {
        "format": FORMAT,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "dtype": " and ".join(sorted(floats)),
        **entries,
    }
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in whole.items())
    card = Released(path, whole)
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(card.weights, data)
    _replace(path, f"{{\n{lines}\n}}\n".encode())
    return card


def _state(card: Released) -> dict[str, Tensor]:
    try:
        data = card.weights.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{card.weights} is missing beside its card; take the files of assets/weights from the repository, or name "
            f"another folder as {VARIABLE}"
        ) from None
    digest = hashlib.sha256(data).hexdigest()
    if digest != card.entries["sha256"]:
        raise ValueError(
            f"{card.weights} has the sha256 {digest}, but its card says {card.entries['sha256']}; the file is damaged "
            "or another: take both from one place"
        )
    try:
        with torch.device("cpu"):
            return load(data)
    except SafetensorError as error:
        raise ValueError(
            f"{card.weights} is no safetensors file ({error}); take it and its card from one place"
        ) from error


def _replace(path: Path, data: bytes) -> None:
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
