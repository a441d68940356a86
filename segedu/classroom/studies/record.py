"""The recorded figures of a study: one JSON file beside its module, written whole or not at all."""

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Record:
    """What was ``taken`` where and when, by which ``settings``, and the ``figures`` that came out; plain values."""

    taken: dict[str, str]
    settings: dict[str, Any]
    figures: dict[str, Any]


def load(name: str) -> Record:
    """The record of the study ``name``; raises ``FileNotFoundError`` where it was never run."""
    path = _path(name)
    if not path.is_file():
        raise FileNotFoundError(f"the study {name} has no record; run it: python -m segedu.classroom.studies.{name}")
    return Record(**json.loads(path.read_text("utf-8")))


def save(name: str, settings: Mapping[str, Any], figures: Mapping[str, Any]) -> Path:
    """Write the record of ``name`` with today's date and this machine's kind; the old one stays until all is written.

    Raises ``OSError`` where that cannot be done.
    """
    taken = {
        "date": date.today().isoformat(),
        "torch": torch.__version__.partition("+")[0],
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} processor",
    }
    path = _path(name)
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(json.dumps(asdict(Record(taken, dict(settings), dict(figures))), indent=1) + "\n", "utf-8")
    os.replace(draft, path)
    return path


def _path(name: str) -> Path:
    return _FOLDER / f"{name}.json"
