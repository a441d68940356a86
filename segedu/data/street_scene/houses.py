"""Both sides of a street: houses with windows, hedges, and the fences in front of them."""

import torch
from torch import Tensor

from segedu.data.painting import UNIT, Layers, Shapes, below
from segedu.data.street_scene.layout import BUILDING, FENCE, HOUSES, SKY, TREE
from segedu.data.street_scene.setting import Setting, vary

_WALLS = (
    (152, 96, 78),
    (190, 172, 146),
    (134, 132, 130),
    (208, 204, 196),
    (116, 92, 84),
    (172, 140, 116),
    (88, 86, 90),
)
_FENCES = ((128, 132, 136), (122, 96, 76), (92, 104, 84), (158, 150, 140))


def paint_houses(layers: Layers, setting: Setting) -> range:
    """Houses and hedges along both sides, the sunny side lighter; returns the layers of the fronts."""
    draws, view, street, walls = setting.draws, setting.view, setting.street, setting.walls
    hedge = street.label == TREE
    stone = vary(draws, draws.choice(street.label.new_tensor(_WALLS), 2 * HOUSES), 14)
    sunny = draws.integers(70, 115, 2).repeat_interleave(HOUSES, 1)[..., None]
    away = torch.arange(HOUSES, device=stone.device).repeat(2)[:, None]
    colour = torch.where(hedge[..., None], setting.leaf, stone) * sunny // 100
    colour = (colour * (24 - away) + setting.sky * away) // 24
    texture = torch.where(hedge[..., None], stone.new_tensor([20, 12]), stone.new_tensor([5, 8]))
    _paint_end_walls(layers, setting, (colour * 3 // 4), texture)

    fronts = layers.make(street.label, colour, texture)
    start, length = street.start.gather(1, walls.side), street.length.gather(1, walls.side)
    along = (walls.depth + start) % length * 256 // length
    gable = draws.integers(0, 250, 2 * HOUSES) * draws.chance(0.5, 2 * HOUSES)
    ridge = gable.gather(1, walls.house) * (128 - (along - 128).abs()) // 128
    ragged = hedge.gather(1, walls.house) * setting.fray[1] // 2
    eaves = street.height.gather(1, walls.house)
    top = view.height(eaves + ridge - ragged, walls.scale) >> 8
    layers.canvas.paint(*below(top, view.size, where=eaves > 0), (fronts.start + walls.house)[:, None])
    return fronts


def _paint_end_walls(layers: Layers, setting: Setting, colour: Tensor, texture: Tensor) -> None:
    """The side of each house that looks up the street, seen where the house before it is lower or missing."""
    draws, view, street = setting.draws, setting.view, setting.street
    number = torch.arange(HOUSES, device=colour.device).flip(0)  # far to near
    side = torch.arange(2, device=colour.device).repeat_interleave(HOUSES)
    house = side * HOUSES + number.repeat(2)
    depth = number.repeat(2) * street.length[:, side] - street.start[:, side]
    scale = view.scale(depth)
    outward = 2 * side - 1
    wall = street.kerb[:, side] + street.pavement[:, side] * outward
    middle = view.vanishing[:, None] + wall * scale // 100
    thick = draws.integers(500, 1000, 2 * HOUSES) * scale // 100 * ((street.label[:, house] != SKY) & (depth > 200))
    none = torch.zeros_like(depth)
    ends = Shapes(
        left=torch.where(side > 0, middle, middle - thick) >> 8,
        right=torch.where(side > 0, middle + thick, middle) >> 8,
        top=view.height(street.height[:, house], scale) >> 8,
        bottom=view.height(0, scale) >> 8,
        round=none,
        taper_up=none,
        taper_down=none,
        rough=100 * (street.label[:, house] == TREE),
    )
    layers.canvas.paint_all(
        ends, setting.fray, layers.make(street.label[:, house], colour[:, house], texture[:, house])
    )


def windows(setting: Setting) -> Tensor:
    """How much darker than its wall a window is, wherever one would be: ``(N, H, W)`` int16.

    Windows repeat with each storey and bay, and fade out where either is under three pixels.
    """
    draws, view, street, walls = setting.draws, setting.view, setting.street, setting.walls
    count = 2 * HOUSES
    shown = (
        draws.integers(15, 75, count) * (street.label == BUILDING),
        draws.integers(270, 380, count),
        draws.integers(160, 420, count),
    )
    dark, storey, bay = (field.gather(1, walls.house) for field in shown)
    high = storey * walls.scale // 100
    wide = bay * 256 * walls.scale // (100 * walls.depth)
    dark = dark * ((torch.minimum(high, wide) - 512) >> 2).clamp(0, 256) >> 8
    dark = dark * (walls.depth % bay < bay * 5 // 8)
    base = (view.height(0, walls.scale) >> 8).clamp(max=UNIT).int()
    row = torch.arange(view.size[0], dtype=torch.int32, device=base.device)
    part = (base[:, None] - row[:, None]) * (64 * 65536 // high.clamp(min=256)).int()[:, None] >> 8 & 63
    wall = ((part - 20) | (50 - part)) >> 31  # -1 under the sill and over the lintel, 0 between
    return ~wall.short() & dark.short()[:, None]


def paint_fences(layers: Layers, setting: Setting) -> None:
    """Fences and garden walls in front of some blocks, with bars where they are near."""
    draws, view, walls = setting.draws, setting.view, setting.walls
    colour = vary(draws, draws.choice(walls.side.new_tensor(_FENCES), 1), 20)
    between = (colour - draws.integers(0, 60, 1, 1)).clamp(min=0)
    fenced = draws.chance(0.22**setting.dials.imbalance, 2 * HOUSES)
    level = draws.integers(90, 210, 2 * HOUSES)
    first = layers.make(FENCE, torch.cat([colour, between], 1), (6, 8)).start
    top = view.height(level.gather(1, walls.house), walls.scale) >> 8
    bar = (walls.depth // 40) & 1
    layers.canvas.paint(*below(top, view.size, where=fenced.gather(1, walls.house)), (first + bar)[:, None])
