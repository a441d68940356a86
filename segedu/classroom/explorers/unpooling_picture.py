"""How the unpooling explorer looks: map, maxima and offsets above, and below them what each way back makes."""

import numpy as np

from segedu.classroom.explorers.heat import CIVIDIS, grid_lines
from segedu.classroom.explorers.scene import (
    SIGNED,
    Box,
    Bytes,
    Point,
    Primitive,
    Scene,
    cells,
    gradient,
    line,
    rectangle,
    ring,
    signed,
    text,
)
from segedu.classroom.explorers.unpooling_view import Block, Place, Unpooling, Values

LEFT, SIDE, PITCH = 4, 180, 214  # CSS pixels: the first column, a panel's longest side, from one column to the next
TITLE, LINE = 26, 20
BACK = TITLE + SIDE + 14  # where the lower row begins
PANELS_BACK = BACK + TITLE + 2 * LINE + 6
WIDTH, HEIGHT = 840, PANELS_BACK + SIDE + 4
NUMBERS, BAR = 100, 9  # the width of "missing 0.25" with some space, and the height of a bar
RING = 58  # from the right end of a title to the ring that stands before its number
COST, LEGEND = 34, 24  # from one form in which places are kept to the next, and from one scale of colours to the next
VALUES = gradient(*CIVIDIS)
WINDOW = "#9e9e9e"  # shows on the darkest value and on the brightest
TIE = "#757575"
OFFSETS = np.array([(128, 128, 128, 48), (0, 114, 178, 255), (117, 117, 117, 255)], np.uint8)  # none, one, a tie


def scene(result: Unpooling) -> Scene:
    """Above the map, the pooled map, the offsets and what they cost; below the four ways back."""
    (height, width), (down, across) = result.values.shape, result.pooled.shape
    step = _step(result)
    top = [(LEFT + column * PITCH, TITLE) for column in range(4)]
    items = [
        *_panel("map", f"map {height} × {width}", top[0], _shades(result, result.values), VALUES, step),
        *_window_lines(result, top[0]),
        *_dots(result, top[0]),
        *_panel("pooled", f"pooled {down} × {across}", top[1], _shades(result, result.pooled), VALUES, 2 * step),
        *_window_lines(result, top[1]),
        *_panel("offsets", "offsets", top[2], _chosen(result), OFFSETS, step),
        *_window_lines(result, top[2]),
        *_digits(result, top[2]),
        *_costs(result, top[3]),
        *_legends(result, top[3]),
    ]
    longest = max(error for errors in result.errors.values() for error in errors)
    for (left, _), (way, restored) in zip(top, result.restored.items(), strict=True):
        error = signed(restored - result.values, result.limit)
        colours = (error, SIGNED) if result.differences else (_shades(result, restored), VALUES)
        items += _panel(way, way, (left, PANELS_BACK), *colours, step)
        items += _window_lines(result, (left, PANELS_BACK))
        items += _error_bars(result, way, left, longest)
    return Scene(WIDTH, HEIGHT, items)


