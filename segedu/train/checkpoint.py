"""One file that holds a training run, so that the run goes on after a kill as if nothing had happened.

The file is written beside its place, flushed to the disk and renamed, so at every moment the name holds either the last
whole checkpoint or none.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import nn

from segedu.models.fitting import load_fitting

__all__ = ["load", "load_model", "save"]

_FORMAT = "segedu checkpoint 1"


def save(path: str | Path, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, strings, lists and dicts of them) to ``path``, wholly or not at all.

    Raises ``OSError`` where it cannot be written; the file that was there before is then still there.
    """
    path = Path(path)
    unfinished = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            torch.save({"format": _FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except (OSError, RuntimeError) as error:  # RuntimeError: the zip writer's word for a full disk
        raise OSError(
            f"checkpoint {path} could not be written ({error}); "
            "an earlier one is untouched: make room or give another path, and run again to go on from it"
        ) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    _sync_folder(path.parent)


def load(path: str | Path) -> dict[str, Any]:
    """Read what ``save`` wrote, onto the CPU; no code that a file may carry is run.

    Raises ``FileNotFoundError``, ``OSError`` where the system does not let it be read, and ``ValueError`` for a file
    that is damaged or no checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise OSError(f"checkpoint {path} could not be read ({error}); it may well be whole") from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged file fails as zip, pickle, key, end-of-file or runtime error
        raise ValueError(
            f"{path} is damaged or no checkpoint; delete it to start anew, or give another path"
        ) from error
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        raise ValueError(f"{path} is no checkpoint of segedu ({_FORMAT!r}); give another path")
    return state


def load_model(model: nn.Module, state: dict[str, Any], path: str | Path) -> None:
    """Copy the parameters and buffers of checkpoint ``state``, read from ``path``, into ``model``.

    Raises ``ValueError`` naming the first entry that does not fit; ``model`` is then unchanged.
    """
    load_fitting(model, state["model"], f"checkpoint {path}")


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last through a power cut, where folders can be opened for that (not on Windows)."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
