"""How the gridding explorer looks: two fields of equal size, chosen and planned, over their counts along one axis."""

from segedu.classroom.explorers.heat import DIGIT, heat_map, legend, outlines, tag
from segedu.classroom.explorers.scene import Point, Primitive, Scene, line, rectangle, text
from segedu.receptive_field.coverage import Gridding

WIDTH, HEIGHT, TITLE, SIDE = 840, 426, 28, 300  # CSS pixels
LEFT, PITCH = 2, 340  # where the first field begins, and from there to the second
LEGEND = LEFT + 2 * PITCH + 10
BARS_TOP, BARS_FOOT = TITLE + SIDE + 30, HEIGHT - 8


def scene(chosen: Gridding, planned: Gridding) -> Scene:
    """Both heat maps on one scale of colours, with their profiles below and the scale beside them."""
    most = max(max(found.axis_paths) for found in (chosen, planned))
    return Scene(
        WIDTH,
        HEIGHT,
        [
            *_field("chosen", f"rates {chosen.rates}", chosen, LEFT, most),
            *_field("planned", f"plan({chosen.size}) = {planned.rates}", planned, LEFT + PITCH, most),
            text((LEGEND, TITLE / 2), "paths to a cell"),
            *legend((LEGEND, TITLE + 8, 18, SIDE - 8), most**2, ": a hole"),
            text((LEGEND, BARS_TOP + 16), "paths along"),
            text((LEGEND, BARS_TOP + 36), "one axis"),
        ],
    )


def marks(chosen: Gridding, planned: Gridding, shown: Scene, place: tuple[int, int]) -> list[Primitive]:
    """The same place in both fields, with its paths, and its column among the bars."""
    fields = [item for item in shown.items if item.get("panel")]
    marked: list[Primitive] = []
    for panel, found in zip(fields, (chosen, planned), strict=True):
        row, col = place
        count = found.axis_paths[row] * found.axis_paths[col]
        step = panel["box"][2] / found.size
        bar = (panel["box"][0] + col * step, BARS_TOP - 20, step, BARS_FOOT - BARS_TOP + 26)
        marked += [*outlines(panel, [place]), rectangle(bar, stroke="now"), tag(panel, place, f"{count}")]
    return marked


def percent(share: float) -> str:
    """``29.0 %``, and ``100 %`` for all of it."""
    return f"{100 * share:.{0 if share == 1 else 1}f}\N{NO-BREAK SPACE}%"


def _field(panel: str, name: str, found: Gridding, left: float, most: int) -> list[Primitive]:
    field = heat_map((left, TITLE), SIDE, found.paths, most**2, panel)
    return [
        text((left, TITLE / 2), f"{name}: {percent(found.coverage)} covered"),
        *field,
        *_bars((left, field[0]["box"][2] / found.size), found.axis_paths, most),
    ]


def _bars(across: Point, counts: tuple[int, ...], most: int) -> list[Primitive]:
    """A bar under each column of a field, which begins at ``across[0]`` with cells ``across[1]`` wide."""
    left, step = across
    scale = (BARS_FOOT - BARS_TOP) / most
    gap = 1 if step > 5 else 0
    items = [line([(left, BARS_FOOT), (left + step * len(counts), BARS_FOOT)], stroke="border", width=1)]
    for index, count in enumerate(counts):
        height, x = scale * count, left + step * index
        if count:
            items.append(rectangle((x + gap, BARS_FOOT - height, step - 2 * gap, height), fill="rest"))
        else:
            items.append(rectangle((x + gap, BARS_FOOT, step - 2 * gap, 4), fill="now"))
    return items + _numbers(across, counts, scale)


def _numbers(across: Point, counts: tuple[int, ...], scale: float) -> list[Primitive]:
    """The count over each bar; where bars are too narrow, over the highest one nearest the middle."""
    left, step = across
    places = list(range(len(counts)))
    if DIGIT * len(str(max(counts))) > step:
        places = [min((i for i in places if counts[i] == max(counts)), key=lambda i: abs(i - len(counts) // 2))]
    return [
        text(
            (left + step * (place + 0.5), BARS_FOOT - scale * counts[place] - 10),
            f"{counts[place]}",
            align="center",
            fill="text" if counts[place] else "now",
        )
        for place in places
    ]
