"""What every filter promises of its points: their numbers are names, and nothing else."""

import pytest
import torch

from segedu.crf import AllPairs, Lattice, dense_crf
from segedu.crf.mean_field import _by_tiles
from segedu.crf.normalisation import OthersOnly


@pytest.mark.parametrize("kind", [Lattice, AllPairs])
@pytest.mark.parametrize("others_only", [False, True])
def test_points_may_be_numbered_anew(kind, others_only):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 30, 3, generator=generator, dtype=torch.float64)
    before, after = torch.rand(2, 2, 30, generator=generator, dtype=torch.float64)
    one = kind(features).scaled(before, after)
    if others_only:
        one = OthersOnly(one, one.own_weight())
    order = torch.cat([torch.randperm(30, generator=generator), 30 + torch.randperm(30, generator=generator)])
    values = torch.randn(2, 30, 4, generator=generator, dtype=torch.float64)

    def renumbered(rows):
        return rows.flatten(0, 1)[order].view(rows.shape)

    anew = one.reordered(order)
    for here, there in ((one, anew), (one.transposed(), anew.transposed())):
        torch.testing.assert_close(there.filter(renumbered(values)), renumbered(here.filter(values)))
        torch.testing.assert_close(there.own_weight(), renumbered(here.own_weight()))


@pytest.mark.parametrize(("count", "height", "width"), [(1, 1, 1), (2, 8, 16), (2, 9, 17), (3, 5, 30)])
def test_tiles_hold_every_pixel_once_and_image_by_image(count, height, width):
    order = _by_tiles(count, height, width).view(count, -1)
    assert torch.equal(order.flatten().sort().values, torch.arange(count * height * width))
    assert torch.equal(order // (height * width), torch.arange(count)[:, None].expand_as(order))
    if height >= 8 and width >= 8:
        first = order[0, :64]
        assert int((first // width).max()) == int((first % width).max()) == 7


def test_nothing_is_made_on_an_implied_device():
    logits, images = torch.randn(1, 3, 9, 12), torch.rand(1, 3, 9, 12)
    expected = dense_crf(logits, images, iterations=2)
    torch.set_default_device("meta")
    try:
        assert torch.equal(dense_crf(logits, images, iterations=2), expected)
    finally:
        torch.set_default_device(None)
