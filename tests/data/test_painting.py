"""Drawing primitives against their definitions, pixel by pixel."""

import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from segedu.data.painting import Canvas, Shapes, below, look_up, right_of, smooth_noise, thicken, white_noise, within

SIZE = (23, 31)
ys = (torch.arange(SIZE[0]).double() + 0.5)[:, None]
xs = (torch.arange(SIZE[1]).double() + 0.5)[None, :]
edges = st.tuples(st.integers(-20, 40), st.integers(0, 50))


def draw(left, right, top, bottom, round_=0, up=0, down=0, rough=0, fray=0):
    fields = [torch.tensor([[value]]) for value in (left, right, top, bottom, round_, up, down, rough)]
    canvas = Canvas(1, SIZE, torch.device("cpu"))
    still = torch.full((1, SIZE[0]), fray), torch.full((1, SIZE[1]), fray)
    canvas.paint_all(Shapes(*fields), still, range(1, 2))
    return canvas.picture[0].bool()


@given(across=edges, down=edges)
def test_box_covers_exactly_its_pixels(across, down):
    left, right, top, bottom = across[0], sum(across), down[0], sum(down)
    expected = (xs > left) & (xs < right) & (ys > top) & (ys < bottom)
    assert torch.equal(draw(left, right, top, bottom), expected)


@given(across=edges, down=edges)
def test_ellipse_equals_its_equation(across, down):
    left, right, top, bottom = across[0], sum(across), down[0], sum(down)
    if right == left or bottom == top:
        assert not draw(left, right, top, bottom, round_=1).any()
        return
    u = (2 * xs - left - right) / (right - left)
    v = (2 * ys - top - bottom) / (bottom - top)
    radius = u**2 + v**2
    drawn = draw(left, right, top, bottom, round_=1)
    assert drawn[radius < 0.995].all()  # fixed point may decide a pixel whose centre lies on the outline
    assert not drawn[radius > 1.005].any()


@given(across=edges, down=edges, taper=st.integers(1, 256), upwards=st.booleans())
def test_wedge_narrows_towards_one_end(across, down, taper, upwards):
    left, right, top, bottom = across[0], sum(across) + 1, down[0], sum(down) + 1
    rising = (bottom - ys) / (bottom - top)
    width = 1 - taper / 256 * (rising if upwards else 1 - rising)
    u = ((2 * xs - left - right) / (right - left)).abs()
    inside = (ys > top) & (ys < bottom) & (xs > left) & (xs < right)
    drawn = draw(left, right, top, bottom, up=taper * upwards, down=taper * (not upwards))
    assert drawn[inside & (u < width - 0.005)].all()
    assert not drawn[~inside | (u > width + 0.005)].any()


def test_fraying_only_takes_away():
    whole = draw(3, 28, 2, 20, round_=1)
    frayed = draw(3, 28, 2, 20, round_=1, rough=200, fray=120)
    assert whole[frayed].all()
    assert 0 < frayed.sum() < whole.sum()


@given(bounds=st.lists(st.integers(-40, 60), min_size=31, max_size=31), kept=st.integers(0, 2**31 - 1))
def test_half_planes(bounds, kept):
    where = torch.tensor([[bool(kept >> place & 1) for place in range(31)]])
    line = torch.tensor([bounds])
    canvas = Canvas(1, SIZE, torch.device("cpu"))
    canvas.paint(*below(line, SIZE, where), 7)
    assert torch.equal(canvas.picture, 7 * ((ys > line) & where).short()[None])
    canvas = Canvas(1, SIZE, torch.device("cpu"))
    line, where = line[:, : SIZE[0]], where[:, : SIZE[0]]
    canvas.paint(*right_of(line, SIZE, where), 7)
    assert torch.equal(canvas.picture[0], 7 * ((xs > line.T) & where.T).short())


def test_later_hides_earlier():
    canvas = Canvas(1, SIZE, torch.device("cpu"))
    canvas.paint(*below(torch.full((1, SIZE[1]), 5), SIZE), 1)
    canvas.paint(*right_of(torch.full((1, SIZE[0]), 9), SIZE), 2)
    assert canvas.picture[0, 7, 3] == 1
    assert canvas.picture[0, 7, 9] == 2
    assert canvas.picture[0, 3, 3] == 0


@given(width=st.integers(0, 4), seed=st.integers(0, 99))
def test_thicken_is_a_maximum_filter(width, seed):
    mask = torch.randint(0, 90, (2, *SIZE), generator=torch.Generator().manual_seed(seed)).short()
    expected = F.max_pool2d(mask.float(), 2 * width + 1, 1, width).short()
    assert torch.equal(thicken(mask, width), expected)


def test_within_masks_a_range():
    layer = torch.arange(20, dtype=torch.int16)
    assert torch.equal(within(layer, range(4, 9)), -((layer >= 4) & (layer < 9)).short())


def test_look_up_reads_each_images_own_table():
    table, layer = torch.arange(12).view(2, 6), torch.randint(6, (2, *SIZE))
    expected = torch.stack([table[n][layer[n]] for n in range(2)])
    assert torch.equal(look_up(table, layer), expected)


def test_noise_is_noise():
    pictures = white_noise(torch.tensor([1, 2]), (96, 128))
    for picture in pictures:
        values = picture.double()
        assert abs(values.mean()) < 3
        assert abs(values.std() - 73.9) < 3  # of a uniform byte
        for neighbour in (
            values[:, 1:] * values[:, :-1],
            values[:, :, 1:] * values[:, :, :-1],
            values[:1] * values[1:],
        ):
            assert abs(neighbour.mean()) < 0.05 * 73.9**2
    assert abs((pictures[0].double() * pictures[1]).mean()) < 0.05 * 73.9**2


def test_smooth_noise_keeps_its_knots_and_range():
    knots = torch.randint(-128, 128, (2, 4, 5))
    picture = smooth_noise(knots, (96, 128))
    assert torch.equal(picture[:, ::32, ::32].long(), knots[:, :3, :4])
    assert picture.min() >= knots.min()
    assert picture.max() <= knots.max()
    assert (picture[:, 1:] - picture[:, :-1]).abs().max() <= 256 // 32 + 1
