"""The skip surgery explorer: a trained U-Net with its skips scaled or swapped, and what becomes of its prediction."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import ipywidgets
import torch
from torch import Tensor

from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.labelled import Labelled, refuse_other_classes
from segedu.classroom.explorers.scene import Cell, Primitive, Scene
from segedu.classroom.explorers.skip_surgery_picture import SkipSurgeryPicture
from segedu.classroom.explorers.skip_surgery_words import say_pixel, say_quality, say_setting, say_skip, say_truths
from segedu.classroom.explorers.surgery import SkipSurgery, Weights
from segedu.instances import components
from segedu.metrics import BoundaryF1, ConfusionMatrix, InstanceCounts
from segedu.models import UNet

STYLE, WIDE = {"description_width": "80px"}, {"width": "auto"}
OWN, NEXT = "this image", "the next image"
STEP = 0.1


@dataclass(frozen=True)
class Quality:
    """How well one class of a prediction matches the labels of an image.

    ``iou`` and ``boundary_f1`` lie between 0 and 1, NaN where there was nothing to measure. ``counted`` objects are
    predicted for ``true`` ones, of which ``merged`` share a prediction with another.
    """

    iou: float
    boundary_f1: float
    counted: int
    true: int
    merged: int


@dataclass(frozen=True, eq=False)
class Operation:
    """What one setting shows: the skips of ``donor``, each times its weight, on the bottom of ``image``.

    ``skip`` is the one that is looked at, from 0 for the finest; ``read (2, h, w)`` the mean absolute activation of it
    and of what comes up from below, ``loudest`` the largest of each as trained. ``margin (H, W)`` is by how much the
    class outscores the others, ``worth (skips, H, W)`` what each skip adds to it as trained, ``most`` nearly the
    largest worth. The prediction is judged by the truth of the image and of the donor, that of the model
    ``as_trained``, and that ``without`` the skip alone.
    """

    image: int
    donor: int
    weights: Weights
    skip: int
    read: Tensor
    loudest: tuple[float, float]
    margin: Tensor
    margin_as_trained: Tensor
    worth: Tensor
    most: float
    prediction: Tensor
    prediction_as_trained: Tensor
    quality: Quality
    as_trained: Quality
    to_donor: Quality
    without: Quality

    @property
    def swapped(self) -> bool:
        """Whether the skips are another image's."""
        return self.donor != self.image

    @property
    def intact(self) -> bool:
        """Whether this is the model as trained."""
        return not self.swapped and all(weight == 1 for weight in self.weights)


