"""The CRF explorer: a dense CRF on a small crop, its kernels and iterations under the hand, before beside after."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, ClassVar

import ipywidgets

from segedu.classroom.explorers import crf_picture, crf_words
from segedu.classroom.explorers.crf_control import CropControl
from segedu.classroom.explorers.crf_crops import Crop, example_crops
from segedu.classroom.explorers.crf_refinement import Refinement, Refiner, Setting
from segedu.classroom.explorers.crf_unaries import STRIDES
from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.scene import Cell, Primitive, Scene

MOST_ITERATIONS = 10
SETTINGS = [field.name for field in fields(Setting)]


class CRFExplorer(Explorer[Refinement]):
    """Mean field of a Gaussian and a bilateral kernel on unaries of a chosen stride, by the truth of a crop.

    Contours, labels and the probability of one class before and after, which pixels the CRF put right and which wrong,
    the scores, and the code for the same. ``crops`` are a photograph and painted streets, or the caller's own, at most
    192 x 256 pixels each (``Crop.of`` takes one from a data set). Raises ``ValueError`` for no crop, or two of a name.
    """

    lines_of_words: ClassVar[int] = 7
    main_control: ClassVar[str | None] = "iterations"

    def __init__(self, crops: Sequence[Crop] | None = None) -> None:
        given = example_crops() if crops is None else tuple(crops)
        names = [crop.name for crop in given]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"crops are named {names}; give at least one, and each a name of its own")
        self._refiner = Refiner(given)
        look: dict[str, Any] = {"layout": {"width": "auto"}, "style": {"description_width": "132px"}}
        halves = look | {"step": 0.5, "readout_format": ".1f"}
        super().__init__(
            "CRF explorer: labels, probabilities and edges of a crop before and after a dense CRF",
            {
                "crop": CropControl(given, look),
                "stride": ipywidgets.Dropdown(options=STRIDES, value=8, description="unaries' stride", **look),
                "iterations": ipywidgets.IntSlider(5, min=0, max=MOST_ITERATIONS, description="iterations", **look),
            },
            {
                "position_std": ipywidgets.IntSlider(20, min=5, max=60, step=5, description="θα position std", **look),
                "colour_std": ipywidgets.IntSlider(10, min=2, max=30, step=2, description="θβ colour std", **look),
                "bilateral_weight": ipywidgets.IntSlider(5, min=0, max=12, description="bilateral weight", **look),
                "gaussian_std": ipywidgets.FloatSlider(1, min=0.5, max=4, description="θγ position std", **halves),
                "gaussian_weight": ipywidgets.IntSlider(1, min=0, max=8, description="Gaussian weight", **look),
            },
        )

    def compute(self, state: State) -> Refinement:
        """Run the CRF that the controls describe."""
        crop, label = state["crop"]
        settings = {name: state[name] for name in SETTINGS if name != "crop"}
        return self._refiner.refine(Setting(crop=crop, **settings), label)

    def draw(self, result: Refinement) -> Scene:
        return crf_picture.scene(result)

    def marks(self, result: Refinement, scene: Scene, cell: Cell | None) -> list[Primitive]:
        return [] if cell is None else crf_picture.marks(result, scene, _pixel(cell))

    def words(self, result: Refinement, scene: Scene, cell: Cell | None) -> str:
        return crf_words.words(result, None if cell is None else _pixel(cell))


def _pixel(cell: Cell) -> tuple[int, int]:
    """A cell of any panel is a pixel of the crop."""
    return cell["row"], cell["col"]
