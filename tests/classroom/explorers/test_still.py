"""The still: every primitive, drawn without a browser, where and in the colour it says."""

import io

import numpy as np
import pytest
from PIL import Image

from segedu.classroom.colours import NOW
from segedu.classroom.explorers import still
from segedu.classroom.explorers.scene import Scene, cells, line, picture, rectangle, ring, text

INKS = np.array([(0, 114, 178, 255), (0, 0, 0, 0)], np.uint8)


def drawn(*items, marks=()):
    image = Image.open(io.BytesIO(still.png(Scene(60, 40, list(items)), marks)))
    assert image.size == (120, 80)
    return lambda x, y: "#{:02X}{:02X}{:02X}".format(*image.getpixel((int(2 * x), int(2 * y))))


def test_cells_lie_on_their_grid_and_a_clear_colour_shows_the_ground():
    at = drawn(
        rectangle((0, 0, 60, 40), fill="#123456"), cells((10, 10, 20, 20), np.array([[0, 1], [1, 0]], np.uint8), INKS)
    )
    assert (at(15, 15), at(25, 15), at(15, 25), at(25, 25)) == ("#0072B2", "#123456", "#123456", "#0072B2")
    assert at(9, 15) == at(31, 25) == "#123456"


def test_a_picture_finer_than_its_box_is_averaged():
    checks = np.indices((80, 80)).sum(0)[..., None].repeat(3, -1) % 2 * 255
    at = drawn(picture((0, 0, 20, 20), checks.astype(np.uint8)))
    assert at(10, 10) in ("#7F7F7F", "#808080")


def test_lines_rings_and_frames_are_stroked_and_not_filled():
    at = drawn(
        line([(5, 5), (55, 5)], stroke="rest"),
        rectangle((10, 20, 20, 16), stroke="now", width=2, halo=True),
        ring((45, 28), 6),
    )
    assert (at(30, 5), at(10, 28), at(39, 28)) == ("#0072B2", NOW, NOW)
    assert at(20, 28) == at(45, 28) == "#FFFFFF"


def test_marks_are_drawn_over_the_scene():
    at = drawn(rectangle((0, 0, 60, 40), fill="rest"), marks=[rectangle((20, 10, 10, 10), fill="now")])
    assert (at(25, 15), at(45, 15)) == (NOW, "#0072B2")


@pytest.mark.parametrize(("align", "left", "right"), [("left", 30, 60), ("right", 0, 31), ("center", 15, 46)])
def test_text_stands_on_its_side_of_the_place(align, left, right):
    at = drawn(text((30, 20), "−×", align=align))
    ink = [x for x in range(60) if any(at(x, y) != "#FFFFFF" for y in range(40))]
    assert ink
    assert left <= min(ink) <= max(ink) <= right


def test_a_plate_covers_what_lies_behind_the_words():
    ground = rectangle((0, 0, 60, 40), fill="#000000")
    assert drawn(ground, text((5, 20), "ab", plate=True))(3, 20) == "#FFFFFF"
    assert drawn(ground, text((5, 20), "ab"))(3, 20) == "#000000"


def test_the_signs_of_arithmetic_have_glyphs():
    absent = still._font(30).getmask("\uffff")
    for sign in "−×·+=":
        mask = still._font(30).getmask(sign)
        assert (mask.size, bytes(mask)) != (absent.size, bytes(absent)), sign
