"""The mask editor: paint a predicted mask beside a true one, and see every metric move at once."""

from typing import Any, ClassVar

import ipywidgets

from segedu.classroom.explorers import mask_editor_picture, mask_editor_words
from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.mask_editor_control import MaskControl
from segedu.classroom.explorers.mask_editor_masks import TOOLS, Masks, Place
from segedu.classroom.explorers.mask_editor_scores import Edited
from segedu.classroom.explorers.scene import Cell, Primitive, Scene

WIDEST, FARTHEST = 5, 3  # pixels, of the brush and of the tolerance


class MaskEditor(Explorer[Edited]):
    """A true object, a prediction to paint, and the scores that the library gives it, now and before the last change.

    A click puts the brush down, and so does every move of the pinned cell over the prediction: arrow keys draw. On the
    truth they only move. What a state holds of the prediction is a drawing, a tuple of lines of ``#`` and ``.``.
    """

    lines_of_words: ClassVar[int] = 5
    main_control: ClassVar[str | None] = "tolerance"

    def __init__(self) -> None:
        look: dict[str, Any] = {"layout": {"width": "auto"}, "style": {"description_width": "80px"}}
        self.masks = MaskControl(look)
        super().__init__(
            "Mask editor: a predicted mask to paint, and what every metric says of it",
            {
                "masks": self.masks,
                "tool": ipywidgets.Dropdown(options=TOOLS, description="tool", **look),
            },
            {
                "brush": ipywidgets.IntSlider(1, min=1, max=WIDEST, step=2, description="brush", **look),
                "tolerance": ipywidgets.IntSlider(1, min=1, max=FARTHEST, description="tolerance", **look),
                "void": ipywidgets.Dropdown(
                    options=[("nowhere", False), ("around the object", True)], description="void", **look
                ),
            },
        )
        self.stage.observe(lambda change: self._put_down(change.new), "pinned")

    def compute(self, state: State) -> Edited:
        """Judge the prediction of this state, and the one before it."""
        return Edited(Masks(*state["masks"]), *(state[name] for name in ("void", "tool", "brush", "tolerance")))

    def draw(self, result: Edited) -> Scene:
        return mask_editor_picture.scene(result)

    def marks(self, result: Edited, scene: Scene, cell: Cell | None) -> list[Primitive]:
        return [] if cell is None else mask_editor_picture.marks(result, scene, _place(cell))

    def words(self, result: Edited, scene: Scene, cell: Cell | None) -> str:
        return mask_editor_words.words(result, None if cell is None else _place(cell))

    def _put_down(self, cell: Cell | None) -> None:
        """The reader pinned a cell: paint there, and let a cell that was clicked go, so that the pointer leads on.

        A state that is being set has its prediction already.
        """
        if cell is None or cell["panel"] != "prediction" or self._together:
            return
        with self._one_picture():
            self.masks.brush(_place(cell), self.state["tool"], self.state["brush"])
            if cell == self.stage.hovered:
                self.stage.set_trait("pinned", None)


def _place(cell: Cell) -> Place:
    return cell["row"], cell["col"]
