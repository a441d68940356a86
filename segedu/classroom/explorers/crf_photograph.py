"""One photograph that every reader has: the portrait that matplotlib carries among its samples, and its outlines.

The picture is an official portrait of Grace Hopper by the United States Navy, 1984, in the public domain. It is read
where matplotlib put it, and no copy of it is kept here. The outlines were traced by hand for this course.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw
from torch import Tensor

STEP = 4  # pixels of the photograph to one of the crop, across and down
FRAME = (0, 96, 512, 480)  # left, top, right and bottom in the photograph: 384 x 512 pixels, 96 x 128 of the crop
CLASSES = ("Backdrop", "Head", "Shirt", "Uniform")
COLOURS = ((148, 160, 170), (230, 159, 0), (204, 121, 167), (0, 80, 130))

# Column and row in the photograph, in the order of painting: what comes later lies in front.
JACKET = (
    *((24, 480), (28, 440), (38, 406), (46, 388), (54, 380), (62, 378), (80, 366), (120, 358), (140, 351), (170, 343)),
    *((186, 332), (204, 312), (330, 312), (340, 322), (352, 331), (362, 339), (380, 347), (400, 356), (422, 365)),
    *((460, 375), (484, 388), (492, 392), (498, 402), (504, 422), (512, 444), (512, 480)),
)
COLLAR = (
    *((204, 315), (198, 326), (195, 345), (197, 366), (200, 388), (208, 412), (217, 441), (244, 414), (264, 412)),
    *((278, 408), (300, 431), (310, 410), (320, 384), (328, 350), (330, 330)),
)
FRONT = ((250, 447), (281, 446), (287, 453), (280, 472), (277, 480), (227, 480), (240, 468))
HEAD = (
    *((157, 178), (153, 195), (154, 215), (160, 230), (163, 250), (160, 265), (165, 275), (175, 285), (198, 293)),
    *((202, 300), (205, 318), (207, 340), (205, 358), (216, 372), (230, 388), (246, 409), (262, 406), (274, 405)),
    *((300, 381), (315, 360), (329, 334), (330, 305), (338, 306), (346, 298), (355, 285), (362, 265), (366, 245)),
    *((370, 230), (375, 205), (374, 190), (366, 181), (340, 120), (180, 120)),
)
HAT = (
    *((152, 96), (148, 140), (147, 165), (150, 182), (157, 178), (163, 160), (175, 147), (190, 142), (210, 135)),
    *((250, 131), (290, 131), (320, 135), (335, 142), (348, 150), (356, 158), (362, 178), (370, 180), (371, 150)),
    *((372, 140), (369, 96)),
)
OUTLINES = ((JACKET, "Uniform"), (COLLAR, "Shirt"), (FRONT, "Shirt"), (HEAD, "Head"), (HAT, "Uniform"))


def photograph_crop() -> list[tuple[Tensor, Tensor, tuple[str, ...], Tensor]]:
    """Image ``(3, 96, 128)`` uint8, labels ``(96, 128)``, classes and palette; none where matplotlib has no samples."""
    path = _path()
    if not path.is_file():
        return []
    with Image.open(path) as photograph:
        small = photograph.convert("RGB").crop(FRAME).reduce(STEP)
    image = torch.from_numpy(np.array(small)).movedim(-1, 0).contiguous()
    return [(image, torch.from_numpy(_labels()), CLASSES, torch.tensor(COLOURS, dtype=torch.uint8))]


def _labels() -> npt.NDArray[np.int64]:
    """The outlines at the photograph's size, and of each pixel of the crop the label in its middle."""
    left, top, right, bottom = FRAME
    painted = Image.new("L", (right - left, bottom - top), CLASSES.index("Backdrop"))
    brush = ImageDraw.Draw(painted)
    for outline, name in OUTLINES:
        brush.polygon([(x - left, y - top) for x, y in outline], fill=CLASSES.index(name))
    return np.array(painted)[STEP // 2 :: STEP, STEP // 2 :: STEP].astype(np.int64)


def _path() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
