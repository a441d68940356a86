"""The fusion explorer: the score maps of an FCN, how much each one joins, and what their sum predicts."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import ipywidgets
import torch
from torch import Tensor

from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.fusion_picture import FusionPicture
from segedu.classroom.explorers.labelled import Labelled, refuse_other_classes, share, signed_number
from segedu.classroom.explorers.quality import Quality
from segedu.classroom.explorers.scene import Cell, Primitive, Scene
from segedu.inference import device_of, inference
from segedu.models import FCN

STYLE, WIDE = {"description_width": "80px"}, {"width": "auto"}


@dataclass(frozen=True, eq=False)
class Mix:
    """What one setting shows: how the maps of one image add up, seen through one class.

    ``weights`` has a factor for each score map, coarse to fine. Of the chosen class, ``coarse`` holds the scaled maps
    on their own grids ``(h, w)``, ``contributions`` the same maps brought to the image, ``total`` their sum, both
    ``(H, W)``, and ``limit`` the largest score as trained. ``prediction`` is the best class of the fused scores, ``(H,
    W)`` int64.
    """

    image: int
    class_index: int
    weights: dict[str, float]
    coarse: dict[str, Tensor]
    contributions: dict[str, Tensor]
    total: Tensor
    limit: float
    prediction: Tensor
    quality: Quality
    as_trained: Quality


class FusionExplorer(Explorer[Mix]):
    """Sliders for how much each score map of an FCN joins (1 is as trained, 0 leaves it out), and what comes of it.

    ``images (N, 3, H, W)`` are normalised by ``mean`` and ``std``, ``labels (N, H, W)`` hold 0..K-1 or
    ``ignore_index``, ``palette (K, 3)`` is uint8. The trunk runs once, here; since fusion is linear in the scores, a
    move of a slider only rescales what each map brings to the picture (FCN, section 4.2). The model's mode and device
    are left as they are. Raises ``ValueError`` where images, labels, classes and palette do not belong together.
    """

    def __init__(
        self,
        model: FCN,
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
        self.model, self.classes, self.ignore_index = model, given.legend.classes, ignore_index
        self._labels = given.labels
        with inference(model):
            self._scores = model.scores(images.to(device_of(model)))
        refuse_other_classes(next(iter(self._scores.values())).shape[1], self.classes)
        self._contributions = functools.lru_cache(maxsize=1)(self._bring_to_image)
        self._as_trained = functools.cache(self._quality_as_trained)
        self._picture = FusionPicture(given)
        super().__init__(
            "Fusion explorer: score maps of an FCN, their sum and what it predicts", self._weights(), self._views()
        )

    def _weights(self) -> dict[str, ipywidgets.ValueWidget]:
        """A slider for how much each score map joins."""
        look = {"readout_format": ".1f", "layout": WIDE, "style": STYLE}
        return {
            name: ipywidgets.FloatSlider(1, min=0, max=2, step=0.1, description=f"{name} ×", **look)
            for name in self._scores
        }

    def _views(self) -> dict[str, ipywidgets.ValueWidget]:
        """What to look at: which image, if there are several, and the scores of which class."""
        look = {"layout": WIDE, "style": STYLE}
        last, telling = len(self._labels) - 1, self._telling_class()
        images = {"image": ipywidgets.IntSlider(0, min=0, max=last, description="image", **look)} if last else {}
        classes = ipywidgets.Dropdown(options=self.classes, value=telling, description="class", **look)
        return images | {"class": classes}

    def _telling_class(self) -> str:
        """Of the classes that the model finds on a hundredth of the first image, the one that finer maps shape most."""
        labels, contributions = self._labels[0], self._contributions(0)
        prediction = contributions.sum(0).max(dim=0).indices
        found = torch.bincount(prediction[prediction == labels], minlength=len(self.classes)) >= 0.01 * labels.numel()
        coarsest, *finer = contributions.flatten(2).std(2)
        shaped = sum(finer, torch.zeros_like(coarsest)) / coarsest.clamp(min=1e-6)
        return self.classes[int(torch.where(found, shaped, shaped - shaped.max() - 1).argmax())]

    def compute(self, state: State) -> Mix:
        """Weigh the contributions of each score map, add them, predict, and measure the prediction."""
        image, class_index = state.get("image", 0), self.classes.index(state["class"])
        weights = {name: float(state[name]) for name in self._scores}
        contributions = self._contributions(image)
        fused = torch.tensordot(contributions.new_tensor(list(weights.values())), contributions, dims=1)
        prediction = fused.max(dim=0).indices
        coarse = {name: scores[image, class_index].float().cpu() for name, scores in self._scores.items()}
        largest = max(float(scores.abs().max()) for scores in [*coarse.values(), contributions[:, class_index].sum(0)])
        return Mix(
            image=image,
            class_index=class_index,
            weights=weights,
            coarse={name: weights[name] * scores for name, scores in coarse.items()},
            contributions={
                name: weight * brought[class_index]
                for (name, weight), brought in zip(weights.items(), contributions, strict=True)
            },
            total=fused[class_index],
            limit=largest or 1.0,
            prediction=prediction,
            quality=self._measure(prediction, image),
            as_trained=self._as_trained(image),
        )

    def _bring_to_image(self, image: int) -> Tensor:
        """Each score map on its own through the fusion: ``(maps, K, H, W)``, whose sum is what the model puts out."""
        own = {name: scores[image : image + 1] for name, scores in self._scores.items()}
        size = (self._labels.shape[1], self._labels.shape[2])
        silent = {name: torch.zeros_like(scores) for name, scores in own.items()}
        with inference(self.model):
            alone = [self.model.fuse(silent | {name: scores}, size) for name, scores in own.items()]
        return torch.cat(alone).float().cpu()

    def _quality_as_trained(self, image: int) -> Quality:
        return self._measure(self._contributions(image).sum(0).max(dim=0).indices, image)

    def _measure(self, prediction: Tensor, image: int) -> Quality:
        return Quality.of(prediction, self._labels[image], len(self.classes), self.ignore_index)

    def draw(self, result: Mix) -> Scene:
        return self._picture.scene(result)

    def marks(self, result: Mix, scene: Scene, cell: Cell | None) -> list[Primitive]:
        return [] if cell is None else self._picture.marks(result, scene, scene.place(cell))

    def words(self, result: Mix, scene: Scene, cell: Cell | None) -> str:
        quality, trained = result.quality, result.as_trained
        return "\n".join(
            [
                self._say_mix(result),
                f"Image {result.image}: mIoU {share(quality.mean_iou)} (as trained {share(trained.mean_iou)}), "
                f"boundary F1 {share(quality.boundary_f1)} (as trained {share(trained.boundary_f1)}).",
                "Point at a picture, or click it to pin the place: the numbers there appear."
                if cell is None
                else self._say_pixel(result, scene.place(cell)),
            ]
        )

    def _say_mix(self, mix: Mix) -> str:
        joined = [name for name, weight in mix.weights.items() if weight]
        if not joined:
            return f"Nothing joins: all scores are 0, and the tie goes to {self.classes[int(mix.prediction[0, 0])]}."
        if all(weight == 1 for weight in mix.weights.values()):
            return f"As trained: {' + '.join(joined)}."
        terms = " + ".join(f"{name} × {weight:.1f}" for name, weight in mix.weights.items())
        return f"{terms}: the finest map that joins has cells of {self._picture.strides(mix)[joined[-1]]} px."

    def _say_pixel(self, mix: Mix, place: tuple[float, float]) -> str:
        row, col = self._picture.pixel(place)
        terms = ", ".join(f"{name} {signed_number(map_[row, col])}" for name, map_ in mix.contributions.items())
        total = f"sum {signed_number(mix.total[row, col])} for {self.classes[mix.class_index]}"
        truth = self._picture.legend.name(int(self._labels[mix.image, row, col]))
        predicted = self._picture.legend.name(int(mix.prediction[row, col]))
        return f"Row {row}, column {col}, truth {truth}: {terms}; {total}. Predicted {predicted}."
