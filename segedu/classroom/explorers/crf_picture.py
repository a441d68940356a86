"""How the CRF explorer looks: a crop with its contours, and labels, probabilities and mistakes before and after."""

from collections.abc import Iterator

import numpy as np
from torch import Tensor

from segedu.classroom.colours import GREEN, NOW
from segedu.classroom.explorers.crf_contours import INKS, overlay
from segedu.classroom.explorers.crf_crops import SIZE
from segedu.classroom.explorers.crf_refinement import BROKEN, MENDED, OUTCOMES, VOID, WRONG, Refinement
from segedu.classroom.explorers.heat import CIVIDIS, tag
from segedu.classroom.explorers.labelled import label_colours, share
from segedu.classroom.explorers.scene import (
    FONT_SIZE,
    Box,
    Bytes,
    Primitive,
    Scene,
    cells,
    gradient,
    line,
    picture,
    rectangle,
    ring,
    text,
)
from segedu.classroom.explorers.score_bars import key

WIDTH, EDGE, TITLE, LINE = 840, 2, 26, 24  # CSS pixels
PANEL_HEIGHT, PANEL_WIDTH = (2 * side for side in SIZE)
GAP = (WIDTH - 2 * EDGE - 3 * PANEL_WIDTH) // 2
ROWS = (TITLE, 2 * TITLE + PANEL_HEIGHT + LINE)  # where panels begin
BOTTOM = ROWS[1] + PANEL_HEIGHT  # where they end
LETTER = 0.62 * FONT_SIZE  # the width of a letter, a little generous
HEAT = gradient(*CIVIDIS)
INK = {MENDED: GREEN, BROKEN: NOW, WRONG: "#5f5f5f", VOID: "#000000"}
"""The colours of pixels that were wrong at some time; those that never were show the picture, pale and grey."""


