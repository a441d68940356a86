"""The pixels explorer: a picture, its label map on coarser and coarser cells, and what three scores say of the loss."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import ipywidgets
import torch
from torch import Tensor

from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.labelled import Labelled
from segedu.classroom.explorers.pixels_cells import RULES
from segedu.classroom.explorers.pixels_picture import PixelsPicture
from segedu.classroom.explorers.pixels_words import say_cell, say_cells, say_class, say_scores
from segedu.classroom.explorers.scene import Cell, Primitive, Scene
from segedu.metrics import BoundaryF1, ConfusionMatrix

STYLE, WIDE = {"description_width": "110px"}, {"width": "auto"}
LARGEST = 32  # pixels along a cell, as many as the deepest layers of most networks have
ALL = "all classes"


@dataclass(frozen=True, eq=False)
class Reduced:
    """One label map on cells, beside the map itself: ``coarse`` and ``truth`` are ``(H, W)`` int64.

    ``shown`` is the number of the class that stands out, None for all. ``iou`` has a value for each class, NaN where
    neither map has it. ``shares`` is how much of the labelled pixels each class has.
    """

    image: int
    cell: int
    rule: str
    shown: int | None
    truth: Tensor
    coarse: Tensor
    accuracy: float
    mean_iou: float
    boundary_f1: float
    iou: Tensor
    shares: Tensor

    @property
    def lost(self) -> list[int]:
        """The classes of the truth that no cell has."""
        return [k for k, share in enumerate(self.shares.tolist()) if share > 0 and not (self.coarse == k).any()]


class Pixels(Explorer[Reduced]):
    """A slider for how many pixels a cell of the label map is wide, and what becomes of regions and edges.

    ``images (N, 3, H, W)`` are normalised by ``mean`` and ``std``, ``labels (N, H, W)`` hold 0..K-1 or
    ``ignore_index``, ``palette (K, 3)`` is uint8. A cell takes the most common class of its labelled pixels, or, to
    see why not, the mean of their class numbers; both are judged by the labels at full size. Raises ``ValueError``
    where images, labels, classes and palette do not belong together.
    """

    lines_of_words: ClassVar[int] = 4

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        classes: Sequence[str],
        palette: Tensor,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        ignore_index: int = 255,
    ) -> None:
        given = Labelled(images, labels, classes, palette, mean, std, ignore_index)
        self.classes, self.ignore_index, self._labels = given.legend.classes, ignore_index, given.labels
        self._picture = PixelsPicture(given)
        self._reduce = functools.lru_cache(maxsize=512)(self._reduced)
        super().__init__("Pixels explorer: a label map on coarser and coarser cells", self._cells(), self._views())

    def _cells(self) -> dict[str, ipywidgets.ValueWidget]:
        """How wide a cell is, and how it comes by its class."""
        look: dict[str, Any] = {"layout": WIDE, "style": STYLE}
        return {
            "cell": ipywidgets.IntSlider(8, min=1, max=LARGEST, description="cell, pixels", **look),
            "rule": ipywidgets.Dropdown(options=[*RULES], description="a cell takes", **look),
        }

    def _views(self) -> dict[str, ipywidgets.ValueWidget]:
        """Which image it is, if there are several, and which class stands out."""
        look: dict[str, Any] = {"layout": WIDE, "style": STYLE}
        last = len(self._labels) - 1
        images = {"image": ipywidgets.IntSlider(0, min=0, max=last, description="image", **look)} if last else {}
        return images | {"class": ipywidgets.Dropdown(options=[ALL, *self.classes], description="show", **look)}

    def compute(self, state: State) -> Reduced:
        """Reduce the labels of the image to cells, and judge them by the labels."""
        shown = None if state["class"] == ALL else self.classes.index(state["class"])
        return self._reduce(state.get("image", 0), state["cell"], state["rule"], shown)

    def _reduced(self, image: int, cell: int, rule: str, shown: int | None) -> Reduced:
        truth, classes = self._labels[image], len(self.classes)
        coarse = RULES[rule](truth, cell, classes, self.ignore_index)
        regions = ConfusionMatrix(classes, self.ignore_index)
        edges = BoundaryF1(classes, ignore_index=self.ignore_index)
        for metric in (regions, edges):
            metric.update(coarse[None], truth[None])
        scores = regions.scores()
        return Reduced(
            image=image,
            cell=cell,
            rule=rule,
            shown=shown,
            truth=truth,
            coarse=coarse,
            accuracy=scores.pixel_accuracy,
            mean_iou=scores.mean_iou,
            boundary_f1=edges.scores().mean_f1,
            iou=scores.iou,
            shares=torch.nan_to_num(scores.frequency),
        )

    def draw(self, result: Reduced) -> Scene:
        return self._picture.scene(result)

    def marks(self, result: Reduced, scene: Scene, cell: Cell | None) -> list[Primitive]:
        return [] if cell is None else self._picture.marks(result, scene, scene.place(cell))

    def words(self, result: Reduced, scene: Scene, cell: Cell | None) -> str:
        legend = self._picture.legend
        return "\n".join(
            [
                say_cells(result),
                say_scores(result),
                say_class(result, legend),
                "Point at a pixel, or click it to pin it: its number and its name appear."
                if cell is None
                else say_cell(result, legend, self._picture.pixel(scene.place(cell))),
            ]
        )
