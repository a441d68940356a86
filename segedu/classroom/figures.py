"""The course's pictures: one look, readable on a light and a dark page, each with a text for those who cannot see it.

A figure goes out as an HTML image that carries its alternative text, since JupyterLab drops the text of a bare PNG. It
stands on its own light card, so it needs no theme. The colours are those of Okabe and Ito, told apart with any colour
vision: ``NOW`` marks what a picture is about, ``REST`` the rest. Nothing touches pyplot, so no figure is left open.

What is drawn goes to the page. Within :func:`sent_to` it goes to another receiver, such as a file, drawn by the same
hand.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from io import BytesIO
from typing import Any

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image
from torch import Tensor

from segedu.classroom import display
from segedu.classroom.colours import AMBER, GREEN, NOW, PINK, REST
from segedu.data.contract import SegmentationData
from segedu.data.palette import Palette, colourise

LINES = ((REST, "-"), (NOW, "--"), (GREEN, "-."), (PINK, ":"), (AMBER, (0, (5, 1, 1, 1, 1, 1))))
INK, CARD = "#1A1A1A", "#FBFBF8"
WIDTH = 840  # pixels on the page
LARGEST_PANEL = 280
SHARPNESS = 1.5  # pixels of the picture for one of the page

HOUSE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so no figure differs by the fonts of a machine
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.edgecolor": INK,
    "axes.facecolor": CARD,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.facecolor": CARD,
    "image.cmap": "cividis",
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}

Receiver = Callable[[Figure, str], None]
_receiver: ContextVar[Receiver] = ContextVar("receiver of figures")


@contextmanager
def figure(alt: str, *, height: int = 320, width: int = WIDTH) -> Iterator[Figure]:
    """Draw on the ``Figure`` inside the ``with`` block; it is shown when the block ends.

    ``alt`` says in words what the picture shows; ``height`` and ``width`` are pixels on the page. Strict validation
    compares ``alt`` and not the pixels, so it may hold no figure that varies. Raises ``ValueError`` when it is blank.
    """
    if not alt.strip():
        raise ValueError("alt is blank; say in a sentence what the picture shows")
    with rc_context(HOUSE):
        canvas = Figure(figsize=(width / 100, height / 100), dpi=100 * SHARPNESS, layout="constrained")
        yield canvas
        _receiver.get(_to_the_page)(canvas, alt)


@contextmanager
def sent_to(receiver: Receiver) -> Iterator[None]:
    """Hand each figure that is drawn in the ``with`` block, and its ``alt``, to ``receiver`` instead of the page."""
    before = _receiver.set(receiver)
    try:
        yield
    finally:
        _receiver.reset(before)


def show_scenes(data: SegmentationData, columns: Mapping[str, Tensor], *, alt: str) -> None:
    """Images, labels and predictions side by side: a row for each scene, a titled column for each entry of ``columns``.

    A float ``(N, 3, H, W)`` is a batch of images as ``data`` normalises them; an integer ``(N, H, W)`` is a batch of
    label maps, drawn in the palette of ``data`` with a legend of the classes that occur. Void is black.
    """
    first = next(iter(columns.values()))
    wide = min(WIDTH // len(columns), LARGEST_PANEL)
    tall = round(wide * first.shape[-2] / first.shape[-1]) * len(first)
    maps = [batch for batch in columns.values() if batch.dim() == 3]
    with figure(alt, height=tall + 40 + 55 * bool(maps), width=max(wide * len(columns), WIDTH // 2)) as canvas:
        axes = canvas.subplots(len(first), len(columns), squeeze=False)
        for column, (title, batch) in enumerate(columns.items()):
            axes[0, column].set_title(title)
            for axis, picture in zip(axes[:, column], _pictures(data, batch), strict=True):
                axis.imshow(picture.numpy())
                axis.set_axis_off()
        if maps:
            canvas.legend(
                handles=_legend(data, maps), loc="outside lower center", ncols=min(6, max(3, 2 * len(columns) - 2))
            )


def heat_maps(maps: Mapping[str, Tensor], *, alt: str, label: str = "") -> None:
    """Maps ``(h, w)`` of any size side by side on one colour scale, with ``label`` beside the scale."""
    with figure(alt, height=_height(maps)) as canvas:
        axes = _panels(canvas, maps)
        canvas.colorbar(axes[-1].images[0], ax=axes, label=label, shrink=0.9)


def number_grids(grids: Mapping[str, Tensor], *, alt: str, digits: int = 0) -> None:
    """Small maps ``(h, w)`` side by side on one colour scale, with every number printed in its cell."""
    with figure(alt, height=_height(grids)) as canvas:
        for axis, values in zip(_panels(canvas, grids), grids.values(), strict=True):
            low, high = axis.images[0].get_clim()
            for (row, column), value in _cells(values):
                ink = "white" if value < (low + high) / 2 else "black"
                axis.text(column, row, f"{value:.{digits}f}", ha="center", va="center", color=ink)


def curves(
    series: Mapping[str, Tensor],
    *,
    alt: str,
    xlabel: str,
    ylabel: str,
    x: Sequence[float] | Sequence[str] | None = None,
) -> None:
    """Up to five lines over ``x`` (0, 1, 2, ... by default), told apart by colour and by dashes.

    Words as ``x`` are set at equal distances. Each of ``series`` is ``(points,)``, or ``(seeds, points)`` drawn as
    thin lines under their mean.
    """
    if len(series) > len(LINES):
        raise ValueError(f"series has {len(series)} lines, at most {len(LINES)} can be told apart; draw two figures")
    with figure(alt) as canvas:
        axis = canvas.subplots()
        for (name, values), (colour, dashes) in zip(series.items(), LINES, strict=False):
            seeds = values.detach().cpu().double().reshape(-1, values.shape[-1])
            across = range(seeds.shape[1]) if x is None else x
            if len(seeds) > 1:
                axis.plot(across, seeds.T.numpy(), color=colour, linewidth=0.8, alpha=0.5)
            axis.plot(across, seeds.mean(0).numpy(), color=colour, linestyle=dashes, label=name)
        axis.set(xlabel=xlabel, ylabel=ylabel)
        axis.legend()


def bars(values: Mapping[str, Sequence[float]], *, alt: str, xlabel: str, digits: int = 2) -> None:
    """A bar for each name, its mean printed beside it; several values (one a seed) are drawn as dots on the bar."""
    means = [sum(runs) / len(runs) for runs in values.values()]
    with figure(alt, height=70 + 40 * len(values)) as canvas:
        axis = canvas.subplots()
        axis.barh(range(len(means)), means, color=REST, height=0.6)
        for row, (mean, runs) in enumerate(zip(means, values.values(), strict=True)):
            if len(runs) > 1:
                axis.plot(runs, [row] * len(runs), "o", color=NOW, markeredgecolor="white")
            axis.annotate(f"{mean:.{digits}f}", (max(runs), row), (9, 0), textcoords="offset points", va="center")
        axis.set_yticks(range(len(means)), list(values))
        axis.invert_yaxis()
        axis.margins(x=0.12)
        axis.set_xlabel(xlabel)


def _to_the_page(canvas: Figure, alt: str) -> None:
    width = round(100 * canvas.get_figwidth())
    picture = b64encode(_png(canvas)).decode()
    display.show(
        f"Figure: {alt}", html=f'<img alt="{escape(alt)}" width="{width}" src="data:image/png;base64,{picture}">'
    )


def _png(canvas: Figure) -> bytes:
    """The figure as a PNG of at most 256 colours: a third of the bytes, and a lesson has many figures."""
    drawn, small = BytesIO(), BytesIO()
    canvas.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
    return small.getvalue()


def _pictures(data: SegmentationData, batch: Tensor) -> Tensor:
    """``(N, H, W, 3)`` uint8 for matplotlib, from normalised images or from labels."""
    if batch.dim() == 3:
        return colourise(batch, Palette(tuple(data.classes), data.palette)).movedim(1, -1).cpu()
    mean, std = (torch.tensor(three, device=batch.device)[:, None, None] for three in (data.mean, data.std))
    return ((batch.detach() * std + mean).clamp(0, 1) * 255).byte().movedim(1, -1).cpu()


def _legend(data: SegmentationData, maps: Sequence[Tensor]) -> list[Patch]:
    """One patch for each class in ``maps``, and one for void where there is any."""
    present = torch.cat([labels.flatten().cpu() for labels in maps]).bincount().nonzero().flatten().tolist()
    colours = (data.palette.double() / 255).tolist()
    known = [Patch(facecolor=colours[k], label=data.classes[k]) for k in present if k < len(colours)]
    return known + [Patch(facecolor="black", label="void")] * any(k >= len(colours) for k in present)


def _panels(canvas: Figure, maps: Mapping[str, Tensor]) -> list[Axes]:
    """A titled panel for each map, all on one colour scale."""
    numbers = {title: values.detach().cpu().double().numpy() for title, values in maps.items()}
    low, high = min(map(np.min, numbers.values())), max(map(np.max, numbers.values()))
    axes = list(canvas.subplots(1, len(maps), squeeze=False)[0])
    for axis, (title, values) in zip(axes, numbers.items(), strict=True):
        axis.imshow(values, vmin=low, vmax=high)
        axis.set_title(title)
        axis.set_axis_off()
    return axes


def _height(maps: Mapping[str, Tensor]) -> int:
    """What a row of panels with its titles takes on the page."""
    wide = min(0.85 * WIDTH / len(maps), LARGEST_PANEL)
    return 50 + round(wide * max(values.shape[0] / values.shape[1] for values in maps.values()))


def _cells(values: Tensor) -> Iterator[tuple[tuple[int, int], float]]:
    for row, line in enumerate(values.tolist()):
        for column, value in enumerate(line):
            yield (row, column), value
