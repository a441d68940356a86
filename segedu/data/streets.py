"""A data set of road scenes that are painted when asked for, with the classes and colours of CamVid."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from segedu.data.painter import Indices, Painter
from segedu.data.palette import CAMVID
from segedu.data.street_scene.dials import Dials
from segedu.data.street_scene.layout import VOID
from segedu.data.street_scene.scene import Scene


class Streets(Painter[Scene]):
    """Road scenes in CamVid's 11 classes: streets in perspective, painted by tensor code on the device that uses them.

    Scene ``i`` depends on ``(seed, i)``, the size and the dials alone: not on the device, the batch or the threads.
    Labels are equal everywhere; images are whole levels 0..255 before they are normalised. Turning a dial changes
    what it names and leaves the rest of every scene in place, so two sets that differ in a dial can be compared image
    by image.

    ``size``: (H, W), each 32..4096; the scene grows with H and widens with W. ``length``: number of scenes.
    ``transforms``: a joint transform of ``torchvision.transforms.v2``, applied to single items only. ``dials``: see
    `segedu.data.street_scene.dials.Dials`; ``thinness=1, imbalance=1, scale_spread=1, texture=1, context=0.8,
    void_border=1, unknown_object=0``.

    ``data[i]`` is an image ``(3, H, W)`` float32, normalised by ``mean`` and ``std``, and labels ``(H, W)`` int64
    with void = ``ignore_index``. Raises ``TypeError`` or ``ValueError`` for an argument out of bounds.
    """

    classes = CAMVID.classes
    palette = CAMVID.colours
    ignore_index = VOID
    # Measured over scenes 0..4095 of seed 0 at 96x128 with all dials at their defaults.
    mean = (0.4267, 0.4174, 0.4025)
    std = (0.2258, 0.2229, 0.2279)

    def __init__(
        self,
        size: tuple[int, int] = (96, 128),
        length: int = 1000,
        seed: int = 0,
        transforms: Callable[[Any, Any], Any] | None = None,
        **dials: float,
    ) -> None:
        super().__init__(size, length, seed, transforms, Dials, dials)

    def paint(self, indices: Tensor) -> Scene:
        return Scene(self.seed, indices, self.size, self.dials)

    def unknown_mask(self, indices: Indices, device: torch.device | str | None = None) -> Tensor:
        """Where the dial ``unknown_object`` put an object of no class, void in the labels: ``(N, H, W)`` bool."""
        return torch.cat([scene.unknown() for scene in self.paintings(indices, device)])
