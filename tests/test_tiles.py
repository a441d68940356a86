"""Tiles against the whole image: equal scores for every network, from reads that are all alike."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from segedu.inference import inference
from segedu.models import create
from segedu.receptive_field import receptive_field
from segedu.tiles import tiles_of


class Ladder(nn.Module):
    """Down by 4 and up again beside a skip: cheap to trace, and blind to no phase of its pooling."""

    def __init__(self):
        super().__init__()
        self.into = nn.Conv2d(1, 3, 3, padding=1)
        self.down = nn.Conv2d(3, 3, 3, padding=1)
        self.up = nn.ConvTranspose2d(3, 3, 4, stride=4)
        self.out = nn.Conv2d(3, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        fine = self.into(images)
        coarse = self.up(self.down(F.max_pool2d(fine, 4, ceil_mode=True)))
        return self.out(fine + coarse[..., : fine.shape[-2], : fine.shape[-1]])


class Valid(nn.Module):
    """No padding: 3 pixels lost on each side, sides that are odd."""

    margin = 3

    def __init__(self):
        super().__init__()
        self.into = nn.Conv2d(1, 3, 2)
        self.down = nn.Conv2d(3, 3, 3)
        self.out = nn.ConvTranspose2d(3, 2, 1, stride=1)

    def forward(self, images: Tensor) -> Tensor:
        coarse = self.down(F.max_pool2d(self.into(images), 2))
        return self.out(F.interpolate(coarse, scale_factor=2)[..., :-1, :-1])

    def input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        height, width = (side + 6 + (side + 7) % 2 for side in size)
        return height, width


def scores_of(model: nn.Module, images: Tensor) -> Tensor:
    out = model(images)
    return out["out"] if isinstance(out, dict) else out


def assert_tiles_equal_the_whole(model: nn.Module, size: tuple[int, int], tile: tuple[int, int], channels=3) -> int:
    """Compare, and return how many tiles there were; each pixel is scored once, and all reads have one size."""
    images = torch.randn(1, channels, *size)
    (whole,) = tiles_of(model, size, size)
    tiles = tiles_of(model, size, tile, in_channels=channels)
    with inference(model):
        expected = whole.keep(scores_of(model, whole.read(images)))
        assert expected.shape[-2:] == size
        found, times = torch.full_like(expected, torch.nan), torch.zeros(size)
        for one in tiles:
            one.place(found).copy_(one.keep(scores_of(model, one.read(images))))
            one.place(times).add_(1)
    assert (times == 1).all()
    assert len({one.read(images).shape for one in tiles}) == 1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * max(1, expected.abs().max().item()))
    return len(tiles)


def random(model: nn.Module) -> nn.Module:
    """No score layer at zero, no norm that does nothing."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, nn.Conv2d) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.1)
    return model.eval()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("unet", {"width": 2}),
        ("unet_original", {"width": 2}),
        ("fcn8s", {"backbone": "vgg_mini", "learn_upsampling": True}),
    ],
)
def test_each_models_tiles_give_the_whole_images_scores(name, options):
    assert assert_tiles_equal_the_whole(random(create(name, 3, **options)), (420, 290), (96, 290)) > 2


@settings(max_examples=8)
@given(st.sampled_from([Ladder, Valid]), st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40))
def test_any_size_any_tile(make, height, width, rows, columns):
    assert_tiles_equal_the_whole(make(), (height, width), (rows, columns), channels=1)


def test_a_large_image_takes_many_tiles_of_one_size():
    """Planned from a small image, without running the network: 8192 x 8192 in blocks of 512."""
    with torch.device("meta"):
        model = create("unet", 3)
    tiles = tiles_of(model, (8192, 8190), (512, 500))
    assert len(tiles) == 256
    assert {(len(one.rows.read), len(one.columns.read)) for one in tiles} == {(704, 702)}
    assert all(one.rows.read.start % 16 == one.columns.read.start % 16 == 0 for one in tiles)
    assert {one.columns.read.stop for one in tiles[15::16]} == {8190}


