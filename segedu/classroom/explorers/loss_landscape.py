"""The loss landscape: what seven losses cost a prediction, and how hard each of them pulls at it."""

from typing import Any, ClassVar

import ipywidgets

from segedu.classroom.explorers import loss_landscape_picture, loss_landscape_words
from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.loss_landscape_curves import Landscape, Setting, landscape
from segedu.classroom.explorers.scene import Cell, Primitive, Scene


class LossLandscape(Explorer[Landscape]):
    """An object in a scene of 100 pixels, and the losses as the probability given to its pixels grows.

    Cross entropy, its weighted form and focal loss look at one of its pixels; Dice, IoU, Tversky and Lovász at all.
    The plots show the losses or how hard they pull: minus the gradient by the logit of one of the object's pixels.
    """

    lines_of_words: ClassVar[int] = 5

    def __init__(self) -> None:
        look: dict[str, Any] = {"layout": {"width": "auto"}, "style": {"description_width": "96px"}}
        share = {"step": 0.05, "max": 1, **look}
        super().__init__(
            "Loss landscape: seven losses and their gradients side by side",
            {
                "p": ipywidgets.FloatSlider(0.5, min=0.02, max=0.98, step=0.02, description="p", **look),
                "objects": ipywidgets.IntSlider(5, min=1, max=50, description="object, %", **look),
                "false_alarm": ipywidgets.FloatSlider(
                    0.02, min=0, max=0.5, step=0.02, description="false alarm", **look
                ),
                "pulls": ipywidgets.Dropdown(
                    options=[("the loss", False), ("its pull", True)], description="show", **look
                ),
            },
            {
                "gamma": ipywidgets.FloatSlider(2, min=0, max=5, step=0.25, description="focal γ", **look),
                "alpha": ipywidgets.FloatSlider(1, min=0.05, description="focal α", **share),
                "tversky_alpha": ipywidgets.FloatSlider(0.3, min=0, description="Tversky α", **share),
            },
        )

    def compute(self, state: State) -> Landscape:
        """The curves of this setting; those that it shares with another were kept."""
        names = ("p", "objects", "false_alarm", "gamma", "alpha", "tversky_alpha")
        return landscape(Setting(*(state[name] for name in names)), state["pulls"])

    def draw(self, result: Landscape) -> Scene:
        return loss_landscape_picture.scene(result)

    def marks(self, result: Landscape, scene: Scene, cell: Cell | None) -> list[Primitive]:
        if cell is None:
            return []
        return loss_landscape_picture.marks(result, scene, cell["panel"], (cell["row"], cell["col"]))

    def words(self, result: Landscape, scene: Scene, cell: Cell | None) -> str:
        panel, place = (None, (0, 0)) if cell is None else (cell["panel"], (cell["row"], cell["col"]))
        return loss_landscape_words.words(result, panel, place)
