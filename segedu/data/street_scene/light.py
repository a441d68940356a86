"""From layers to photographs: colours, textures, shadows, exposure, a soft lens and a noisy sensor."""

import torch
from torch import Tensor

from segedu.data.counter import Draws
from segedu.data.painting import Canvas, Layers, look_up, smooth_noise, soften, white_noise, within
from segedu.data.street_scene.houses import windows
from segedu.data.street_scene.setting import Setting


def photograph(layers: Layers, fronts: range, ground: range, shade: Canvas, setting: Setting) -> Tensor:
    """Light the painted layers: ``(N, 3, H, W)`` int16, 0..255.

    Windows are cut into the layers that are house ``fronts``, ``shade`` falls on those of the ``ground``.
    """
    draws, dials = setting.draws, setting.dials
    top, size = layers.canvas.picture, layers.canvas.size
    layer = top.long()
    grain, noise = white_noise(draws.words(), size)
    mottle = smooth_noise(draws.integers(-128, 128, 6, 9), size)
    strengths = (layers.textures * round(256 * dials.texture) >> 8).short()
    surface = (grain * look_up(strengths[..., 0], layer) + mottle * look_up(strengths[..., 1], layer)) >> 7
    surface -= windows(setting) & within(top, fronts)
    dark = shade.picture.clamp(max=1) * draws.integers(24, 70, 1, 1).short() & within(top, ground)
    tint = layers.colours.short()
    picture = torch.stack([look_up(tint[..., channel], layer) for channel in range(3)], 1)
    picture += surface[:, None]
    picture.clamp_(0, 255)
    picture -= picture * dark[:, None] >> 7
    picture = soften(_expose(picture, draws))
    strength = (draws.integers(3, 12, 1, 1) * round(256 * dials.texture) >> 8).short()
    picture += (noise * strength >> 7)[:, None]
    return picture.clamp_(0, 255)


def _expose(picture: Tensor, draws: Draws) -> Tensor:
    """The light of the day: one brightness a picture and a little colour, with highlights that clip."""
    light = draws.integers(32, 100, 1) + draws.integers(-4, 5, 3)
    return (picture * light[:, :, None, None].short() >> 6).clamp_(0, 255)
