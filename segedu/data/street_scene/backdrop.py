"""What frames a street: sky, skyline, far trees and open ground behind it, its far end, and the bonnet before it."""

import torch

from segedu.data.painting import Layers, Shapes, below, white_bytes
from segedu.data.street_scene.layout import BUILDING, PAVEMENT, ROAD, SKY, TREE, VOID
from segedu.data.street_scene.setting import Setting, vary


def paint_sky(layers: Layers, setting: Setting) -> None:
    """The sky, layer 0: it shows wherever nothing else is painted."""
    layers.make(SKY, setting.sky, (2, 14))


def paint_skyline(layers: Layers, setting: Setting) -> None:
    """Roofs and tree tops beyond the end of the street, a new one every 1/16 of the picture's height."""
    draws, view, sky = setting.draws, setting.view, setting.sky
    height, width = view.size
    cell = torch.arange(width, device=sky.device) * 16 // height
    block = white_bytes(draws.words(), 16 * width // height + 1)[:, cell]
    top = view.horizon[:, None] - (block & 127) * height // 3
    stone = sky.new_tensor([120, 110, 104])
    label = sky.new_tensor([[BUILDING, TREE]]).expand(len(sky), 2)
    colour = vary(draws, torch.cat([(sky + 2 * stone) // 3, (sky + 2 * setting.leaf) // 3], 1), 16)
    first = layers.make(label, colour, (5, 6)).start
    layers.canvas.paint(*below(top >> 8, view.size), (first + (block >> 7))[:, None])


def paint_far_trees(layers: Layers, setting: Setting) -> None:
    """Up to four crowns that rise behind the houses."""
    draws, view = setting.draws, setting.view
    height, width = view.size
    centre = draws.integers(0, width, 4)
    radius = draws.integers(height // 10, height // 3, 4) * draws.chance(0.5, 4)
    foot = (view.horizon[:, None] >> 8).expand(-1, 4)
    none = torch.zeros_like(radius)
    crowns = Shapes(
        left=centre - radius * 3 // 4,
        right=centre + radius * 3 // 4,
        top=foot - radius * 3 // 2,
        bottom=foot + radius // 2,
        round=none + 1,
        taper_up=none,
        taper_down=none,
        rough=none + 180,
    )
    colour = vary(draws, setting.leaf.expand(-1, 4, 3) + 20, 16)
    layers.canvas.paint_all(crowns, setting.fray, layers.make(TREE, colour, (16, 12)))


def paint_open_ground(layers: Layers, setting: Setting) -> None:
    """The ground beyond the houses: grass, which CamVid counts as tree, or paving, or a car park."""
    draws, view, leaf = setting.draws, setting.view, setting.leaf
    bare = vary(draws, leaf.new_tensor([[122, 120, 118]]).expand_as(leaf), 20)
    label = draws.choice(leaf.new_tensor([TREE, TREE, PAVEMENT, ROAD]), 1)
    layer = layers.make(label, torch.where(label[..., None] == TREE, leaf + 16, bare), (9, 10)).start
    layers.canvas.paint(*below((view.horizon[:, None] >> 8).expand(-1, view.size[1]), view.size), layer)


def paint_far_end(layers: Layers, setting: Setting) -> None:
    """What nobody could label at the end of the road: void, in half of the pictures."""
    draws, view = setting.draws, setting.view
    height = view.size[0]
    wide, high = draws.integers(height // 24, height // 6, 1), draws.integers(height // 32, height // 12, 1)
    none = torch.zeros_like(wide)
    middle = view.across(draws.integers(-200, 200, 1), view.scale(none + 4500)) >> 8
    foot = (view.horizon[:, None] >> 8) + 1
    clutter = Shapes(
        left=middle - wide,
        right=middle - wide + 2 * wide * draws.chance(0.5, 1),
        top=foot - high,
        bottom=foot,
        round=none,
        taper_up=none + 80,
        taper_down=none,
        rough=none + 120,
    )
    dark = draws.integers(40, 110, 1, 1).expand(-1, -1, 3)
    layers.canvas.paint_all(clutter, setting.fray, layers.make(VOID, dark, (14, 10)))


def paint_bonnet(layers: Layers, setting: Setting) -> None:
    """The front of the car that the camera rides in: void, in three of ten pictures."""
    draws, (height, width) = setting.draws, setting.view.size
    high = draws.integers(height // 24, height // 9, 1) * draws.chance(0.3, 1)
    none = torch.zeros_like(high)
    left = draws.integers(-width // 4, width // 8, 1)
    bonnet = Shapes(
        left=left,
        right=left + width * 5 // 4,
        top=height - high,
        bottom=height + high,
        round=none + 1,
        taper_up=none,
        taper_down=none,
        rough=none,
    )
    paint = draws.integers(20, 90, 1, 1).expand(-1, -1, 3)
    layers.canvas.paint_all(bonnet, setting.fray, layers.make(VOID, paint, (2, 8)))
