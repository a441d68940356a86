"""Class names, their colours, and the picture of a label map."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Palette:
    """The classes of a data set and the colour that each is drawn in.

    ``classes`` holds K names in the order of their label values; ``colours`` is a ``(K, 3)`` uint8 tensor, RGB.
    Compared by identity, since a tensor has no single truth value.
    Raises ``ValueError`` where the two differ in length, ``TypeError`` where the colours are not uint8.
    """

    classes: tuple[str, ...]
    colours: Tensor

    def __post_init__(self) -> None:
        if self.colours.dtype != torch.uint8:
            raise TypeError(f"colours has dtype {self.colours.dtype}, expected torch.uint8: give RGB values 0..255")
        if self.colours.shape != (len(self.classes), 3):
            raise ValueError(
                f"colours has shape {tuple(self.colours.shape)}, expected {(len(self.classes), 3)}: "
                f"one RGB row for each of the {len(self.classes)} classes"
            )

    def __len__(self) -> int:
        return len(self.classes)


CAMVID = Palette(
    classes=(
        "Sky",
        "Building",
        "Pole",
        "Road",
        "Pavement",
        "Tree",
        "SignSymbol",
        "Fence",
        "Car",
        "Pedestrian",
        "Bicyclist",
    ),
    # On the CPU whatever the default device is: a module-level tensor must not follow the context that imports it.
    colours=torch.tensor(
        [
            (128, 128, 128),
            (128, 0, 0),
            (192, 192, 128),
            (128, 64, 128),
            (60, 40, 222),
            (128, 128, 0),
            (192, 128, 128),
            (64, 64, 128),
            (64, 0, 128),
            (64, 64, 0),
            (0, 128, 192),
        ],
        dtype=torch.uint8,
        device="cpu",
    ),
)
"""The 11 classes and colours of CamVid as the SegNet paper grouped them (Badrinarayanan et al., 2017, section 4)."""

CELLS = Palette(
    classes=("Background", "Cell"),
    colours=torch.tensor([(0, 0, 0), (230, 159, 0)], dtype=torch.uint8, device="cpu"),
)
"""Cells on a dark ground; orange as in Okabe and Ito's palette, which colour-blind readers tell apart."""


def colourise(labels: Tensor, palette: Palette) -> Tensor:
    """Draw a label map in its palette: ``(N, H, W) -> (N, 3, H, W)`` uint8, or ``(H, W) -> (3, H, W)``.

    A label without a colour (void, or anything outside ``0..K-1``) is drawn black: nothing waits for the device.
    Raises ``TypeError`` for labels that are not integers, ``ValueError`` for any other number of dimensions.
    """
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"labels has dtype {labels.dtype}, expected an integer type: take the argmax of scores first")
    if labels.dim() not in (2, 3):
        raise ValueError(f"labels has shape {tuple(labels.shape)}, expected (N, H, W) or (H, W)")
    labels = labels.as_subclass(Tensor).long()
    black = palette.colours.new_zeros(1, 3)
    colours = torch.cat([palette.colours, black]).to(labels.device)
    known = (labels >= 0) & (labels < len(palette))
    return colours[torch.where(known, labels, len(palette))].movedim(-1, -3).contiguous()
