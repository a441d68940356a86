"""The course's diagrams as they stand outside the lessons, drawn from the live models and the live painter."""

from collections.abc import Callable, Iterator
from typing import cast

import torch
from matplotlib.figure import Figure

from segedu import data, models
from segedu.classroom import diagrams, figures
from segedu.classroom.diagrams.score_fusion import Fuses
from segedu.classroom.vector import svg
from segedu.models.bisenet import BiSeNet
from segedu.models.unet import UShape

MAP = torch.tensor([[3, 1, 0, 2], [0, 2, 5, 1], [4, 0, 1, 7], [2, 6, 0, 3]])  # maxima in four different corners


def _label_map() -> None:
    diagrams.label_map(data.load("streets", split="val", size=(96, 128)), 2, corner=(54, 36))


def _fcn() -> None:
    model = models.create("fcn8s", num_classes=11, backbone="vgg_mini")
    diagrams.fusion(cast(Fuses, model), (96, 128))


def _unet() -> None:
    with torch.device("meta"):
        model = models.create("unet_original", num_classes=2, in_channels=1)
    diagrams.u_shape(cast(UShape, model), (572, 572))


def _bisenet() -> None:
    with torch.device("meta"):
        model = models.create("bisenet", num_classes=19)
    diagrams.two_paths(cast(BiSeNet, model), (1024, 2048))


GALLERY: dict[str, tuple[str, Callable[[], None]]] = {
    "label_map": ("A label map: a name for every pixel", _label_map),
    "fcn_fusion": ("FCN: scores of three strides, added step by step", _fcn),
    "unet": ("U-Net: down, up, and what is copied across", _unet),
    "segnet_unpooling": ("SegNet: maxima, their offsets, and the way back", lambda: diagrams.unpooling(MAP)),
    "output_strides": ("Dilation: one ResNet-50 at three output strides", diagrams.output_strides),
    "gridding": ("Dilation: what three layers read", lambda: diagrams.read_trees((1, 1, 1), (2, 2, 2), (1, 2, 3))),
    "deeplab_family": ("DeepLab v1, v2 and v3: strides, rates and heads", diagrams.deeplab_family),
    "bisenet_two_paths": ("BiSeNet: a path for detail, a path for context", _bisenet),
    "loss_curves": ("Cross entropy, focal loss and Dice: cost and pull of one pixel", diagrams.loss_curves),
}
"""By the name of its file: the diagram's title, and what draws it."""


def drawn() -> Iterator[tuple[str, str]]:
    """The name and the SVG text of every diagram."""
    for name, (title, draw) in GALLERY.items():
        yield name, _as_svg(title, draw)


def _as_svg(title: str, draw: Callable[[], None]) -> str:
    texts: list[str] = []

    def receive(canvas: Figure, words: str) -> None:
        texts.append(svg(canvas, title, words))

    with figures.sent_to(receive):
        draw()
    (text,) = texts
    return text
