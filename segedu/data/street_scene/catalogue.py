"""The shapes of what stands and moves in a street, as boxes, ellipses and wedges in centimetres."""

from typing import NamedTuple

from segedu.data.street_scene.layout import BICYCLIST, CAR, PEDESTRIAN, POLE, SIGN, TREE

UNKNOWN = 254
"""Label of the object of no class; the data set turns it into void."""

PARTS = 8

FIXED_PAINTS = (
    (34, 34, 38),
    (52, 62, 72),
    (178, 40, 36),
    (226, 224, 214),
    (128, 130, 132),
    (196, 148, 120),
    (84, 72, 62),
    (230, 190, 70),
)
BLACK, GLASS, LAMP, WHITE, METAL, SKIN, BARK, AMBER, FIRST, SECOND, SHADED = range(11)
"""Paints: eight fixed ones, then the object's own two, and its first one in shade."""


class Part(NamedTuple):
    """A shape from ``left`` to ``right`` and from ``low`` to ``high``, in centimetres, ``behind`` the object's foot."""

    left: int
    right: int
    low: int
    high: int
    paint: int
    label: int
    round: int = 0
    taper_up: int = 0
    taper_down: int = 0
    rough: int = 0
    behind: int = 0


NOTHING = Part(0, 0, 0, 0, BLACK, 0)

