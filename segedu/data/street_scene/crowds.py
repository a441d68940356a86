"""Who is in a street and where: cars, people, riders, trees, poles, signs and the unknown object."""

from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor

from segedu.data.counter import Draws
from segedu.data.street_scene.catalogue import KINDS
from segedu.data.street_scene.dials import Dials
from segedu.data.street_scene.setting import Setting

_CARS = (
    (176, 178, 182),
    (52, 56, 66),
    (32, 32, 36),
    (150, 34, 34),
    (46, 70, 120),
    (216, 216, 212),
    (64, 92, 74),
    (120, 116, 106),
)
_CLOTHES = (
    (44, 46, 58),
    (120, 40, 44),
    (60, 82, 120),
    (196, 190, 180),
    (92, 84, 72),
    (38, 60, 48),
    (150, 128, 70),
    (82, 82, 88),
)
_BOARDS = ((40, 70, 150), (36, 110, 70), (200, 196, 188), (170, 44, 40), (214, 176, 60), (60, 58, 62))
_METALS = ((112, 114, 116), (70, 74, 76), (146, 148, 146), (52, 50, 50))
_ODD = ((150, 96, 50), (210, 90, 150), (90, 190, 190), (120, 80, 160), (228, 150, 40))

_TYPICAL_DEPTH = 1300


class Crowd(NamedTuple):
    """Objects of one sort: a number of places, each taken with probability ``chance``.

    They stand ``outward`` (from, to) centimetres outside a kerb, never off the pavement, or with probability
    ``on_road`` anywhere on the road. Their size varies by ``girth`` and ``stature`` percent. ``shadow`` is the
    half-width of what they cast at their foot. ``rare`` ones heed the dial imbalance, ``thin`` ones thinness;
    ``leafy`` ones wear the season's leaves.
    """

    kinds: tuple[str, ...]
    places: int
    chance: float
    girth: tuple[int, int]
    stature: tuple[int, int]
    colours: tuple[tuple[int, int, int], ...]
    outward: tuple[int, int] = (0, 1)
    on_road: float = 0.0
    shadow: int = 0
    rare: bool = False
    thin: bool = False
    leafy: bool = False

    @property
    def parts(self) -> int:
        """How many parts the most intricate of its kinds has."""
        return max(len(KINDS[kind]) for kind in self.kinds)


def crowds(dials: Dials) -> tuple[Crowd, ...]:
    """Who may be in a street."""
    return (
        Crowd(
            kinds=("car_lengthwise", "car_lengthwise", "car_lengthwise", "car_crosswise"),
            places=6,
            chance=0.55,
            outward=(-125, -95),
            on_road=0.35,
            girth=(92, 112),
            stature=(90, 135),
            colours=_CARS,
            shadow=120,
        ),
        Crowd(
            kinds=("pedestrian", "walker"),
            places=5,
            chance=0.54,
            outward=(30, 260),
            on_road=0.12,
            girth=(85, 120),
            stature=(82, 112),
            colours=_CLOTHES,
            shadow=45,
            rare=True,
        ),
        Crowd(
            kinds=("rider_crosswise", "rider_lengthwise"),
            places=2,
            chance=0.3,
            outward=(-130, -50),
            on_road=0.3,
            girth=(90, 115),
            stature=(90, 110),
            colours=_CLOTHES,
            shadow=60,
            rare=True,
        ),
        Crowd(
            kinds=("broadleaf", "conifer"),
            places=3,
            chance=0.35,
            outward=(60, 260),
            girth=(70, 130),
            stature=(60, 110),
            colours=_METALS,
            shadow=150,
            leafy=True,
        ),
        Crowd(
            kinds=("lamp_post", "post", "bollard"),
            places=5,
            chance=0.7,
            outward=(20, 60),
            girth=(80, 130),
            stature=(70, 130),
            colours=_METALS,
            rare=True,
            thin=True,
        ),
        Crowd(
            kinds=("round_sign", "warning_sign", "board", "traffic_light"),
            places=4,
            chance=0.5,
            outward=(25, 90),
            girth=(90, 125),
            stature=(85, 125),
            colours=_BOARDS,
            rare=True,
            thin=True,
        ),
        Crowd(
            kinds=("hanging_sign",),
            places=2,
            chance=0.35,
            outward=(1000, 1001),
            girth=(70, 150),
            stature=(85, 125),
            colours=_BOARDS,
            rare=True,
            thin=True,
        ),
        Crowd(
            kinds=("animal", "crates", "balloon"),
            places=1,
            chance=dials.unknown_object,
            on_road=1.0,
            girth=(90, 150),
            stature=(90, 150),
            colours=_ODD,
            shadow=90,
        ),
    )


