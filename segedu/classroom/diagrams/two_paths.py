"""BiSeNet as two ways from the image to one map at 1/8: few layers for detail, a whole trunk and back for context."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from math import log2
from typing import Any, cast

import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from segedu import profile
from segedu.classroom.colours import NOW, REST
from segedu.classroom.figures import INK, figure
from segedu.inference import device_of, inference
from segedu.models.bisenet import BiSeNet, ContextPath

STEP, BELOW = 1.5, 3.0  # units of the page: from map to map, and from path to path
FAINT = "#6E6E6E"


@dataclass(frozen=True)
class Map:
    """One map on the way: its ``channels``, and how many pixels are to the side of one of its cells."""

    channels: int
    stride: int

    @property
    def words(self) -> str:
        return f"{self.channels} at 1/{self.stride}"


@dataclass(frozen=True)
class Ways:
    """What a BiSeNet makes of an image: the maps of the spatial path, of the trunk, back ``up``, fused and scored."""

    spatial: tuple[Map, ...]
    trunk: tuple[Map, ...]
    up: tuple[Map, ...]
    fused: Map
    scores: Map

    @property
    def words(self) -> str:
        return (
            f"spatial path {_listed(self.spatial)}; context path {_listed(self.trunk)}, then, with attention and the "
            f"mean of the whole, back up to {_listed(self.up)}; both joined: {self.fused.words}, scored: "
            f"{self.scores.words}, upsampled to the image."
        )


def two_paths(model: BiSeNet, size: tuple[int, int]) -> None:
    """Draw the two paths of ``model`` with the maps that it makes of an image of ``size=(H, W)``.

    A map is a square, the smaller the coarser, with its number of channels below. What sees the whole image is
    vermilion. ``model`` runs once, on the device it is on (``meta`` will do), and is left as it was.
    """
    ways = _ways(model, size)
    millions = {name: profile.parameters(getattr(model, name)) / 1e6 for name in ("spatial_path", "context_path")}
    with figure(ways.words, height=330) as canvas:
        axis = canvas.subplots()
        axis.text(0, BELOW / 2, "image", ha="center", va="center", fontweight="bold")
        _name(axis, -0.95, f"spatial path: keeps places, {millions['spatial_path']:.2f} M")
        _name(axis, BELOW + 1.25, f"context path: finds out what is there, {millions['context_path']:.2f} M")
        _row(axis, ways.spatial, 1, 0)
        last = 1 + len(ways.trunk)
        _row(axis, ways.trunk, 1, BELOW)
        _row(axis, ways.up, last, BELOW)
        _arrow(axis, (STEP * (last - 1) + 0.5, BELOW), (STEP * last - 0.5, BELOW))
        axis.text(STEP * (last - 0.5), BELOW - 0.62, "attention + mean", ha="center", color=NOW, fontsize=10)
        _around(axis, STEP * (last - 2), STEP * (last + 0.5))
        end = last + len(ways.up)
        _join(axis, ways, end)
        axis.set(xlim=(-0.7, STEP * (end + 2) + 0.1), ylim=(BELOW + 1.6, -1.3), aspect="equal")
        axis.set_axis_off()


def _ways(model: BiSeNet, size: tuple[int, int]) -> Ways:
    context = cast(ContextPath, model.context_path)
    parts: dict[str, list[nn.Module]] = {
        "spatial": [*model.spatial_path.children()],
        "trunk": [*context.trunk.children()],
        "up": [context.refine16, context.refine8],
        "fused": [model.fusion],
        "scores": [model.head],
    }
    made: dict[str, list[Map]] = {name: [] for name in parts}
    with ExitStack() as stack:
        for name, modules in parts.items():
            for module in modules:
                stack.callback(_noted(module, made[name], size).remove)
        stack.enter_context(inference(model))
        model(torch.empty(1, 3, *size, device=device_of(model)))
    spatial, trunk, up, (fused,), (scores,) = (tuple(_last_of_each_stride(maps)) for maps in made.values())
    return Ways(spatial, trunk, up, fused, scores)


def _noted(module: nn.Module, made: list[Map], size: tuple[int, int]) -> Any:
    def note(module: nn.Module, given: Any, out: Tensor) -> None:
        made.append(Map(out.shape[1], 2 ** round(log2(size[0] / out.shape[2]))))

    return module.register_forward_hook(note)


def _last_of_each_stride(maps: list[Map]) -> Iterator[Map]:
    yield from {one.stride: one for one in maps}.values()


def _listed(maps: tuple[Map, ...]) -> str:
    return ", ".join(one.words for one in maps)


def _name(axis: Axes, y: float, text: str) -> None:
    axis.text(STEP - 0.5, y, text, va="center", fontweight="bold")


def _row(axis: Axes, maps: tuple[Map, ...], column: int, y: float) -> None:
    """Squares from ``column`` on, an arrow before each but the first of a way back up."""
    for number, one in enumerate(maps):
        x = STEP * (column + number)
        _square(axis, x, y, one)
        if column == 1 and not number:
            _arrow(axis, (0.1, BELOW / 2 + (0.35 if y else -0.35)), (x - 0.55, y))
        elif number:
            _arrow(axis, (x - STEP + 0.5, y), (x - 0.5, y))


def _around(axis: Axes, start: float, end: float) -> None:
    """The stage before the last goes its own way to the step from 1/16 to 1/8."""
    over = BELOW - 1.2
    axis.plot([start, start, end], [BELOW - 0.35, over, over], color=INK, linewidth=1)
    _arrow(axis, (end, over), (end, BELOW - 0.05))
    axis.text((start + end) / 2, over - 0.12, "attention", ha="center", color=NOW, fontsize=10)


def _join(axis: Axes, ways: Ways, end: int) -> None:
    """Both paths meet in the fused map; it is scored and enlarged."""
    x, y = STEP * end, BELOW / 2
    _arrow(axis, (STEP * len(ways.spatial) + 0.5, 0), (x - 0.5, y - 0.2))
    _arrow(axis, (STEP * (end - 1) + 0.45, BELOW - 0.3), (x - 0.5, y + 0.3))
    _square(axis, x, y, ways.fused)
    axis.text(x, y - 0.75, "fusion", ha="center", color=NOW, fontsize=10)
    _arrow(axis, (x + 0.5, y), (x + STEP - 0.5, y))
    _square(axis, x + STEP, y, ways.scores)
    axis.text(x + STEP, y - 0.75, "scores", ha="center", fontsize=10)
    _arrow(axis, (x + STEP + 0.5, y), (x + 2 * STEP - 0.45, y))
    axis.text(x + 2 * STEP - 0.4, y, "image", va="center", ha="left", fontweight="bold")


def _square(axis: Axes, x: float, y: float, one: Map) -> None:
    side = 0.45 + 0.75 / one.stride**0.5
    corner = (x - side / 2, y - side / 2)
    axis.add_patch(Rectangle(corner, side, side, facecolor=REST, alpha=0.35, edgecolor=INK, linewidth=1))
    axis.text(x, y, f"1/{one.stride}", ha="center", va="center", fontsize=10)
    axis.text(x, y + 0.72, str(one.channels), ha="center", va="center", color=FAINT, fontsize=10)


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axis.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0})
