"""What a label map is: a picture, the same picture as names, and a window of it as the numbers that they are."""

import torch
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from segedu.classroom.colours import NOW
from segedu.classroom.figures import figure
from segedu.data.contract import SegmentationData
from segedu.data.palette import Palette, colourise
from segedu.data.transforms import denormalise

LIGHT = 140  # a brighter colour, of 255, takes black figures


def label_map(data: SegmentationData, index: int, corner: tuple[int, int], side: int = 9) -> None:
    """Draw picture ``index`` of ``data``, its label map, and the window of ``side`` pixels from ``corner`` as numbers.

    Raises ``ValueError`` for a window that does not lie in the picture.
    """
    image, labels = data[index]
    row, col = corner
    if not (0 <= row <= labels.shape[0] - side and 0 <= col <= labels.shape[1] - side):
        raise ValueError(
            f"corner is {corner} for a window of {side} pixels; the picture has {labels.shape[0]} x {labels.shape[1]}"
        )
    palette = Palette(tuple(data.classes), data.palette)
    window = labels.as_subclass(Tensor)[row : row + side, col : col + side]
    with figure(_words(palette, window), height=340) as canvas:
        picture, names, numbers = canvas.subplots(1, 3)
        picture.imshow(denormalise(image, data.mean, data.std).movedim(0, -1).numpy())
        names.imshow(colourise(labels, palette).movedim(0, -1).numpy())
        for axis, title in ((picture, "a picture"), (names, "its label map"), (numbers, "the window, as numbers")):
            axis.set_title(title)
            axis.set_axis_off()
        for axis in (picture, names):
            axis.add_patch(Rectangle((col - 0.5, row - 0.5), side, side, fill=False, edgecolor=NOW, linewidth=2))
        _number(numbers, window, palette)
        canvas.legend(handles=_key(palette, labels), loc="outside lower center", ncols=5)


def _number(axis: Axes, window: Tensor, palette: Palette) -> None:
    """Every label in its cell, on the colour of its class."""
    colours = colourise(window, palette).movedim(0, -1)
    axis.imshow(colours.numpy())
    for (row, col), label in zip(torch.cartesian_prod(*map(torch.arange, window.shape)), window.flatten(), strict=True):
        ink = "black" if colours[row, col].float().mean() > LIGHT else "white"
        size = 11 if label < 100 else 8  # three figures have to fit, too
        axis.text(int(col), int(row), str(int(label)), ha="center", va="center", color=ink, fontsize=size)


def _key(palette: Palette, labels: Tensor) -> list[Patch]:
    """Number, colour and name of each class that the picture has, void last."""
    present = labels.as_subclass(Tensor).flatten().bincount().nonzero().flatten().tolist()
    shades = (palette.colours.double() / 255).tolist()
    known = [Patch(facecolor=shades[k], label=f"{k} {palette.classes[k]}") for k in present if k < len(palette)]
    return known + [Patch(facecolor="black", label=f"{k} void") for k in present if k >= len(palette)]


def _words(palette: Palette, window: Tensor) -> str:
    """What the figure shows, with the names that the window holds."""
    present = window.flatten().bincount().nonzero().flatten().tolist()
    held = ", ".join(f"{k} ({palette.classes[k] if k < len(palette) else 'void'})" for k in present)
    return (
        "a painted street; beside it the same street as flat colours, one for each class; and a small window of it, "
        f"marked in both, in which every pixel is a number: {held}"
    )