KINDS: dict[str, tuple[Part, ...]] = {
    "car_lengthwise": (
        Part(-84, 84, 22, 138, SHADED, CAR, taper_up=60, behind=360),
        Part(-86, 86, 22, 142, SHADED, CAR, taper_up=50, behind=170),
        Part(-80, 80, 0, 34, BLACK, CAR),
        Part(-88, 88, 22, 92, FIRST, CAR),
        Part(-84, 84, 88, 145, FIRST, CAR, taper_up=70),
        Part(-70, 70, 94, 137, GLASS, CAR, taper_up=60),
        Part(-86, 86, 64, 80, LAMP, CAR),
        Part(-62, 62, 58, 84, FIRST, CAR),
    ),
    "car_crosswise": (
        Part(-210, 210, 24, 88, FIRST, CAR),
        Part(-150, 140, 82, 145, FIRST, CAR, taper_up=100),
        Part(-128, 118, 88, 136, GLASS, CAR, taper_up=96),
        Part(-8, 2, 84, 140, FIRST, CAR),
        Part(-162, -96, 0, 64, BLACK, CAR, round=1),
        Part(98, 164, 0, 64, BLACK, CAR, round=1),
        Part(-210, -196, 62, 80, AMBER, CAR),
        Part(196, 210, 62, 80, LAMP, CAR),
    ),
    "pedestrian": (
        Part(-17, -2, 0, 88, SECOND, PEDESTRIAN, taper_down=90),
        Part(2, 17, 0, 88, SECOND, PEDESTRIAN, taper_down=90),
        Part(-29, 29, 80, 146, SHADED, PEDESTRIAN, round=1),
        Part(-23, 23, 72, 150, FIRST, PEDESTRIAN, taper_down=60),
        Part(-11, 11, 146, 174, SKIN, PEDESTRIAN, round=1),
        Part(-11, 11, 162, 178, BLACK, PEDESTRIAN, round=1),
        Part(22, 36, 60, 96, BARK, PEDESTRIAN),
    ),
    "walker": (
        Part(-25, -6, 0, 46, SECOND, PEDESTRIAN),
        Part(4, 21, 0, 50, SECOND, PEDESTRIAN),
        Part(-22, 22, 76, 152, FIRST, PEDESTRIAN, round=1),
        Part(-16, 16, 42, 90, SECOND, PEDESTRIAN, taper_up=60),
        Part(-18, 18, 72, 148, FIRST, PEDESTRIAN),
        Part(-10, 12, 146, 174, SKIN, PEDESTRIAN, round=1),
        Part(-12, 8, 160, 178, BARK, PEDESTRIAN, round=1),
    ),
    "rider_crosswise": (
        Part(-92, -26, 0, 66, BLACK, BICYCLIST, round=1),
        Part(26, 92, 0, 66, BLACK, BICYCLIST, round=1),
        Part(-56, 60, 32, 84, METAL, BICYCLIST, taper_down=140),
        Part(-16, 14, 26, 100, SECOND, BICYCLIST, taper_down=120),
        Part(-30, 26, 86, 150, FIRST, BICYCLIST, round=1),
        Part(6, 48, 98, 116, FIRST, BICYCLIST),
        Part(-4, 20, 146, 174, SKIN, BICYCLIST, round=1),
    ),
    "rider_lengthwise": (
        Part(-24, 24, 82, 152, FIRST, BICYCLIST, round=1),
        Part(-20, 20, 84, 140, FIRST, BICYCLIST),
        Part(-18, -4, 22, 90, SECOND, BICYCLIST),
        Part(4, 18, 36, 90, SECOND, BICYCLIST),
        Part(-6, 6, 0, 74, BLACK, BICYCLIST),
        Part(-32, 32, 96, 104, BLACK, BICYCLIST),
        Part(-11, 11, 148, 176, SKIN, BICYCLIST, round=1),
    ),
    "lamp_post": (
        Part(-8, 8, 0, 640, METAL, POLE),
        Part(0, 130, 632, 646, METAL, POLE),
        Part(90, 150, 620, 636, WHITE, POLE),
    ),
    "post": (Part(-9, 9, 0, 330, FIRST, POLE),),
    "bollard": (Part(-10, 10, 0, 105, FIRST, POLE), Part(-10, 10, 78, 92, WHITE, POLE)),
    "round_sign": (
        Part(-7, 7, 0, 240, METAL, POLE),
        Part(-38, 38, 196, 272, LAMP, SIGN, round=1),
        Part(-26, 26, 208, 260, WHITE, SIGN, round=1),
    ),
    "warning_sign": (
        Part(-7, 7, 0, 230, METAL, POLE),
        Part(-46, 46, 196, 276, LAMP, SIGN, taper_up=256),
        Part(-26, 26, 206, 250, WHITE, SIGN, taper_up=256),
    ),
    "board": (
        Part(-7, 7, 0, 210, METAL, POLE),
        Part(-60, 60, 190, 290, FIRST, SIGN),
        Part(-46, 46, 232, 246, WHITE, SIGN),
    ),
    "traffic_light": (
        Part(-8, 8, 0, 230, METAL, POLE),
        Part(-20, 20, 216, 322, BLACK, SIGN),
        Part(-11, 11, 288, 314, LAMP, SIGN, round=1),
        Part(-11, 11, 222, 248, SECOND, SIGN, round=1),
    ),
    "hanging_sign": (Part(-45, 45, 260, 360, FIRST, SIGN), Part(-32, 32, 300, 316, WHITE, SIGN)),
    "broadleaf": (
        Part(-16, 16, 0, 320, BARK, TREE, taper_up=80),
        Part(-190, 150, 250, 620, FIRST, TREE, round=1, rough=150),
        Part(-120, 220, 320, 700, SHADED, TREE, round=1, rough=150),
        Part(-170, 120, 440, 800, FIRST, TREE, round=1, rough=150),
        Part(-40, 150, 300, 560, FIRST, TREE, round=1, rough=150),
    ),
    "conifer": (
        Part(-14, 14, 0, 160, BARK, TREE),
        Part(-150, 150, 90, 520, FIRST, TREE, taper_up=200, rough=130),
        Part(-110, 110, 330, 760, SHADED, TREE, taper_up=250, rough=130),
    ),
    "animal": (
        Part(-62, -48, 0, 80, FIRST, UNKNOWN),
        Part(40, 54, 0, 80, FIRST, UNKNOWN),
        Part(-74, 66, 56, 124, FIRST, UNKNOWN, round=1),
        Part(44, 74, 96, 176, FIRST, UNKNOWN, taper_up=60),
        Part(46, 108, 146, 184, SECOND, UNKNOWN, round=1),
        Part(-84, -66, 70, 116, SECOND, UNKNOWN),
    ),
    "crates": (
        Part(-90, 4, 0, 84, FIRST, UNKNOWN),
        Part(8, 92, 0, 74, SECOND, UNKNOWN),
        Part(-50, 40, 74, 150, AMBER, UNKNOWN),
        Part(-50, 40, 106, 116, BLACK, UNKNOWN),
    ),
    "balloon": (
        Part(-75, 75, 10, 160, FIRST, UNKNOWN, round=1),
        Part(-28, 28, 12, 158, SECOND, UNKNOWN, round=1),
        Part(-60, 60, 0, 24, BLACK, UNKNOWN),
    ),
}
