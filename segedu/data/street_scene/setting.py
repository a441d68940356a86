"""What every part of the painter is given: the random numbers, the dials, the plan of the street and its season."""

from dataclasses import dataclass

import torch
from torch import Tensor

from segedu.data.counter import Draws
from segedu.data.painting import white_bytes
from segedu.data.street_scene.dials import Dials
from segedu.data.street_scene.layout import Perspective, Street, Walls

_SKIES = ((236, 240, 244), (214, 222, 230), (176, 202, 232), (146, 184, 228), (222, 218, 212), (188, 194, 204))
_LEAVES = ((66, 84, 46), (86, 94, 52), (58, 72, 52), (104, 98, 62), (74, 66, 50))


@dataclass(frozen=True)
class Setting:
    """One batch's streets before anything is painted."""

    draws: Draws
    dials: Dials
    view: Perspective
    street: Street
    walls: Walls
    sky: Tensor
    """Colour of the sky and of the haze, ``(N, 1, 3)``."""
    leaf: Tensor
    """Colour of this season's leaves, ``(N, 1, 3)``."""
    fray: tuple[Tensor, Tensor]
    """How ragged leaves are in each row and in each column: bytes ``(N, H)`` and ``(N, W)``."""

    @classmethod
    def draw(cls, draws: Draws, size: tuple[int, int], dials: Dials) -> "Setting":
        view, street = Perspective.draw(draws, size), Street.draw(draws)
        walls = Walls.see(view, street)
        device = view.horizon.device
        sky = vary(draws, draws.choice(torch.tensor(_SKIES, device=device), 1), 8)
        leaf = vary(draws, draws.choice(torch.tensor(_LEAVES, device=device), 1), 14)
        fray = _fray(draws.words(), size[0], size[0]), _fray(draws.words(), size[1], size[0])
        return cls(draws, dials, view, street, walls, sky, leaf, fray)


def vary(draws: Draws, colour: Tensor, spread: int) -> Tensor:
    """Colours ``(N, K, 3)`` made lighter or darker by up to ``spread``, and tinted by half of that."""
    layers = colour.shape[1]
    shift = draws.integers(-spread, spread + 1, layers, 1)
    return (colour + shift + draws.integers(-spread, spread + 1, layers, 3) // 2).clamp(0, 255)


def _fray(key: Tensor, length: int, height: int) -> Tensor:
    """Bytes along a line in three octaves, the finest 1/96 of the height: ``(N,)`` keys -> ``(N, length)``."""
    places = torch.arange(length, device=key.device) * 96 // height
    octaves = white_bytes(key, 96 * length // height + 1)
    return (octaves[:, places] + octaves[:, places // 3] + octaves[:, places // 7]) // 3
