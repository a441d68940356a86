"""The study of few pictures: its parts, and that its record is whole."""

from dataclasses import replace

import pytest
import torch

from segedu.classroom.studies import few_pictures, load
from segedu.models.unet import UNet


def test_the_record_is_whole():
    kept = load("few_pictures")
    assert set(kept.figures) == {str(steps) for steps in few_pictures.STEPS}
    for arms in kept.figures.values():
        assert set(arms) == set(few_pictures.ARMS)
        grid = torch.tensor([arms[arm] for arm in few_pictures.ARMS])
        assert grid.shape == (4, len(few_pictures.SEEDS), len(few_pictures.COUNTS))
        assert grid.isfinite().all()
        assert ((grid > 0) & (grid < 100)).all()


def test_without_skips_nothing_of_them_is_left():
    torch.manual_seed(0)
    net = UNet(num_classes=2, width=2).eval()
    *skips, bottom = net.encode(torch.randn(1, 3, 32, 16))
    images = torch.randn(1, 3, 32, 16)
    with torch.no_grad():
        silent = few_pictures.WithoutSkips(net)(images)["out"]
        *_, own_bottom = net.encode(images)
        expected = net.decode([*(0 * skip for skip in skips), own_bottom])
    assert torch.equal(silent, expected)
    assert bottom.shape == own_bottom.shape


def test_each_seed_has_pictures_of_its_own():
    chosen = [few_pictures.few(2, seed, bend=False)[:][0] for seed in (0, 1)]
    assert len(chosen[0]) == 2
    assert not (chosen[0][:, None] == chosen[1][None]).flatten(2).all(-1).any()


def test_bending_changes_the_picture_each_time():
    data = few_pictures.few(1, 0, bend=True)
    assert not torch.equal(data[0][0], data[0][0])


@pytest.mark.parametrize("skips", [True, False])
def test_a_seed_decides_everything(skips):
    data = few_pictures.few(2, 0, bend=False)
    recipe = replace(few_pictures.RECIPE, steps=1)
    first, again = (few_pictures.learnt(data, recipe, skips=skips) for _ in range(2))
    for one, other in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)