def marks(result: Unpooling, shown: Scene, place: Place) -> list[Primitive]:
    """A ring around one cell with its value beside each title, and frames along the way of its window's maximum."""
    window = (place[0] // 2, place[1] // 2)
    whole, source, pooled = result.window(window), Block(*result.source(window), 1, 1), Block(*window, 1, 1)
    frames = {"map": [whole, source], "pooled": [pooled], "offsets": [whole]}
    frames |= {way: [result.goes_to(way, window)] for way in result.restored}
    numbers = {"pooled": f"{result.pooled[window]:.2f}"} | _numbers(result, place)
    marked: list[Primitive] = []
    for panel in (item for item in shown.items if item.get("panel")):
        name = panel["panel"]
        right, title = panel["box"][0] + SIDE, _title_height(panel)
        if name in numbers:
            marked.append(text((right, title), numbers[name], align="right"))
        if name not in ("pooled", "offsets"):
            marked += [ring((right - RING, title), 4), ring(_middle(panel, place), 4)]
        marked += [rectangle(_around(panel, block), stroke="now", width=2, halo=True) for block in frames[name]]
    return marked


def _numbers(result: Unpooling, place: Place) -> dict[str, str]:
    """What the map and each way back show in one cell: values, or errors with their sign."""
    numbers = {way: f"{restored[place]:.2f}" for way, restored in result.restored.items()}
    if result.differences:
        errors = {way: float(restored[place] - result.values[place]) for way, restored in result.restored.items()}
        numbers = {way: f"{round(error, 2) + 0.0:+.2f}".replace("-", "−") for way, error in errors.items()}
    return {"map": f"{result.values[place]:.2f}"} | numbers


def _step(result: Unpooling) -> int:
    """The side of a cell of the map, such that windows that an odd edge cuts off have room as a whole."""
    return SIDE // (2 * int(max(result.pooled.shape)))


def _panel(name: str, title: str, at: Point, indices: Bytes, palette: Bytes, step: int) -> list[Primitive]:
    """A titled grid of cells ``step`` wide."""
    rows, cols = indices.shape
    box = (*at, step * cols, step * rows)
    grid = cells(box, indices, palette, panel=name)
    return [text((at[0], _title_height(grid)), title), grid, *grid_lines(box, rows, cols)]


def _window_lines(result: Unpooling, at: Point) -> list[Primitive]:
    """The borders of all windows; where one is cut off they run on beyond the map."""
    (x, y), (down, across), side = at, result.pooled.shape, 2 * _step(result)
    right, foot = x + side * across, y + side * down
    upright = [[(x + side * col, y), (x + side * col, foot)] for col in range(across + 1)]
    level = [[(x, y + side * row), (right, y + side * row)] for row in range(down + 1)]
    return [line(points, stroke=WINDOW, width=2) for points in upright + level]


def _shades(result: Unpooling, values: Values) -> Bytes:
    """Indices into `VALUES`: dark for 0, bright for the largest value."""
    return np.asarray(np.rint(values * ((len(VALUES) - 1) / result.limit)), np.uint8)


def _dots(result: Unpooling, at: Point) -> list[Primitive]:
    """A dot on each cell that gave a maximum, grey where others hold the same."""
    step = _step(result)
    size = max(6, step // 4)
    return [
        rectangle(
            (at[0] + (col + 0.5) * step - size / 2, at[1] + (row + 0.5) * step - size / 2, size, size),
            fill=TIE if result.equals[window] > 1 else "rest",
            stroke="#ffffff",
        )
        for window in np.ndindex(result.pooled.shape)
        for row, col in [result.source(window)]
    ]


def _chosen(result: Unpooling) -> Bytes:
    """Indices into `OFFSETS`: which cells gave a maximum, ``(H, W)``."""
    chosen = np.zeros(result.values.shape, np.uint8)
    for window in np.ndindex(result.pooled.shape):
        chosen[result.source(window)] = 2 if result.equals[window] > 1 else 1
    return chosen


def _digits(result: Unpooling, at: Point) -> list[Primitive]:
    """Each offset on the cell that it names."""
    step = _step(result)
    return [
        text((at[0] + (col + 0.5) * step, at[1] + (row + 0.5) * step + 1), f"{offset}", fill="#ffffff", align="center")
        for window, offset in np.ndenumerate(result.offsets)
        for row, col in [result.source(window)]
    ]


def _costs(result: Unpooling, at: Point) -> list[Primitive]:
    """What it takes to know where the maxima were, in three forms, and in none."""
    left, right = at[0], at[0] + SIDE
    costs = result.kept | {"nearest, bilinear": 0}
    items = [text((left, TITLE / 2), "kept for the way back")]
    for row, (form, size) in enumerate(costs.items()):
        y = at[1] + COST * row
        items += [text((left, y + LINE / 2), form), text((right, y + LINE / 2), f"{size} B", align="right")]
        items.append(rectangle((left, y + LINE, SIDE * size / max(costs.values()), BAR), fill="rest"))
    return items


def _legends(result: Unpooling, at: Point) -> list[Primitive]:
    """The colours of values, and of errors where they are shown, with the numbers at both ends."""
    limit = f"{result.limit:.2f}"
    scales = [("0", VALUES, limit)] + ([(f"−{limit}", SIGNED, f"+{limit}")] if result.differences else [])
    items = []
    for row, (low, palette, high) in enumerate(scales):
        middle = at[1] + SIDE - LEGEND * (len(scales) - row - 0.5)
        bar = (at[0] + 40, middle - 7, SIDE - 80, 14)
        items += [
            text((bar[0] - 6, middle), low, align="right"),
            cells(bar, np.arange(len(palette), dtype=np.uint8)[None], palette),
            rectangle(bar, stroke="border"),
            text((bar[0] + bar[2] + 6, middle), high),
        ]
    return items


def _error_bars(result: Unpooling, way: str, left: float, longest: float) -> list[Primitive]:
    """What a way misses of the map, and what it adds to it: numbers and bars on one scale for all ways."""
    items = []
    for row, (name, error, fill) in enumerate(
        zip(("missing", "added"), result.errors[way], ("rest", "now"), strict=True)
    ):
        middle = BACK + TITLE + LINE * (row + 0.5)
        length = (SIDE - NUMBERS) * error / max(longest, 1e-6)
        items += [
            text((left, middle), f"{name} {error:.2f}"),
            rectangle((left + NUMBERS, middle - BAR / 2, length, BAR), fill=fill),
        ]
    return items


def _middle(panel: Primitive, place: Place) -> Point:
    """The centre of a panel's cell."""
    x, y, across, down = _around(panel, Block(*place, 1, 1))
    return x + across / 2, y + down / 2


def _around(panel: Primitive, block: Block) -> Box:
    """The edges of a block of a panel's cells."""
    (x, y, width, height), (rows, cols) = panel["box"], panel["shape"]
    across, down = width / cols, height / rows
    return x + block.col * across, y + block.row * down, block.cols * across, block.rows * down


def _title_height(panel: Primitive) -> float:
    """Where the title of a panel stands."""
    return TITLE / 2 if panel["box"][1] == TITLE else BACK + TITLE / 2
