"""What the pixels explorer says of a label map on cells: how coarse it is, three scores, a class, and one pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from segedu.classroom.explorers.labelled import Legend, share

if TYPE_CHECKING:
    from segedu.classroom.explorers.pixels import Reduced


def say_cells(shown: Reduced) -> str:
    rows, cols = shown.truth.shape
    if shown.cell == 1:
        return f"Cells of 1 pixel: all of the {rows * cols:,} labels are there."
    cells = math.ceil(rows / shown.cell) * math.ceil(cols / shown.cell)
    return f"Cells of {shown.cell} × {shown.cell} pixels: {cells:,} labels in place of {rows * cols:,}."


def say_scores(shown: Reduced) -> str:
    return (
        f"Right names {share(shown.accuracy)}; overlap of regions {share(shown.mean_iou)}; "
        f"agreement of edges {share(shown.boundary_f1)}."
    )


def say_class(shown: Reduced, legend: Legend) -> str:
    """Of the class that stands out, how large it is and what is left of it; else which classes are gone."""
    if shown.shown is None:
        gone = [legend.classes[k] for k in shown.lost]
        return f"No cell has: {', '.join(gone)}." if gone else "Every class of the picture still has a cell."
    name, size = legend.classes[shown.shown], float(shown.shares[shown.shown])
    what = f"{name} is class {shown.shown}"
    if not size:
        return f"{what}; this picture has none."
    overlap = share(float(shown.iou[shown.shown]))
    return f"{what}: {share(size)} of the labelled pixels, overlap {overlap}."


def say_cell(shown: Reduced, legend: Legend, pixel: tuple[int, int]) -> str:
    row, col = pixel
    true, coarse = int(shown.truth[row, col]), int(shown.coarse[row, col])
    said = f"Row {row}, column {col}: label {true}, {legend.name(true)}. Its cell has {coarse}, {legend.name(coarse)}"
    if true == legend.ignore_index:
        return f"{said}; nobody counts it."
    return f"{said}: {'right' if true == coarse else 'wrong'}."
