"""The two paths explorer: a trained BiSeNet with paths and modules switched off, what it predicts, and how fast."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import ipywidgets
from torch import Tensor

from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.labelled import Labelled, refuse_other_classes
from segedu.classroom.explorers.quality import Quality
from segedu.classroom.explorers.scene import Cell, Primitive, Scene
from segedu.classroom.explorers.two_paths_cost import Cost
from segedu.classroom.explorers.two_paths_picture import BETTER, WORSE, TwoPathsPicture
from segedu.classroom.explorers.two_paths_surgery import JOINS, PathSurgery, Setting
from segedu.classroom.explorers.two_paths_words import say_changes, say_cost, say_pixel, say_quality, say_setting
from segedu.models import BiSeNet

STYLE, WIDE = {"description_width": "110px"}, {"width": "auto"}
STEP = 0.125
SWITCHES = {
    "spatial": "spatial path",
    "context": "context path",
    "refinement": "attention refinement",
    "fusion_gate": "fusion gate",
}


@dataclass(frozen=True, eq=False)
class Passage:
    """What one setting shows of an image, beside the same as trained.

    ``seen (3, h, w)`` is the normalised image as the network reads it, ``active`` how active the spatial and the
    context path are on their grids, ``loudest`` the most active place of each as trained. Predictions are ``(H, W)``
    int64.
    """

    image: int
    setting: Setting
    trained: Setting
    seen: Tensor
    active: tuple[Tensor, Tensor]
    loudest: tuple[float, float]
    prediction: Tensor
    prediction_as_trained: Tensor
    quality: Quality
    as_trained: Quality
    cost: Cost
    cost_as_trained: Cost

    @property
    def intact(self) -> bool:
        """Whether this is the model as trained, at the image's own size."""
        return self.setting == self.trained


class Switch(ipywidgets.ToggleButton):  # type: ignore[misc]
    """On or off, and its words say which."""

    def __init__(self, name: str) -> None:
        super().__init__(value=True, layout=WIDE)
        self._name = name
        self.observe(lambda _: self._say(), "value")
        self._say()

    def _say(self) -> None:
        self.description = f"{self._name}: {'on' if self.value else 'off'}"


class TwoPathsExplorer(Explorer[Passage]):
    """Switches for the paths and modules of a trained BiSeNet, a slider for the image's size, and what comes of them.

    ``images (N, 3, H, W)`` are normalised by ``mean`` and ``std``, ``labels (N, H, W)`` hold 0..K-1 or
    ``ignore_index``, ``palette (K, 3)`` is uint8. What off means is `PathSurgery`'s to say. Pixels are told apart by
    whether the whole network had them right. Multiply-adds are counted; milliseconds are measured on this machine from
    an image to the class of each of its pixels, once for each setting. The picture that a notebook stores leaves them
    out, as they are others in every run. All is done with a copy of the model as it is now.

    Raises ``TypeError`` for another model than a `BiSeNet` of the parts that can be switched, ``ValueError`` where
    images, labels, classes and palette do not belong together.
    """

    lines_of_words: ClassVar[int] = 5
    main_control: ClassVar[str | None] = "scale"

    def __init__(
        self,
        model: BiSeNet,
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
        self._surgery = PathSurgery(model, images)
        refuse_other_classes(self._surgery.num_classes, classes)
        self.model, self.classes, self.ignore_index = model, given.legend.classes, ignore_index
        self._labels = given.labels
        self._measure = functools.lru_cache(maxsize=512)(self._quality)
        self._picture = TwoPathsPicture(given)
        switches = {name: Switch(said) for name, said in SWITCHES.items()}
        super().__init__(
            "Two paths explorer: a BiSeNet with paths and modules switched off, what it predicts, and how fast",
            switches,
            self._choices(),
        )

    def _choices(self) -> dict[str, ipywidgets.ValueWidget]:
        """How the global context joins, how large the image is that the model reads, and which it is."""
        look = {"layout": WIDE, "style": STYLE}
        joined = self._surgery.intact.joined
        choices = {
            "joined": ipywidgets.Dropdown(options=[*JOINS], value=joined, description="global context", **look),
            "scale": ipywidgets.FloatSlider(
                1, min=STEP, max=1, step=STEP, readout_format=".3f", description="image size ×", **look
            ),
        }
        if last := len(self._labels) - 1:
            choices["image"] = ipywidgets.IntSlider(0, min=0, max=last, description="image", **look)
        return choices

    def compute(self, state: State) -> Passage:
        """Predict as the controls have it and as trained, measure both; a time is that of the first visit."""
        image, trained = state.get("image", 0), self._surgery.intact
        setting = Setting(**{name: value for name, value in state.items() if name not in ("image", "pinned")})
        now, before = self._surgery.look(image, setting), self._surgery.look(image, trained)
        return Passage(
            image=image,
            setting=setting,
            trained=trained,
            seen=now.seen,
            active=now.active,
            loudest=(float(before.active[0].max()), float(before.active[1].max())),
            prediction=now.prediction,
            prediction_as_trained=before.prediction,
            quality=self._measure(image, setting),
            as_trained=self._measure(image, trained),
            cost=self._surgery.cost(image, setting),
            cost_as_trained=self._surgery.cost(image, trained),
        )

    def _quality(self, image: int, setting: Setting) -> Quality:
        prediction = self._surgery.look(image, setting).prediction
        return Quality.of(prediction, self._labels[image], len(self.classes), self.ignore_index)

    def draw(self, result: Passage) -> Scene:
        return self._picture.scene(result)

    def marks(self, result: Passage, scene: Scene, cell: Cell | None) -> list[Primitive]:
        return [] if cell is None else self._picture.marks(result, scene, scene.place(cell))

    def words(self, result: Passage, scene: Scene, cell: Cell | None) -> str:
        if cell is None:
            outcomes = self._picture.outcomes(result)
            worse, better = (int((outcomes == outcome).sum()) for outcome in (WORSE, BETTER))
            pointed = say_changes(result, worse, better)
        else:
            place = scene.place(cell)
            row, col = self._picture.pixel(place)
            maps = (self._labels[result.image], result.prediction, result.prediction_as_trained)
            names = [self._picture.legend.name(int(map_[row, col])) for map_ in maps]
            pointed = say_pixel((row, col), names, self._picture.activity(result, place))
        return "\n".join([say_setting(result), say_quality(result), say_cost(result), pointed])

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """As shown, but the still picture has no milliseconds."""
        with self._lock, self.stage.hold_sync():
            timed = self._result
            self._show(replace(timed, cost=_untimed(timed.cost), cost_as_trained=_untimed(timed.cost_as_trained)))
            bundle = super()._repr_mimebundle_(**kwargs)
            self._show(timed)
        return bundle

    def _show(self, result: Passage) -> None:
        """A result of the controls as they are, with the pinned cell."""
        scene, pinned = self.draw(result), self.stage.pinned
        cell = pinned if pinned is not None and scene.holds(pinned) else None
        self.stage.show(scene, self.marks(result, scene, cell), self.words(result, scene, cell))


def _untimed(cost: Cost) -> Cost:
    return replace(cost, milliseconds=math.nan)