@dataclass(frozen=True)
class Placed:
    """The objects of a batch, one column for each place: ``(N, M)`` int64, colours ``(N, M, 3)``."""

    kind: Tensor
    there: Tensor
    lateral: Tensor
    depth: Tensor
    girth: Tensor
    """Scale of widths in 1/1024, negative where the object faces the other way."""
    stature: Tensor
    """Scale of heights in 1/1024."""
    shadow: Tensor
    first: Tensor
    second: Tensor

    @staticmethod
    def join(groups: list["Placed"]) -> "Placed":
        return Placed(*(torch.cat([getattr(group, field.name) for group in groups], 1) for field in fields(Placed)))

    def each(self, owner: Tensor) -> "Placed":
        """The objects that ``owner`` ``(N, A)`` names, in its order."""
        picked = (getattr(self, field.name) for field in fields(Placed))
        return Placed(*(c.take_along_dim(owner if c.dim() == 2 else owner[..., None], 1) for c in picked))


def place(crowd: Crowd, setting: Setting) -> Placed:
    """Draw the objects of one crowd."""
    draws, dials, street, count = setting.draws, setting.dials, setting.street, crowd.places
    chance = crowd.chance**dials.imbalance if crowd.rare else crowd.chance
    there = draws.chance(chance, count)
    side = draws.integers(0, 2, count)
    outward = torch.minimum(draws.integers(*crowd.outward, count), street.pavement.gather(1, side) - 15)
    kerbside = street.kerb.gather(1, side) + outward * (2 * side - 1)
    left, right = street.kerb[:, :1] + 100, street.kerb[:, 1:] - 100
    on_road = left + (draws.integers(0, 256, count) * (right - left) >> 8)
    lateral = torch.where(draws.chance(crowd.on_road, count), on_road, kerbside)
    numbers = [list(KINDS).index(name) for name in crowd.kinds]
    kind = draws.choice(torch.tensor(numbers, device=side.device), count)
    facing = 2 * draws.integers(0, 2, count) - 1
    squeeze = round(1024 / dials.thinness) if crowd.thin else 1024
    colours = torch.tensor(crowd.colours, device=side.device)
    tint = draws.integers(-16, 17, count, 3)
    first, second = draws.choice(colours, count), draws.choice(colours, count)
    if crowd.leafy:
        first = setting.leaf.expand_as(first)
    return Placed(
        kind,
        there.long(),
        lateral,
        _depth(draws, count, dials),
        draws.integers(*crowd.girth, count) * facing * squeeze // 100,
        draws.integers(*crowd.stature, count) * 1024 // 100,
        torch.full_like(kind, crowd.shadow),
        (first + tint).clamp(0, 255),
        (second - tint).clamp(0, 255),
    )


def _depth(draws: Draws, count: int, dials: Dials) -> Tensor:
    """Distances at three scales, far, middle and near, each spread a little: ``(N, count)``.

    The distance is typical * 2^e; 2^e is joined up linearly between whole e, which integers can do exactly.
    """
    exponent = draws.integers(-1, 2, count) * 1126 + draws.integers(-410, 411, count)
    exponent = exponent * round(1024 * dials.scale_spread) >> 10
    doubled = torch.ones_like(exponent) << ((exponent >> 10) + 8)
    return (_TYPICAL_DEPTH * (1024 + (exponent & 1023)) * doubled >> 18).clamp(min=420)
