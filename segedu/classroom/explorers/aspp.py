"""The ASPP explorer: parallel dilated kernels on one map, how many of their taps fall off it, and what is left."""

from typing import Any, ClassVar

import ipywidgets

from segedu.classroom.explorers import aspp_picture, aspp_words
from segedu.classroom.explorers.aspp_heads import PRESETS, RATES, Preset, Pyramid
from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.scene import Cell, Primitive, Scene

LARGEST_RATE = 36
SIZES = (8, 65)
HEADS = [("v3: 1 × 1, rates, image pooling", "v3"), ("v2: rates", "v2")]


class ASPPExplorer(Explorer[Pyramid]):
    """Atrous spatial pyramid pooling on a square map: every branch's taps at one cell, those in the padding hollow.

    Beside them each branch's taps on the map, at every cell and as a kernel of how often each weight is on the map,
    and the same for all rates at once: towards the map's size a 3x3 filter becomes a 1x1 (DeepLab v3, section 3.3).
    Buttons set the heads of the papers. A fourth rate of 0 is a branch that is not there.
    """

    lines_of_words: ClassVar[int] = 5
    main_control: ClassVar[str | None] = "size"

    def __init__(self) -> None:
        look: dict[str, Any] = {"layout": {"width": "auto"}, "style": {"description_width": "80px"}}
        start = next(iter(PRESETS.values())).state
        sliders = {
            rate: ipywidgets.IntSlider(
                start[rate], min=int(rate != RATES[-1]), max=LARGEST_RATE, description=f"rate {number}", **look
            )
            for number, rate in enumerate(RATES, 1)
        }
        sliders[RATES[-1]].tooltip = "0: no fourth rate"
        super().__init__(
            "ASPP explorer: parallel dilated kernels on a map, and how much of them falls off it",
            {
                "head": ipywidgets.Dropdown(options=HEADS, value=start["head"], description="DeepLab", **look),
                "size": ipywidgets.IntSlider(start["size"], min=SIZES[0], max=SIZES[1], description="map size", **look),
            },
            sliders,
        )
        presets = ipywidgets.HBox(self._buttons(), layout={"flex_flow": "row wrap"})
        self.children: tuple[ipywidgets.Widget, ...] = (presets, *self.children)

    def _buttons(self) -> list[ipywidgets.Button]:
        buttons = []
        for name, preset in PRESETS.items():
            button = ipywidgets.Button(description=name, tooltip=preset.about, layout={"width": "auto"})
            button.on_click(lambda _, preset=preset: self._put(preset))
            buttons.append(button)
        return buttons

    def _put(self, preset: Preset) -> None:
        self.state = preset.state

    def compute(self, state: State) -> Pyramid:
        """The branches of this head; a rate of 0 is none."""
        return Pyramid(state["head"], state["size"], tuple(state[rate] for rate in RATES if state[rate]))

    def draw(self, result: Pyramid) -> Scene:
        return aspp_picture.scene(result)

    def marks(self, result: Pyramid, scene: Scene, cell: Cell | None) -> list[Primitive]:
        return aspp_picture.marks(result, _place(result, cell), _rate(cell))

    def words(self, result: Pyramid, scene: Scene, cell: Cell | None) -> str:
        return aspp_words.words(result, _place(result, cell), _rate(cell))


def _place(result: Pyramid, cell: Cell | None) -> tuple[int, int]:
    """The cell whose taps are shown: the one pointed at, or else one a quarter of the way in, where some are lost."""
    if cell is None or cell["panel"] == "rates":
        return result.size // 4, result.size // 4
    return cell["row"], cell["col"]


def _rate(cell: Cell | None) -> int | None:
    """The rate pointed at, if any."""
    return cell["col"] + 1 if cell is not None and cell["panel"] == "rates" else None
