"""A batch of road scenes: painted once, then read as labels, as images, or as the mask of the unknown object."""

from copy import copy
from dataclasses import replace

import torch
from torch import Tensor

from segedu.data.counter import Draws
from segedu.data.painting import Layers, look_up, thicken
from segedu.data.street_scene.backdrop import (
    paint_bonnet,
    paint_far_end,
    paint_far_trees,
    paint_open_ground,
    paint_sky,
    paint_skyline,
)
from segedu.data.street_scene.catalogue import UNKNOWN
from segedu.data.street_scene.dials import Dials
from segedu.data.street_scene.ground import house_shadow, paint_ground
from segedu.data.street_scene.houses import paint_fences, paint_houses
from segedu.data.street_scene.layout import BICYCLIST, CAR, PEDESTRIAN, VOID
from segedu.data.street_scene.light import photograph
from segedu.data.street_scene.objects import paint_objects
from segedu.data.street_scene.setting import Setting

_DRAWS = 840
"""Random numbers for each scene; the painter takes a few less."""

_BORDERED = (CAR, PEDESTRIAN, BICYCLIST, UNKNOWN)


class Scene:
    """The scenes of ``indices`` ``(N,)`` int64, painted far to near on the device of the indices."""

    def __init__(self, seed: int, indices: Tensor, size: tuple[int, int], dials: Dials) -> None:
        self._setting = setting = Setting.draw(Draws(seed, indices, _DRAWS), size, dials)
        self._layers = layers = Layers(len(indices), size, indices.device)
        paint_sky(layers, setting)
        paint_skyline(layers, setting)
        paint_far_trees(layers, setting)
        paint_open_ground(layers, setting)
        self._fronts = paint_houses(layers, setting)
        paint_fences(layers, setting)
        self._ground = paint_ground(layers, setting)
        paint_far_end(layers, setting)
        self._shade = house_shadow(setting)
        paint_objects(layers, self._shade, setting)
        paint_bonnet(layers, setting)

    def images(self) -> Tensor:
        """What the camera sees: ``(N, 3, H, W)`` int16, 0..255."""
        setting = replace(self._setting, draws=copy(self._setting.draws))  # a second call draws the same numbers
        return photograph(self._layers, self._fronts, self._ground, self._shade, setting)

    def labels(self) -> Tensor:
        """The class of each pixel, VOID on borders and on what has no class: ``(N, H, W)`` int64."""
        table = self._layers.labels
        table = torch.where(table == UNKNOWN, VOID, table)
        labels = look_up(table, self._layers.canvas.picture.long())
        return labels | (self._borders() & VOID).long()  # 255 has all bits of a label set

    def unknown(self) -> Tensor:
        """Where the object of no class shows: ``(N, H, W)`` bool."""
        return look_up(self._layers.labels == UNKNOWN, self._layers.canvas.picture.long())

    def _borders(self) -> Tensor:
        """-1 in the band round each car, person, rider and unknown object, where it hides what lies behind, else 0.

        ``(N, H, W)`` int16.
        """
        labels, order = self._layers.labels, self._layers.order
        bordered = torch.stack([labels == label for label in _BORDERED]).any(0)
        order = look_up((order * 2 + bordered).short(), self._layers.canvas.picture.long())
        nearest = thicken(order * (order & 1), self._setting.dials.void_border)
        return ((order | 1) - nearest) >> 15  # set where a bordered object nearer than the one here is within reach