def test_the_papers_tile():
    """Figure 2's strategy at figure 1's size: 572 pixels in for 388 out, of an image of two tiles by two."""
    with torch.device("meta"):
        model = create("unet_original", 2, in_channels=1)
    (one,) = tiles_of(model, (388, 388), (388, 388))
    assert one.rows.read == range(-92, 480)
    tiles = tiles_of(model, (768, 768), (384, 384), in_channels=1)
    assert [(one.rows.read, one.columns.read) for one in tiles] == [
        (rows, columns) for rows in (range(-92, 480), range(292, 864)) for columns in (range(-92, 480), range(292, 864))
    ]


@pytest.mark.parametrize("length", [1, 2, 5, 30])
def test_mirroring_goes_on_as_far_as_it_must(length):
    """Against numpy's reflection, which repeats where torch's refuses."""
    np = pytest.importorskip("numpy")
    model = Valid()
    image = torch.arange(float(length)).expand(1, 1, 4, length)
    (one,) = tiles_of(model, (4, length), (4, length))
    before, after = -one.columns.read.start, one.columns.read.stop - length
    expected = np.pad(np.arange(float(length)), (before, after), mode="reflect")
    assert one.read(image)[0, 0, 0].tolist() == expected.tolist()


def test_the_overlap_is_no_larger_than_what_is_seen():
    """Against each unit's field: all that are kept see the read alone, and within a stride or two others do not."""
    model = create("unet", 2, width=2)
    side, tile = 832, 64
    inner = tiles_of(model, (side, 20), (tile, 20))[6].rows
    output = receptive_field(model, (64, 64)).output
    fields = [output.box(unit, unit)[0] for unit in range(len(inner.read))]
    right = [first >= 0 and last < len(inner.read) for first, last in fields]
    first, stop = inner.keep.start, inner.keep.stop
    assert all(right[first:stop])
    assert not all(right[first - 16 : first])
    assert not all(right[stop : stop + 32])


def test_margin_replaces_what_the_model_sees():
    model = Ladder()
    wide, narrow = (tiles_of(model, (80, 80), (8, 8), margin=margin, in_channels=1)[44] for margin in (20, 0))
    assert (narrow.rows.keep, narrow.rows.read) == (slice(0, 8), range(32, 40))
    assert (wide.rows.keep, wide.rows.read) == (slice(20, 28), range(12, 60))


class Global(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, images):
        maps = self.conv(images)
        return maps + maps.mean((2, 3), keepdim=True)


class Resized(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 2, stride=2)
        self.factor = factor

    def forward(self, images):
        return F.interpolate(self.conv(images), scale_factor=self.factor)


class Sorted(nn.Conv2d):
    def forward(self, images):
        return super().forward(images).sort(dim=2).values


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Global(), "Global sees the whole image from every pixel, .* margin="),
        (Resized(1), "the scores of Resized lie 2 pixels apart on an image with a side of 60"),
        (Sorted(3, 2, 1), r"how far Sorted sees is unknown \(there is no rule for sort\); .* margin="),
    ],
)
def test_networks_that_cannot_be_tiled_say_so(model, words):
    with pytest.raises(ValueError, match=words):
        tiles_of(model, (60, 60), (16, 16))
    assert len(tiles_of(model, (60, 60), (60, 60))) == 1
    assert len(tiles_of(Global(), (60, 60), (16, 16), margin=4)) == 16


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((0, 9), (4, 4)), r"size is \(0, 9\)"),
        (((9, 9), (4, 0)), r"tile is \(4, 0\), expected a height and a width"),
    ],
)
def test_sizes_below_one_pixel_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        tiles_of(Ladder(), *arguments)
    with pytest.raises(ValueError, match="margin is -1"):
        tiles_of(Ladder(), (9, 9), (4, 4), margin=-1)
