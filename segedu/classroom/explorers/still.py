"""The still of a scene: the same primitives drawn by Pillow, for readers without a kernel."""

import functools
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from segedu.classroom.colours import NOW, REST
from segedu.classroom.explorers.scene import Primitive, Scene

SCALE = 2  # picture pixels for a scene pixel, so that text stays crisp on a dense screen
LIGHT = {"text": "#212121", "muted": "#616161", "border": "#bdbdbd", "background": "#ffffff", "now": NOW, "rest": REST}


def png(scene: Scene, marks: Sequence[Primitive] = ()) -> bytes:
    """The scene with its marks as a PNG, twice the scene's size, in the light theme's colours."""
    canvas = Image.new("RGB", (scene.width * SCALE, scene.height * SCALE), LIGHT["background"])
    draw = ImageDraw.Draw(canvas, "RGBA")
    for item in [*scene.items, *marks]:
        _PAINTERS[item["kind"]](canvas, draw, item)
    stream = io.BytesIO()
    canvas.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _cells(canvas: Image.Image, draw: ImageDraw.ImageDraw, item: Primitive) -> None:
    rows, cols = item["shape"]
    data = np.frombuffer(item["data"], np.uint8)
    if item["palette"] is None:
        pixels = data.reshape(rows, cols, 3)
    else:
        pixels = np.frombuffer(item["palette"], np.uint8).reshape(-1, 4)[data].reshape(rows, cols, 4)
    left, top, right, bottom = _corners(item["box"])
    size = (round(right) - round(left), round(bottom) - round(top))
    fits = cols <= size[0] and rows <= size[1]
    grid = (
        Image.fromarray(pixels).convert("RGBA").resize(size, Image.Resampling.NEAREST if fits else Image.Resampling.BOX)
    )
    canvas.paste(grid, (round(left), round(top)), grid)


def _rectangle(canvas: Image.Image, draw: ImageDraw.ImageDraw, item: Primitive) -> None:
    corners = _corners(item["box"])
    width = round(item["width"] * SCALE)
    if item["halo"]:
        grown = (corners[0] - SCALE, corners[1] - SCALE, corners[2] + SCALE, corners[3] + SCALE)
        draw.rectangle(grown, outline="#ffffff", width=width + 2 * SCALE)
    draw.rectangle(corners, fill=_ink(item["fill"]), outline=_ink(item["stroke"]), width=width)


def _line(canvas: Image.Image, draw: ImageDraw.ImageDraw, item: Primitive) -> None:
    points = [(x * SCALE, y * SCALE) for x, y in item["points"]]
    draw.line(points, fill=_ink(item["stroke"]), width=round(item["width"] * SCALE), joint="curve")


def _ring(canvas: Image.Image, draw: ImageDraw.ImageDraw, item: Primitive) -> None:
    x, y = (SCALE * place for place in item["at"])
    radius, width = item["radius"] * SCALE, round(item["width"] * SCALE)
    halo = radius + SCALE
    draw.ellipse((x - halo, y - halo, x + halo, y + halo), outline="#ffffff", width=width + 2 * SCALE)
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=_ink(item["stroke"]), width=width)


def _text(canvas: Image.Image, draw: ImageDraw.ImageDraw, item: Primitive) -> None:
    font = _font(round(item["size"] * SCALE))
    anchor = {"left": "lm", "center": "mm", "right": "rm"}[item["align"]]
    at = (item["at"][0] * SCALE, item["at"][1] * SCALE)
    if item["plate"]:
        left, _, right, _ = draw.textbbox(at, item["text"], font=font, anchor=anchor)
        half = 0.65 * item["size"] * SCALE
        plate = (left - 4 * SCALE, at[1] - half, right + 4 * SCALE, at[1] + half)
        draw.rounded_rectangle(plate, radius=3 * SCALE, fill=LIGHT["background"], outline=LIGHT["border"])
    draw.text(at, item["text"], fill=_ink(item["fill"]), font=font, anchor=anchor)


_PAINTERS = {"cells": _cells, "rectangle": _rectangle, "line": _line, "ring": _ring, "text": _text}


def _corners(box: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = (SCALE * side for side in box)
    return x, y, x + width, y + height


def _ink(colour: str | None) -> str | None:
    return None if colour is None else LIGHT.get(colour, colour)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Matplotlib ships DejaVu Sans, which has the signs of arithmetic; Pillow's own font lacks them."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)
