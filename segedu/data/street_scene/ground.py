"""The ground of a street: pavement, kerb, road with its markings, and the shadow of the houses."""

import torch
from torch import Tensor

from segedu.data.painting import UNIT, Canvas, Layers, below, right_of
from segedu.data.street_scene.layout import PAVEMENT, ROAD
from segedu.data.street_scene.setting import Setting


def paint_ground(layers: Layers, setting: Setting) -> range:
    """Pavement, kerb, road and markings in front of the house fronts; returns the layers used.

    Every edge on the ground has the form "right of left(y)", so the ground is laid from left to right, each strip
    over all that is right of its edge; then it is put in front of the houses, below the foot of their walls.
    """
    draws, view, street = setting.draws, setting.view, setting.street
    scale = view.rows()
    seen, scale = scale >= 1, scale.clamp(min=1)
    depth = view.depth(scale)
    left, right = _kerbs(setting, scale, depth)
    first = layers.count
    ground = Canvas(len(scale), view.size, scale.device)
    tar, paving, kerb, line = _ground_colours(setting)

    def strip(edge: Tensor, label: int, colour: Tensor, where: Tensor) -> None:
        ground.paint(*right_of(edge >> 8, view.size, where & seen), layers.make(label, colour, (9, 12)).start)

    stone = 14 * scale // 100
    strip(left - (UNIT << 10), PAVEMENT, paving, seen)
    strip(left - stone, PAVEMENT, kerb, seen)
    strip(left, ROAD, tar, seen)
    stop = draws.integers(600, 2500, 1)
    stop = (depth > stop) & (depth < stop + 60) & draws.chance(0.3, 1)
    strip(left, ROAD, line, stop)
    dash, on = draws.integers(250, 900, 3), draws.integers(120, 300, 3)
    centre = street.kerb.sum(1, keepdim=True) // 2
    for mark, lateral in enumerate((street.kerb[:, :1] + 45, centre, street.kerb[:, 1:] - 45)):
        there = ~stop & (depth % dash[:, mark, None] < on[:, mark, None]) & draws.chance((0.4, 0.8, 0.4)[mark], 1)
        start = view.across(lateral - 6, scale)
        strip(start, ROAD, line, there)
        strip(torch.maximum(view.across(lateral + 6, scale), start + 256), ROAD, tar, there)
    strip(right, PAVEMENT, kerb, seen)
    strip(right + stone, PAVEMENT, paving, seen)
    layers.canvas.paint(*below(view.height(0, setting.walls.scale) >> 8, view.size), ground.picture)
    return range(first, layers.count)


def _kerbs(setting: Setting, scale: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Where the road begins and ends in each row, ``(N, H)`` twice.

    It stays between the houses, bend as it may; a cross street opens both kerbs.
    """
    draws, view, street = setting.draws, setting.view, setting.street
    house_line = street.kerb + street.pavement * street.kerb.sign()
    straight = view.vanishing[:, None, None] + house_line[:, :, None] * scale[:, None] // 100
    begin = draws.integers(900, 3000, 1)
    crossing = (depth > begin) & (depth < begin + draws.integers(500, 1000, 1)) & draws.chance(0.35, 1)
    left = torch.maximum(view.across(street.kerb[:, :1], scale), straight[:, 0])
    right = torch.minimum(view.across(street.kerb[:, 1:], scale), straight[:, 1])
    open_ = UNIT << 8
    return torch.where(crossing, -open_, left), torch.where(crossing, open_, right)


def _ground_colours(setting: Setting) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Road, pavement, kerb and marking, each ``(N, 1, 3)``; what sets pavement apart shrinks as context grows."""
    draws = setting.draws
    tar = draws.integers(64, 124, 1, 1) + draws.integers(-6, 7, 1, 3)
    apart = draws.integers(30, 90, 1, 1) + tar.new_tensor([12, 4, -8])
    paving = tar + apart * round(256 * (1 - setting.dials.context)) // 256
    kerb = paving + draws.integers(-16, 40, 1, 1)
    line = draws.integers(190, 240, 1, 1).expand(-1, -1, 3)
    return tar, paving, kerb, line


def house_shadow(setting: Setting) -> Canvas:
    """The shadow that one row of houses casts across the ground, as deep as each house is high."""
    draws, view, street = setting.draws, setting.view, setting.street
    scale = view.rows().clamp(min=1)
    sunny = draws.integers(0, 2, 1)
    house = street.house(sunny.expand_as(scale), view.depth(scale))
    reach = street.height.gather(1, house) * draws.integers(0, 90, 1) // 100
    away = 1 - 2 * sunny
    edge = street.kerb.gather(1, sunny) + (reach - street.pavement.gather(1, sunny)) * away
    across = view.across(edge, scale) >> 8
    columns = torch.arange(view.size[1], device=away.device) * away
    rows = -across.clamp(-UNIT, UNIT) * away
    shade = Canvas(len(away), view.size, away.device)
    shade.paint(columns.short()[:, None, :], rows.short()[:, :, None], 1)
    return shade
