"""What a unit behind an unpooling sees: the cells of its window, and through the places what those cells see."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from segedu.layers.unpool import max_unpool, pack, unpack
from segedu.layers.way_back import WAYS_BACK
from segedu.models import SegNet, create
from segedu.receptive_field import receptive_field

SIZE = (37, 29)
UNITS = [(0, 0), (1, 28), (18, 13), (36, 0), (36, 28)]


def segnet(name):
    return SegNet(3, WAYS_BACK[name], widths=(4, 4, 4), depths=(1, 1, 2)).eval()


@pytest.mark.parametrize("name", ["offsets", "packed offsets", "indices", "nearest"])
def test_boxes_are_those_of_the_gradients(name, seen_by_gradient):
    """Nearest upsampling gives each pixel its window's cell always, an unpooling where the maximum was: the same cells.

    Its gradient shows what can reach a unit through the values. The places add nothing: a cell's own window.
    """
    field = receptive_field(segnet(name), SIZE).output
    expected = seen_by_gradient(segnet("nearest"), SIZE, UNITS)
    assert [field.box_in_image(*unit) for unit in UNITS] == expected


@pytest.mark.parametrize("name", ["offsets", "packed offsets", "indices"])
def test_pixels_outside_the_box_change_nothing(name):
    model = segnet(name).double()
    field = receptive_field(model, (61, 53)).output
    image = torch.randn(1, 3, 61, 53, dtype=torch.float64)
    with torch.no_grad():
        before = model(image)["out"]
        for unit in ((0, 0), (30, 20), (60, 52)):
            (top, bottom), (left, right) = field.box_in_image(*unit)
            other = torch.randn_like(image) * 5
            other[..., top : bottom + 1, left : right + 1] = image[..., top : bottom + 1, left : right + 1]
            assert torch.equal(model(other)["out"][(0, slice(None), *unit)], before[(0, slice(None), *unit)])
            assert not torch.equal(model(other)["out"], before)


class PlacesOnly(nn.Module):
    """Constant values, so that the image speaks through the places alone."""

    def __init__(self, unpool):
        super().__init__()
        self.unpool = unpool
        self.conv = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, x):
        x = self.conv(x)
        return self.unpool(x)


def by_offsets(x):
    pooled, offsets = WAYS_BACK["offsets"].pool()(x)
    return max_unpool(pooled, offsets, tuple(x.shape[-2:]))


def by_overlapping_windows(x):
    pooled, indices = F.max_pool2d(x, 3, 2, 1, return_indices=True)
    return F.max_unpool2d(pooled, indices, 3, 2, 1, output_size=x.shape[-2:])


@pytest.mark.parametrize(("unpool", "sizes"), [(by_offsets, {4}), (by_overlapping_windows, {5, 7})])
def test_a_pooling_undone_at_once(unpool, sizes):
    """A pixel of a 3x3 pooling with stride 2 lies in one window or in two."""
    row = receptive_field(PlacesOnly(unpool), (17, 17)).output
    assert set(row.sizes) == sizes
    assert row.stride == 1


def test_published_fields():
    with torch.device("meta"):
        basic = receptive_field(create("segnet_basic", 2, width=2), (90, 120))
        full = receptive_field(SegNet(2, widths=(2,) * 5), (90, 120))
    assert basic["features.15"].size == 106  # after the fourth pooling (section 3.1)
    assert full["features.43"].size == 212  # VGG16's pool5
    assert [row.name for row in full].count("features.43") == 1


def shuffled(x):
    way = WAYS_BACK["shuffled offsets"]
    return way.unpool()(*way.pool()(x), tuple(x.shape[-2:]))


def repacked(x):
    pooled, offsets = WAYS_BACK["offsets"].pool()(x)
    return max_unpool(pooled, unpack(pack(offsets), offsets.shape[-1]), tuple(x.shape[-2:]))


def into_another_size(x):
    pooled, indices = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(pooled, indices, 2, output_size=(x.shape[-2] + 1, x.shape[-1] + 1))


@pytest.mark.parametrize("unpool", [shuffled, repacked, into_another_size])
def test_places_from_elsewhere_are_unknown(unpool):
    assert "places that come from no pooling" in receptive_field(PlacesOnly(unpool), (16, 16)).output.unknown[0]
