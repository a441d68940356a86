"""What the two paths explorer says: what is not as trained, and what that does to the scores and to the cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from segedu.classroom.explorers.labelled import share

if TYPE_CHECKING:
    from segedu.classroom.explorers.two_paths import Passage
    from segedu.classroom.explorers.two_paths_surgery import Setting

UNITS = (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3))


def say_setting(shown: Passage) -> str:
    """What is not as trained."""
    setting, (height, width) = shown.setting, shown.seen.shape[1:]
    if shown.intact:
        return f"As trained: both paths and all modules are on, and the model reads {height} × {width} pixels."
    if not setting.spatial and not setting.context:
        return "Both paths are off: nothing of the picture is left, so every picture gets this answer."
    off = _off(setting)
    said = [f"Off: {', '.join(off)}."] if off else []
    if setting.context and setting.joined not in ("left out", shown.trained.joined):
        said.append(f"Context {setting.joined}.")
    if setting.scale != 1:
        said.append(f"Image at {height} × {width} pixels.")
    return " ".join(said)


def _off(setting: Setting) -> list[str]:
    """Names of what is off; with a context path go its modules."""
    names = {
        "spatial path": setting.spatial,
        "context path with its modules": setting.context,
        "refinement": setting.refinement or not setting.context,
        "global context": setting.joined != "left out" or not setting.context,
        "fusion gate": setting.fusion_gate,
    }
    return [name for name, on in names.items() if not on]


def say_quality(shown: Passage) -> str:
    """The scores, and those as trained."""
    now, trained = shown.quality, shown.as_trained
    said = f"Image {shown.image}: mean IoU {share(now.mean_iou)}"
    if shown.intact:
        return f"{said}, boundary F1 {share(now.boundary_f1)}."
    return (
        f"{said} (as trained {share(trained.mean_iou)}), boundary F1 {share(now.boundary_f1)} "
        f"({share(trained.boundary_f1)})."
    )


def say_cost(shown: Passage) -> str:
    """The time, which is measured, and the arithmetic, which is counted: they need not fall alike."""
    cost, whole = shown.cost, shown.cost_as_trained
    if shown.intact:
        return f"{duration(cost.milliseconds)} a pass here, the fastest of a few, {count(cost.macs)} multiply-adds."
    return (
        f"{duration(cost.milliseconds)} a pass (as trained {duration(whole.milliseconds)}): "
        f"{_percent(cost.milliseconds / whole.milliseconds)} of the time, {_percent(cost.macs / whole.macs)} of the "
        "multiply-adds."
    )


def say_changes(shown: Passage, worse: int, better: int) -> str:
    """How many pixels became ``worse`` or ``better``, or what to try."""
    if shown.intact:
        return "Switch something off, make the image smaller, or point at a place to see what is there."
    return f"{worse} pixels newly wrong, {better} newly right; point at a place to see what is there."


def say_pixel(pixel: tuple[int, int], names: Sequence[str], activity: Sequence[float]) -> str:
    """Names of truth and of prediction now and as trained at a pixel, and how active either path is there."""
    (row, column), (truth, now, trained), (spatial, context) = pixel, names, activity
    return (
        f"Row {row}, column {column}, truth {truth}: now {now}, as trained {trained}; mean activation of the spatial "
        f"path {spatial:.2f}, of the context path {context:.2f}."
    )


def count(number: int) -> str:
    """Three digits and a unit: ``12.1 M``."""
    for unit, size in UNITS:
        if number >= 0.9995 * size:
            return f"{_three_digits(number / size)}\N{NO-BREAK SPACE}{unit}"
    return f"{number}"


def duration(milliseconds: float) -> str:
    """``3.14 ms``, and a dash where nobody has measured."""
    return "–" if math.isnan(milliseconds) else f"{_three_digits(milliseconds)}\N{NO-BREAK SPACE}ms"


def _three_digits(value: float) -> str:
    return f"{value:.{max(0, 2 - max(0, math.floor(math.log10(value))))}f}" if value else "0"


def _percent(fraction: float) -> str:
    return "–" if math.isnan(fraction) else f"{100 * fraction:.0f}\N{NO-BREAK SPACE}%"
