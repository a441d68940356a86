"""A data set of touching cells under a microscope, painted when asked for."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from segedu.data.cell_scene.dials import Dials
from segedu.data.cell_scene.scene import Dish
from segedu.data.painter import Indices, Painter
from segedu.data.palette import CELLS


class Cells(Painter[Dish]):
    """Touching cells, dim and noisy under uneven light, painted by tensor code on the device that uses them.

    Scene ``i`` depends on ``(seed, i)``, the size and the dials alone: not on the device, the batch or the threads.
    Labels are equal everywhere: 1 on cells, 0 on background. Where cells touch, a line of background two pixels wide
    parts them, as annotators draw it: to miss it costs hardly any pixels and merges two cells into one. There is no
    void. Images are grey, whole levels 0..255 before they are normalised. Turning a dial changes what it names and
    leaves the rest of every scene in place.

    ``size``: (H, W), each 32..4096; cells grow with H, and there are more of them in a wider picture. ``length``:
    number of scenes. ``transforms``: a joint transform of ``torchvision.transforms.v2``, applied to single items only.
    ``dials``: see `segedu.data.cell_scene.dials.Dials`; ``density=0.8, touching=0.7, seam=0.5, noise=1,
    unevenness=0.5``.

    ``data[i]`` is an image ``(3, H, W)`` float32, normalised by ``mean`` and ``std``, and labels ``(H, W)`` int64.
    Raises ``TypeError`` or ``ValueError`` for an argument out of bounds.
    """

    classes = CELLS.classes
    palette = CELLS.colours
    ignore_index = 255
    # Measured over scenes 0..2047 of seed 0 at 96x96 with all dials at their defaults.
    mean = (0.2607, 0.2607, 0.2607)
    std = (0.2384, 0.2384, 0.2384)

    def __init__(
        self,
        size: tuple[int, int] = (96, 96),
        length: int = 1000,
        seed: int = 0,
        transforms: Callable[[Any, Any], Any] | None = None,
        **dials: float,
    ) -> None:
        super().__init__(size, length, seed, transforms, Dials, dials)

    def paint(self, indices: Tensor) -> Dish:
        return Dish(self.seed, indices, self.size, self.dials)

    def instances(self, indices: Indices, device: torch.device | str | None = None) -> Tensor:
        """The id of the cell at each pixel, 1, 2, ... in each image, 0 for background: ``(N, H, W)`` int64.

        They are the 4-connected components of the labels. Arguments and errors are those of ``batch``.
        """
        return torch.cat([dish.instances() for dish in self.paintings(indices, device)])