def scene(shown: Refinement) -> Scene:
    """``edges, labels before, labels after`` over ``mistakes, probability before, probability after``."""
    classes = [*_classes(shown)]
    items = [*_edges(shown), *_labels(shown), *_mistakes(shown), *_probabilities(shown), *classes]
    return Scene(WIDTH, round(max(item["at"][1] for item in classes if item["kind"] == "text")) + LINE // 2, items)


def marks(shown: Refinement, drawn: Scene, pixel: tuple[int, int]) -> list[Primitive]:
    """One pixel in every panel, with what is there."""
    tags = {
        "edges": name_of(shown, shown.crop.labels[pixel]),
        "before": name_of(shown, shown.before.labels[pixel]),
        "after": name_of(shown, shown.after.labels[pixel]),
        "mistakes": OUTCOMES[shown.outcomes[pixel]],
        "probability before": f"{float(shown.before.probabilities[(shown.label, *pixel)]):.2f}",
        "probability after": f"{float(shown.after.probabilities[(shown.label, *pixel)]):.2f}",
    }
    marked = []
    for panel in (item for item in drawn.items if item.get("panel")):
        (x, y, width, height), (rows, cols) = panel["box"], panel["shape"]
        marked.append(tag(panel, pixel, tags[panel["panel"]]))
        marked.append(ring((x + (pixel[1] + 0.5) * width / cols, y + (pixel[0] + 0.5) * height / rows)))
    return marked


def name_of(shown: Refinement, label: Tensor) -> str:
    """The class's name, or void."""
    return "void" if int(label) == shown.crop.ignore_index else shown.crop.classes[int(label)]


def _edges(shown: Refinement) -> Iterator[Primitive]:
    """The crop under the contours of the truth and of both answers."""
    crop, before, after = shown.crop, shown.before, shown.after
    scores = f"{share(before.boundary_f1)} → {share(after.boundary_f1)}"
    box = _box(shown, 0, 0)
    yield from _titled(0, 0, "boundary F1", scores, picture(box, _rgb(shown), panel="edges"))
    yield cells(box, overlay(crop.labels, before.labels, after.labels, crop.ignore_index), INKS)
    y = ROWS[0] + PANEL_HEIGHT + LINE / 2
    yield rectangle((EDGE, y - 5, 26, 10), fill="#ffffff", stroke="border")
    yield text((EDGE + 34, y), "truth")
    for start in (0, 10, 20):
        yield line([(EDGE + 84 + start, y), (EDGE + 90 + start, y)], stroke="rest", width=3)
    yield text((EDGE + 118, y), "before")
    yield line([(EDGE + 178, y), (EDGE + 204, y)], stroke="now", width=3)
    yield text((EDGE + 212, y), "after")


def _labels(shown: Refinement) -> Iterator[Primitive]:
    palette = label_colours(shown.crop.palette)
    for column, (name, answer) in enumerate((("before", shown.before), ("after", shown.after)), 1):
        grid = cells(_box(shown, 0, column), answer.labels.byte().numpy(), palette, panel=name)
        yield from _titled(0, column, f"labels {name}", f"mean IoU {share(answer.mean_iou)}", grid)
    now, y = shown.setting, ROWS[0] + PANEL_HEIGHT + LINE / 2
    yield text((_left(1), y), f"made from the truth, stride {now.stride}", fill="muted")
    yield text((_left(2), y), f"iterations: {now.iterations}", fill="muted")


def _mistakes(shown: Refinement) -> Iterator[Primitive]:
    """Where the labels were or are wrong, over the crop in pale grey."""
    pale = 175 + 0.3 * _rgb(shown).mean(-1, keepdims=True).repeat(3, -1)
    rgb = pale.astype(np.uint8)
    for outcome, ink in INK.items():
        rgb[shown.outcomes == outcome] = [*bytes.fromhex(ink[1:])]
    grid = picture(_box(shown, 1, 0), rgb, panel="mistakes")
    yield from _titled(1, 0, "mistakes", f"{shown.changed} pixels changed", grid)
    for x, outcome in ((0, MENDED), (160, BROKEN), (330, WRONG)):
        words = f"{OUTCOMES[outcome]}: {shown.counts[outcome]}"
        yield from key((EDGE + x, BOTTOM + LINE / 2), words, INK[outcome])
    if shown.counts[VOID]:
        yield from key((EDGE + 495, BOTTOM + LINE / 2), OUTCOMES[VOID], INK[VOID])


def _probabilities(shown: Refinement) -> Iterator[Primitive]:
    """The class that is looked at, and what the colours mean."""
    name = shown.crop.classes[shown.label]
    for column, (when, answer) in enumerate((("before", shown.before), ("after", shown.after)), 1):
        shades = ((len(HEAT) - 1) * answer.probabilities[shown.label]).round().byte().numpy()
        grid = cells(_box(shown, 1, column), shades, HEAT, panel=f"probability {when}")
        yield from _titled(1, column, f"probability of {name} {when}", "", grid)
    left, y = _left(2), BOTTOM + LINE / 2
    bar = (left + 20, y - 6, PANEL_WIDTH - 40, 12)
    yield text((left + PANEL_WIDTH, y), "1", align="right")
    yield text((left, y), "0")
    yield cells(bar, np.arange(len(HEAT), dtype=np.uint8)[None], HEAT)
    yield rectangle(bar, stroke="border")


def _classes(shown: Refinement) -> Iterator[Primitive]:
    """The names of the classes, in as many lines as they need."""
    x, y = float(EDGE), BOTTOM + 1.5 * LINE
    for name, colour in zip(shown.crop.classes, shown.crop.palette.tolist(), strict=True):
        width = 32 + LETTER * len(name)
        if x + width > WIDTH:
            x, y = float(EDGE), y + LINE
        yield from key((x, y), name, "#" + bytes(colour).hex())
        x += width


def _titled(row: int, column: int, title: str, right: str, grid: Primitive) -> Iterator[Primitive]:
    """A panel under its title; the answers are framed in the colours of their contours."""
    y = ROWS[row] - TITLE / 2 + 1
    x, top, width, height = grid["box"]
    yield text((_left(column), y), title)
    if right:
        yield text((_left(column) + PANEL_WIDTH, y), right, align="right")
    yield grid
    yield rectangle((x - 1, top - 1, width + 2, height + 2), stroke=("border", "rest", "now")[column], width=2)


def _box(shown: Refinement, row: int, column: int) -> Box:
    height, width = shown.crop.labels.shape
    scale = min(PANEL_HEIGHT / height, PANEL_WIDTH / width)
    return (_left(column), ROWS[row], round(scale * width), round(scale * height))


def _left(column: int) -> float:
    return EDGE + column * (PANEL_WIDTH + GAP)


def _rgb(shown: Refinement) -> Bytes:
    rgb: Bytes = shown.crop.image.movedim(0, -1).numpy()
    return rgb
