"""The unpooling explorer: a small feature map is pooled and brought back in four ways."""

from typing import ClassVar

import ipywidgets

from segedu.classroom.explorers import unpooling_picture
from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.scene import Cell, Primitive, Scene
from segedu.classroom.explorers.unpooling_view import (
    PATTERNS,
    SIZES,
    Block,
    Place,
    Unpooling,
    feature_map,
    unpooling,
)

ROUNDINGS = [("not at all", 0.0), ("tenths", 0.1), ("quarters", 0.25), ("halves", 0.5), ("ones", 1.0)]


class UnpoolingExplorer(Explorer[Unpooling]):
    """A feature map, its maxima and their offsets, and what SegNet's indices, two interpolations and a control make.

    Each way back has two numbers, what it misses of the map and what it adds to it. A cell pointed at shows its
    window, where the maximum of that came from, and where each way puts it (SegNet, section 3.3).
    """

    lines_of_words: ClassVar[int] = 5

    def __init__(self) -> None:
        look = {"layout": {"width": "auto"}, "style": {"description_width": "80px"}}
        size = {"min": SIZES[0], "max": SIZES[1], **look}
        super().__init__(
            "Unpooling explorer: a feature map pooled and brought back in four ways",
            {
                "pattern": ipywidgets.Dropdown(options=PATTERNS, description="pattern", **look),
                "noise": ipywidgets.FloatSlider(0.1, min=0, max=0.5, step=0.05, description="noise", **look),
                "seed": ipywidgets.IntSlider(0, min=0, max=9, description="seed", **look),
                "rounding": ipywidgets.Dropdown(options=ROUNDINGS, description="round to", **look),
            },
            {
                "height": ipywidgets.IntSlider(8, description="height", **size),
                "width": ipywidgets.IntSlider(8, description="width", **size),
                "differences": ipywidgets.Dropdown(
                    options=[("what comes back", False), ("its error", True)], description="show", **look
                ),
            },
        )

    def compute(self, state: State) -> Unpooling:
        """Make the map, pool it, and bring it back in every way."""
        setting = (state[name] for name in ("pattern", "height", "width", "noise", "rounding", "seed"))
        return unpooling(feature_map(*setting), state["differences"])

    def draw(self, result: Unpooling) -> Scene:
        return unpooling_picture.scene(result)

    def marks(self, result: Unpooling, scene: Scene, cell: Cell | None) -> list[Primitive]:
        return [] if cell is None else unpooling_picture.marks(result, scene, _pointed(result, cell))

    def words(self, result: Unpooling, scene: Scene, cell: Cell | None) -> str:
        about = _say_reading() if cell is None else _say_cell(result, _pointed(result, cell))
        return "\n".join([_say_windows(result), _say_errors(result), *about])


def _pointed(result: Unpooling, cell: Cell) -> Place:
    """The cell of the map that is meant: of a window in the pooled map, the one that its maximum came from."""
    place = (cell["row"], cell["col"])
    return result.source(place) if cell["panel"] == "pooled" else place


def _say_windows(result: Unpooling) -> str:
    """Sizes, windows that are cut off, and ties."""
    (height, width), (down, across) = result.values.shape, result.pooled.shape
    cut = f", {result.cut} cut off" if result.cut else ""
    if not result.ties:
        ties = "No two cells tie for a maximum."
    elif result.ties == 1:
        ties = "1 ties (grey): its first cell wins."
    else:
        ties = f"{result.ties} tie (grey): their first cell wins."
    return f"{height} × {width} cells, {down} × {across} windows{cut}. {ties}"


def _say_errors(result: Unpooling) -> str:
    """What unpooling does that the others do not, and which way comes closest to the map."""
    totals = {way: round(errors.total, 2) for way, errors in result.errors.items()}
    least = min(totals.values())
    ways = " and ".join(way for way, total in totals.items() if total == least)
    missing = result.errors["indices"].missing
    return f"Indices add nothing; their holes miss {missing:.2f}. Least error: {ways}, {least:.2f}."


def _say_reading() -> list[str]:
    """How to read the picture, while nobody points at anything."""
    return [
        "Dots are maxima. Missing and added, means over all cells, together are the error.",
        "Shuffled indices are other windows': each value in its window, but out of place.",
        "Point at a cell, or click to pin it: where its window's maximum came from and goes.",
    ]


def _say_cell(result: Unpooling, place: Place) -> list[str]:
    """What stands in one cell, and the way of its window's maximum."""
    window = (place[0] // 2, place[1] // 2)
    offset, equals, cells = int(result.offsets[window]), int(result.equals[window]), result.window(window).cells
    shown = ", ".join(f"{way} {restored[place]:.2f}" for way, restored in result.restored.items())
    first = f", first of {equals} equal" if equals > 1 else ""
    cut = f" of {cells}" if cells < 4 else ""
    goes = ", ".join(f"{way} {_where(result.goes_to(way, window))}" for way in result.restored)
    return [
        f"Row {place[0]}, column {place[1]}: {result.values[place]:.2f}; {shown}.",
        f"Maximum of its window{cut}: {result.pooled[window]:.2f} at {result.source(window)}, "
        f"offset {offset} = 2·{offset // 2} + {offset % 2}{first}.",
        f"It goes to: {goes}.",
    ]


def _where(block: Block) -> str:
    return f"({block.row}, {block.col})" if block.cells == 1 else f"{block.cells} cells"
