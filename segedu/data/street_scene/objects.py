"""Objects in perspective: their parts as shapes in the picture, painted far to near with the shadows at their feet."""

import torch
from torch import Tensor

from segedu.data.painting import Canvas, Layers, Shapes
from segedu.data.street_scene.catalogue import FIXED_PAINTS, KINDS, NOTHING, PARTS, Part
from segedu.data.street_scene.crowds import Placed, crowds, place
from segedu.data.street_scene.layout import TREE, Perspective
from segedu.data.street_scene.setting import Setting


def paint_objects(layers: Layers, shade: Canvas, setting: Setting) -> None:
    """Paint everyone, so that whatever is nearer hides what is behind it, and darken ``shade`` at their feet."""
    present = crowds(setting.dials)
    groups = [place(crowd, setting) for crowd in present]
    _paint_shadows(shade, [g for c, g in zip(present, groups, strict=True) if c.shadow], setting)
    placed = Placed.join(groups)
    owners = [
        owner for owner, parts in enumerate(c.parts for c in present for _ in range(c.places)) for _ in range(parts)
    ]
    numbers = [number for c in present for _ in range(c.places) for number in range(c.parts)]
    order, owner, number = _far_to_near(placed.depth, *torch.tensor([owners, numbers], device=placed.depth.device))
    owned = placed.each(owner)
    parts = _catalogue(owned.kind, number)
    colour = _colours(owned, parts["paint"], setting.sky)
    leafy = (parts["label"] == TREE)[..., None]
    texture = torch.where(leafy, colour.new_tensor([16, 10]), colour.new_tensor([4, 4]))
    made = layers.make(parts["label"], colour, texture, order)
    layers.canvas.paint_all(_shapes(owned, parts, setting.view), setting.fray, made)


def _far_to_near(depth: Tensor, owner: Tensor, number: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sort the parts of all objects: ``(N, M)`` depths; owner and number of each of the P parts -> three ``(N, P)``.

    The first one counts objects from the farthest, 1, 2... No two keys are equal, so no device's sort decides anything.
    """
    places = torch.arange(depth.shape[1], device=depth.device)
    rank = (depth * len(places) + places).argsort(1, descending=True).argsort(1)
    slot = (rank[:, owner] * PARTS + number).argsort(1)
    return rank.gather(1, owner[slot]) + 1, owner[slot], number[slot]


def _catalogue(kind: Tensor, number: Tensor) -> dict[str, Tensor]:
    """The catalogue's entries for these parts, field by field: each ``(N, P)``."""
    table = [parts + (NOTHING,) * (PARTS - len(parts)) for parts in KINDS.values()]
    entries = torch.tensor(table, device=kind.device)[kind, number]
    return dict(zip(Part._fields, entries.unbind(-1), strict=True))


def _shapes(owned: Placed, parts: dict[str, Tensor], view: Perspective) -> Shapes:
    """The parts in whole pixels; what is there at all is at least one pixel wide and high."""
    scale = view.scale(owned.depth + parts["behind"])
    middle, foot = view.across(owned.lateral, scale), view.height(0, scale)
    ends = [middle + scale * owned.girth * parts[end] // 102400 for end in ("left", "right")]
    top, bottom = (foot - scale * owned.stature * parts[end] // 102400 >> 8 for end in ("high", "low"))
    left, right = torch.minimum(*ends) >> 8, torch.maximum(*ends) >> 8
    there = owned.there * (parts["right"] > parts["left"])
    return Shapes(
        left=left,
        right=left + (right - left).clamp(min=1) * there,
        top=top,
        bottom=torch.maximum(bottom, top + 1),
        round=parts["round"],
        taper_up=parts["taper_up"],
        taper_down=parts["taper_down"],
        rough=parts["rough"],
    )


def _colours(owned: Placed, paint: Tensor, sky: Tensor) -> Tensor:
    """The colour of each part, paler with distance: ``(N, P, 3)``."""
    fixed = torch.tensor(FIXED_PAINTS, device=sky.device).expand(*paint.shape, -1, -1)
    paints = torch.cat([fixed, torch.stack([owned.first, owned.second, owned.first * 5 // 8], 2)], 2)
    colour = paints.take_along_dim(paint[..., None, None], 2).squeeze(2)
    haze = (owned.depth // 40).clamp(max=160)[..., None]
    return (colour * (256 - haze) + sky * haze) >> 8


def _paint_shadows(shade: Canvas, casting: list[Placed], setting: Setting) -> None:
    """A flat dark ellipse under each object."""
    view = setting.view
    casters = Placed.join(casting)
    scale = view.scale(casters.depth)
    middle, foot = view.across(casters.lateral, scale), view.height(0, scale)
    wide, deep = casters.shadow * casters.there * scale // 100, casters.shadow * scale // 500
    plain = torch.zeros_like(wide)
    ellipses = Shapes(
        left=middle - wide >> 8,
        right=middle + wide >> 8,
        top=foot - deep >> 8,
        bottom=(foot + deep >> 8) + 1,
        round=plain + 1,
        taper_up=plain,
        taper_down=plain,
        rough=plain,
    )
    shade.paint_all(ellipses, setting.fray, range(1, 1 + wide.shape[1]))
