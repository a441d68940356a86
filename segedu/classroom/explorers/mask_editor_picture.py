"""How the mask editor looks: the prediction beside its scores, and below it the truth and what the colours mean."""

import math
from collections.abc import Iterator

import numpy as np

from segedu.classroom.colours import AMBER, PINK, REST
from segedu.classroom.explorers.heat import grid_lines
from segedu.classroom.explorers.labelled import share
from segedu.classroom.explorers.mask_editor_masks import COLS, ROWS, VOID, Place, footprint
from segedu.classroom.explorers.mask_editor_scores import GROUPS, Edited
from segedu.classroom.explorers.scene import Box, Point, Primitive, Scene, cells, line, rectangle, ring, text

WIDTH, HEIGHT, TITLE = 840, 448, 26  # CSS pixels
LEFT, STEP, SMALL = 2, 16, 8  # where the masks begin, and the side of a pixel in the prediction and in the truth
BELOW = TITLE + STEP * ROWS + 8  # where the lower row begins
SCORES, LABELS, BARS = 420, 130, 160  # where the scores begin, and the widths of a name and of the longest bar
BAR, ROW, HEAD = 14, 25, 24  # the height of a bar, from one score to the next, and of a heading
CURVE = 116  # the side of the curve of IoU over Dice
LEGEND = LEFT + SMALL * COLS + 20

COLOURS = ("#fafafa", PINK, AMBER, REST, "#d0d0d0", "#969696")
"""One for each of `OUTCOMES`; they differ in brightness too."""
PALETTE = np.array([[*bytes.fromhex(colour[1:]), 255] for colour in COLOURS], np.uint8)
INK, HATCH = "#212121", "#757575"  # on the masks, which are light in both themes


def scene(result: Edited) -> Scene:
    """Everything but the brush."""
    return Scene(
        WIDTH,
        HEIGHT,
        [
            *_truth(result),
            *_prediction(result),
            *_legend(result),
            *_scores(result),
            *_curve(result),
        ],
    )


def marks(result: Edited, shown: Scene, place: Place) -> list[Primitive]:
    """The brush over the prediction, and the pixel that it stands on in the truth."""
    spots = {"truth": (slice(place[0], place[0] + 1), slice(place[1], place[1] + 1))}
    spots["prediction"] = footprint(place, result.width)
    panels = [item for item in shown.items if item.get("panel")]
    return [rectangle(_around(panel, *spots[panel["panel"]]), stroke="now", halo=True, width=2) for panel in panels]


def _around(panel: Primitive, rows: slice, cols: slice) -> Box:
    x, y, width, _ = panel["box"]
    step = width / COLS
    return (
        x + step * cols.start,
        y + step * rows.start,
        step * (cols.stop - cols.start),
        step * (rows.stop - rows.start),
    )


def _truth(result: Edited) -> list[Primitive]:
    """The true labels, small, below the prediction."""
    box = (LEFT, BELOW + TITLE, SMALL * COLS, SMALL * ROWS)
    outcomes = np.where(result.labels == VOID, 4, 3 * (result.labels == 1)).astype(np.uint8)
    return [
        text((LEFT, BELOW + TITLE / 2), f"truth: {result.masks.truth}"),
        cells(box, outcomes, PALETTE, panel="truth"),
        *grid_lines(box, ROWS, COLS),
        rectangle(box, stroke="border"),
    ]


def _prediction(result: Edited) -> list[Primitive]:
    """What becomes of each pixel, with the outline of the true object and the void pixels hatched."""
    box = (LEFT, TITLE, STEP * COLS, STEP * ROWS)
    return [
        text((LEFT, TITLE / 2), "your prediction"),
        text((LEFT + box[2], TITLE / 2), "click to paint; outline: the truth", fill="muted", align="right"),
        cells(box, result.outcomes, PALETTE, panel="prediction"),
        *grid_lines(box, ROWS, COLS),
        *_hatching(result),
        *_outline(result),
        rectangle(box, stroke="border"),
    ]


def _hatching(result: Edited) -> Iterator[Primitive]:
    """A diagonal through each void pixel."""
    for row, col in np.argwhere(result.labels == VOID).tolist():
        x, y = _corner(row, col)
        yield line([(x, y + STEP), (x + STEP, y)], stroke=HATCH, width=1)


def _outline(result: Edited) -> Iterator[Primitive]:
    """The edges between object and not, each as long as it runs straight."""
    mask = np.pad(result.labels == 1, 1)
    for edges, across in ((mask[1:] != mask[:-1], True), ((mask[:, 1:] != mask[:, :-1]).T, False)):
        for at, steps in enumerate(np.diff(edges.astype(np.int8), append=0)):
            for start, end in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True):
                ends = [(at, int(start)), (at, int(end))]
                yield line([_corner(*(spot if across else spot[::-1])) for spot in ends], stroke=INK, width=2.5)


