"""The unknowns explorer: a threshold on a score of how unknown each pixel looks, and what it flags in street scenes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import ipywidgets
import torch
from torch import Tensor, nn

from segedu.classroom.explorers import unknowns_words
from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.labelled import Labelled, refuse_other_classes
from segedu.classroom.explorers.scene import Cell, Primitive, Scene
from segedu.classroom.explorers.unknowns_picture import UnknownsPicture
from segedu.classroom.explorers.unknowns_scores import Counts, Separation, kinds_of
from segedu.inference import device_of, inference, outputs_of
from segedu.ood import ood_scores

SCORES = ("max softmax", "max logit", "entropy", "energy")  # in the order of `OODScores`


@dataclass(frozen=True, eq=False)
class Flagged:
    """What one threshold on one score flags, in one scene and in all.

    Maps are ``(H, W)``: ``scores`` and the largest softmax probability ``confidence``, ``prediction`` and ``labels``,
    and what became of each pixel, ``outcomes``.
    """

    image: int
    scenes: int
    score: str
    threshold: float
    scores: Tensor
    confidence: Tensor
    prediction: Tensor
    labels: Tensor
    outcomes: Tensor
    here: Counts
    everywhere: Counts
    separation: Separation


class Unknowns(Explorer[Flagged]):
    """A choice of scores, a threshold and a scene: which pixels are flagged as unknown, and which of them rightly.

    ``images (N, 3, H, W)`` are normalised by ``mean`` and ``std``, ``labels (N, H, W)`` hold 0..K-1 or
    ``ignore_index``, ``palette (K, 3)`` is uint8; ``unknown (N, H, W)`` is true on the objects of no class. Those are
    what should be found, all other pixels with a label are known, and the rest of void is left out. The threshold is
    set by the share of the known pixels of all scenes that it flags, so that scores of any unit can be compared.

    The scores of `segedu.ood.ood_scores` are read off the model's logits, once; ``more`` adds others by name, higher
    where a pixel looks more unknown, ``(N, H, W)`` each, such as Mahalanobis distances. Raises ``TypeError`` where
    ``unknown`` is not boolean, ``ValueError`` where shapes, classes and palette do not belong together, and where no
    pixel is unknown or none is known.
    """

    lines_of_words: ClassVar[int] = 7
    main_control: ClassVar[str | None] = "flagged"

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        unknown: Tensor,
        classes: Sequence[str],
        palette: Tensor,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        more: Mapping[str, Tensor] | None = None,
        ignore_index: int = 255,
    ) -> None:
        given = Labelled(images, labels, classes, palette, mean, std, ignore_index)
        maps = dict(more or {})
        _refuse_other_maps(labels, unknown=unknown, **maps)
        if unknown.dtype != torch.bool:
            raise TypeError(f"unknown has dtype {unknown.dtype}, expected torch.bool: true on objects of no class")
        self._labels = given.labels.long()
        kinds = kinds_of(self._labels, unknown.as_subclass(Tensor).cpu(), ignore_index)
        _refuse_one_kind(kinds)
        scored = _Scored.by(model, images)
        refuse_other_classes(scored.classes, classes)
        self._scored = scored
        scores = scored.scores | {name: values.detach().as_subclass(Tensor).cpu() for name, values in maps.items()}
        self.separations = {name: Separation(values, kinds) for name, values in scores.items()}
        self._picture = UnknownsPicture(given, kinds, self.separations)
        super().__init__(
            "Unknowns explorer: which pixels a threshold on a score calls unknown, and which of them rightly",
            self._choices(),
            {"flagged": _slider(5, 100, "known flagged, %", "140px")},
        )

    def _choices(self) -> dict[str, ipywidgets.ValueWidget]:
        """Which score, and which scene."""
        look: dict[str, Any] = {"layout": {"width": "auto"}, "style": {"description_width": "60px"}}
        choices = {"score": ipywidgets.Dropdown(options=[*self.separations], description="score", **look)}
        if last := len(self._labels) - 1:
            choices["image"] = _slider(0, last, "scene", "60px")
        return choices

    def compute(self, state: State) -> Flagged:
        """Flag the pixels whose score is above the threshold that the controls ask for."""
        image, score = state.get("image", 0), state["score"]
        separation = self.separations[score]
        threshold = separation.threshold(state["flagged"] / 100)
        outcomes = separation.outcomes(image, threshold)
        return Flagged(
            image=image,
            scenes=len(self._labels),
            score=score,
            threshold=threshold,
            scores=separation.maps[image],
            confidence=self._scored.confidence[image],
            prediction=self._scored.predictions[image],
            labels=self._labels[image],
            outcomes=outcomes,
            here=Counts.of(outcomes),
            everywhere=separation.counts(threshold),
            separation=separation,
        )

    def draw(self, result: Flagged) -> Scene:
        return self._picture.scene(result)

    def marks(self, result: Flagged, scene: Scene, cell: Cell | None) -> list[Primitive]:
        return [] if cell is None else self._picture.marks(result, scene, scene.place(cell))

    def words(self, result: Flagged, scene: Scene, cell: Cell | None) -> str:
        pixel = None if cell is None else self._picture.pixel(scene.place(cell))
        return unknowns_words.words(result, self._picture.legend, pixel)


@dataclass(frozen=True, eq=False)
class _Scored:
    """What a model says of all images: scores by name, predictions and their probability, ``(N, H, W)`` each."""

    scores: dict[str, Tensor]
    predictions: Tensor
    confidence: Tensor
    classes: int

    @classmethod
    def by(cls, model: nn.Module, images: Tensor) -> "_Scored":
        """Scene by scene, so that no more logits than one scene's are held."""
        found, predictions = [], []
        device, logits = device_of(model), torch.empty(0)
        with inference(model):
            for image in torch.split(images.as_subclass(Tensor), 1):
                logits = outputs_of(model, image.to(device))["out"]
                found.append(torch.stack(ood_scores(logits)).float().cpu())
                predictions.append(logits.argmax(1).cpu())
        maps = torch.cat(found, 1)
        names = dict(zip(SCORES, maps, strict=True))
        return cls(names, torch.cat(predictions), 1 - names["max softmax"], logits.shape[1])


def _slider(value: int, most: int, description: str, width: str) -> ipywidgets.IntSlider:
    style = {"description_width": width}
    return ipywidgets.IntSlider(value, max=most, description=description, layout={"width": "auto"}, style=style)


def _refuse_other_maps(labels: Tensor, **maps: Tensor) -> None:
    for name, values in maps.items():
        if values.shape != labels.shape:
            raise ValueError(
                f"{name} has shape {tuple(values.shape)}, expected that of the labels, {tuple(labels.shape)}: "
                "one value for each pixel"
            )


def _refuse_one_kind(kinds: Tensor) -> None:
    for kind, name in enumerate(("known", "unknown")):
        if not (kinds == kind).any():
            raise ValueError(
                f"no pixel is {name}: a threshold tells known from unknown ones, so give scenes with both, "
                "such as streets painted with unknown_object=1.0"
            )
