"""What this machine has for the course, found out by looking and by a training step."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter

import torch

import segedu
from segedu.data.install import data_root

__all__ = ["Finding", "report"]

PYTHON = (3, 11)
REQUIRED = {"torch": (2, 11), "torchvision": (0, 26)}
CLASSROOM = ("jupyterlab", "anywidget", "ipywidgets", "matplotlib")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True)
class Finding:
    """One line of the report: whether ``name`` is there, in words, and whether the package can do without it."""

    name: str
    ok: bool
    text: str
    required: bool = False


def report() -> list[Finding]:
    """Everything that was looked for, the training step last."""
    return [
        _python(sys.version_info[:3]),
        *(_library(name, least) for name, least in REQUIRED.items()),
        Finding("device", True, _device()),
        Finding("bfloat16", *_bfloat16()),
        *(_classroom(name) for name in CLASSROOM),
        _browser(),
        _camvid(),
        _self_test(training_step),
    ]


def _python(running: tuple[int, ...]) -> Finding:
    text = ".".join(map(str, running))
    if running >= PYTHON:
        return Finding("Python", True, text, required=True)
    return Finding("Python", False, f"{text} is too old, {_dotted(PYTHON)} is needed: install it", required=True)


def _library(name: str, least: tuple[int, ...]) -> Finding:
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, False, "is not installed: pip install torch torchvision", required=True)
    if tuple(int(part) for part in found.split("+")[0].split(".")[:2]) < least:
        text = f"{found} is too old, {_dotted(least)} is needed: pip install --upgrade torch torchvision"
        return Finding(name, False, text, required=True)
    return Finding(name, True, found, required=True)


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def _device() -> str:
    device = segedu.device()
    cpu = f"{torch.get_num_threads()} CPU threads"
    return f"{torch.cuda.get_device_name()}, {cpu}" if device.type == "cuda" else f"{device.type}, {cpu}"


def _bfloat16() -> tuple[bool, str]:
    """Whether --precision bfloat16 saves time here; it gives the same results everywhere."""
    if segedu.device().type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif segedu.device().type == "cpu":
        native = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    else:
        native = False
    return native, "in hardware" if native else "emulated: works, but float32 is faster"


def _classroom(name: str) -> Finding:
    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(name, False, "is not installed; the notebooks need it: pip install 'segedu[course]'")


def _browser() -> Finding:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return Finding("browser", found is not None, found or "no Chromium; only the browser tests need it, and they skip")


def _camvid() -> Finding:
    from segedu.data.camvid import SPLITS, find

    root = data_root()
    here = [split for split in SPLITS if find(root, split)]
    if here:
        return Finding("CamVid", True, f"{', '.join(here)} in {root}")
    return Finding("CamVid", False, f"not in {root}: set SEGEDU_DATA, or python -m segedu download camvid")


def _self_test(step: Callable[[], float]) -> Finding:
    start = perf_counter()
    try:
        loss = step()
    except Exception as error:  # whatever goes wrong here, the report is to say it
        return Finding(
            "self-test", False, f"a training step failed with {type(error).__name__}: {error}", required=True
        )
    text = f"painted, predicted and learnt in {perf_counter() - start:.1f} s, loss {loss:.2f}"
    return Finding("self-test", True, text, required=True)


def training_step() -> float:
    """Paint a few streets, train a small FCN on them for one step on the default device; returns the loss."""
    from segedu.data import Streets
    from segedu.models import create
    from segedu.train import Recipe, fit

    streets = Streets(size=(64, 96), length=4)
    model = create("fcn8s", num_classes=len(streets.classes), backbone="vgg_mini")
    return fit(model, streets, Recipe(steps=1, batch_size=4), progress=False).loss[0]