def _corner(row: int, col: int) -> Point:
    """Where a pixel of the prediction begins."""
    return LEFT + STEP * col, TITLE + STEP * row


def _legend(result: Edited) -> Iterator[Primitive]:
    """What the colours mean, and how many pixels have them."""
    now, void = result.now, int((result.labels == VOID).sum())
    rows = [
        (3, "found (TP)", now.found),
        (1, "missed (FN)", now.missed),
        (2, "invented (FP)", now.invented),
        (0, "background (TN)", now.background),
        (4, "void, not scored", void),
    ]
    for place, (outcome, words, count) in enumerate(rows):
        middle = BELOW + TITLE + SMALL * ROWS * (place + 0.5) / len(rows)
        yield rectangle((LEGEND, middle - 7, 14, 14), fill=COLOURS[outcome], stroke="border")
        if outcome == 4:
            yield line([(LEGEND, middle + 7), (LEGEND + 14, middle - 7)], stroke=HATCH, width=1)
        yield text((LEGEND + 20, middle), words)
        yield text((LEFT + STEP * COLS + 12, middle), f"{count}", align="right")


def _scores(result: Edited) -> Iterator[Primitive]:
    """A bar for each metric with its number, a line where it was before, and by how many points it has moved."""
    right = SCORES + LABELS + BARS
    yield from _key(right)
    top = float(TITLE)
    for group, names in GROUPS.items():
        reach = f", within {result.tolerance} px" if group == "its contour" else ""
        yield text((SCORES, top + HEAD / 2), group + reach, fill="muted")
        top += HEAD
        for name in names:
            yield from _score(result, name, top + ROW / 2)
            top += ROW


def _key(right: float) -> Iterator[Primitive]:
    middle = TITLE / 2
    left = SCORES + LABELS
    yield rectangle((left, middle - 7, 14, 14), fill="now")
    yield text((left + 20, middle), "now")
    yield line([(left + 74, middle - 9), (left + 74, middle + 9)], stroke="rest", width=3)
    yield text((left + 82, middle), "before")
    yield text((WIDTH - 2, middle), "points moved", fill="muted", align="right")


def _score(result: Edited, name: str, middle: float) -> Iterator[Primitive]:
    now, before = result.now.scores[name], result.before.scores[name]
    left = SCORES + LABELS
    yield text((SCORES + 8, middle), name)
    yield line([(left, middle + BAR / 2 + 1), (left + BARS, middle + BAR / 2 + 1)], stroke="border", width=1)
    if not math.isnan(now):
        yield rectangle((left, middle - BAR / 2, BARS * now, BAR), fill="now")
    if not math.isnan(before):
        x = left + BARS * before
        yield line([(x, middle - 9), (x, middle + 9)], stroke="rest", width=3)
    yield text((left + BARS + 68, middle), share(now), align="right")
    yield text((WIDTH - 2, middle), points(result.change(name)), align="right")


def points(change: float) -> str:
    """By how many points a score has moved, with the sign of arithmetic: ``+1.2``, ``−0.3``, ``0``, a dash for NaN."""
    if math.isnan(change):
        return "–"
    return f"{100 * change:+.1f}".replace("-", "−") if abs(100 * change) >= 0.05 else "0"


def _curve(result: Edited) -> Iterator[Primitive]:
    """IoU over Dice: the curve that every prediction lies on, and where this one is."""
    dice, iou = result.now.scores["Dice = F1"], result.now.scores["IoU"]
    left, foot = SCORES + 30, HEIGHT - 24
    top = foot - CURVE

    def at(x: float, y: float) -> Point:
        return left + CURVE * x, foot - CURVE * y

    yield rectangle((left, top, CURVE, CURVE), stroke="border")
    yield line([at(0, 0), at(1, 1)], stroke="border", width=1)
    yield line([at(d, d / (2 - d)) for d in np.linspace(0, 1, 33).tolist()], stroke="rest")
    yield ring(at(dice, iou), 6, width=3)
    yield text((left + CURVE / 2, HEIGHT - 10), "Dice", align="center")
    yield text((left - 6, top + CURVE / 2), "IoU", align="right")
    words = left + CURVE + 24
    yield text((words, top + 18), "IoU = Dice / (2 − Dice)")
    yield text((words, top + 42), f"{iou:.3f} = {dice:.3f} / {2 - dice:.3f}")
    yield text((words, top + 74), "Both order predictions alike;", fill="muted")
    yield text((words, top + 96), "IoU is never the larger one.", fill="muted")