class SkipSurgeryExplorer(Explorer[Operation]):
    """Sliders that scale each skip of a trained U-Net from 0 to 2 (1 is as trained), and what comes of it.

    ``images (N, 3, H, W)`` are normalised by ``mean`` and ``std``, ``labels (N, H, W)`` hold 0..K-1 or
    ``ignore_index``, ``palette (K, 3)`` is uint8; ``label`` is the class whose objects are counted and scored. An image
    can also get the skips of the next one: then its bottom says what and the other's skips say where. The encoder runs
    once an image, a move costs one pass through the decoder. All is done with a copy of the model as it is now.

    Raises ``TypeError`` for another model than `UNet`, ``ValueError`` where images, labels, classes and palette do not
    belong together.
    """

    lines_of_words: ClassVar[int] = 5

    def __init__(
        self,
        model: UNet,
        images: Tensor,
        labels: Tensor,
        classes: Sequence[str],
        palette: Tensor,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        label: int = 1,
        ignore_index: int = 255,
    ) -> None:
        given = Labelled(images, labels, classes, palette, mean, std, ignore_index)
        if not isinstance(model, UNet):
            raise TypeError(f"model is a {type(model).__name__}, expected a segedu.models.UNet, whose skips are scaled")
        refuse_other_classes(model.score.out_channels, classes)
        if not 0 <= label < len(classes) or len(classes) < 2:
            raise ValueError(f"label is {label} and there are {len(classes)} classes: choose one of at least two")
        self.model, self.classes, self.label, self.ignore_index = model, given.legend.classes, label, ignore_index
        self._labels = given.labels
        self._surgery = SkipSurgery(model, images, label)
        self._measure = functools.lru_cache(maxsize=512)(self._quality)
        self._true_objects = functools.cache(lambda image: components(self._labels[image : image + 1] == label))
        self._most = functools.cache(self._largest_worth)
        self._picture = SkipSurgeryPicture(given, label)
        super().__init__(
            "Skip surgery explorer: a U-Net with its skips scaled or swapped, and what it predicts",
            self._weights(),
            self._views(),
        )

    def _weights(self) -> dict[str, ipywidgets.ValueWidget]:
        """A slider for each skip, fine to coarse."""
        look = {"min": 0, "max": 2, "step": STEP, "readout_format": ".1f", "layout": WIDE, "style": STYLE}
        names = self._names()
        return {name: ipywidgets.FloatSlider(1, description=f"{said} ×", **look) for name, said in names.items()}

    def _views(self) -> dict[str, ipywidgets.ValueWidget]:
        """What to look at: which image and whose skips, if there are several, and which skip."""
        look = {"layout": WIDE, "style": STYLE}
        last = len(self._labels) - 1
        views: dict[str, ipywidgets.ValueWidget] = {}
        if last:
            views["image"] = ipywidgets.IntSlider(0, min=0, max=last, description="image", **look)
            views["donor"] = ipywidgets.Dropdown(options=[OWN, NEXT], description="skips of", **look)
        shown = [(said, skip) for skip, said in enumerate(self._names().values())]
        return views | {"look": ipywidgets.Dropdown(options=shown, description="look at", **look)}

    def _names(self) -> dict[str, str]:
        """The skips from fine to coarse: the name of each control, and how it is called in words."""
        return {f"skip{skip + 1}": f"skip {skip + 1}" for skip in range(self._surgery.skips)}

    def compute(self, state: State) -> Operation:
        """Decode with the skips as the controls have them, and measure the prediction."""
        image, skip = state.get("image", 0), state["look"]
        donor = (image + 1) % len(self._labels) if state.get("donor", OWN) == NEXT else image
        weights = tuple(float(state[name]) for name in self._names())
        trained, decoded = (
            self._surgery.decode(image, image, self._surgery.intact),
            self._surgery.decode(image, donor, weights),
        )
        return Operation(
            image=image,
            donor=donor,
            weights=weights,
            skip=skip,
            read=decoded.read[skip],
            loudest=(float(trained.read[skip][0].max()), float(trained.read[skip][1].max())),
            margin=decoded.margin,
            margin_as_trained=trained.margin,
            worth=self._surgery.worth(image),
            most=self._most(image),
            prediction=decoded.prediction,
            prediction_as_trained=trained.prediction,
            quality=self._measure(image, donor, weights, image),
            as_trained=self._measure(image, image, self._surgery.intact, image),
            to_donor=self._measure(image, donor, weights, donor),
            without=self._measure(image, image, self._surgery.without(skip), image),
        )

    def _quality(self, image: int, donor: int, weights: Weights, truth: int) -> Quality:
        """The prediction for an image against the labels of that or another image."""
        counts = ConfusionMatrix(len(self.classes), self.ignore_index, device="cpu")
        contours = BoundaryF1(len(self.classes), ignore_index=self.ignore_index, device="cpu")
        objects = InstanceCounts(self.label, ignore_index=self.ignore_index)
        prediction, labels = self._surgery.decode(image, donor, weights).prediction[None], self._labels[truth][None]
        counts.update(prediction, labels)
        contours.update(prediction, labels)
        objects.update(prediction, labels, self._true_objects(truth))
        found = objects.scores()
        return Quality(
            iou=float(counts.scores().iou[self.label]),
            boundary_f1=float(contours.scores().f1[self.label]),
            counted=found.predicted,
            true=found.true,
            merged=found.merged,
        )

    def _largest_worth(self, image: int) -> float:
        """Of all skips alike, so that their pictures compare; a few pixels beyond it are drawn like the rest."""
        return float(torch.quantile(self._surgery.worth(image).abs().flatten()[::7], 0.99)) or 1.0

    def draw(self, result: Operation) -> Scene:
        return self._picture.scene(result)

    def marks(self, result: Operation, scene: Scene, cell: Cell | None) -> list[Primitive]:
        return [] if cell is None else self._picture.marks(result, scene, scene.place(cell))

    def words(self, result: Operation, scene: Scene, cell: Cell | None) -> str:
        name = self.classes[self.label]
        if cell is None:
            pointed = say_skip(result, name)
        else:
            row, col = self._picture.pixel(scene.place(cell))
            pointed = say_pixel(result, row, col, self._picture.legend.name(int(self._labels[result.image, row, col])))
        scores = say_truths(result) if result.swapped else say_quality(result, name)
        return "\n".join([say_setting(result), scores, pointed])
