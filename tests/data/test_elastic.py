"""Elastic deformation: the field passes through its grid points, picture and labels move as one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision import tv_tensors

from segedu.data import ElasticDeformation, deform
from segedu.data.elastic import displacement_field, sample_bilinear, sample_nearest


@given(grid=st.integers(2, 5), cells=st.tuples(st.integers(1, 6), st.integers(1, 6)), seed=st.integers(0, 99))
def test_displacements_are_exact_at_the_grid_points(grid, cells, seed):
    knots = torch.randn(2, 2, grid, grid, generator=torch.Generator().manual_seed(seed)) * 10
    size = tuple(count * (grid - 1) + 1 for count in cells)  # every grid point is a pixel
    field = displacement_field(knots, size)
    torch.testing.assert_close(field[:, :, :: cells[0], :: cells[1]], knots, rtol=0, atol=2e-5)


def test_the_field_is_a_cubic_between_its_points():
    def kernel(t):  # Keys' with a = -0.75
        t = abs(t)
        return 1.25 * t**3 - 2.25 * t**2 + 1 if t <= 1 else -0.75 * t**3 + 3.75 * t**2 - 6 * t + 3 if t < 2 else 0

    knots = torch.randn(1, 2, 3, 3)
    column = [knots[0, 0, min(max(row, 0), 2), 1] for row in range(-1, 4)]
    expected = sum(kernel(0.5 - (row - 1)) * column[row] for row in range(5))
    torch.testing.assert_close(displacement_field(knots, (5, 5))[0, 0, 1, 2], expected)


@given(
    size=st.tuples(st.integers(1, 17), st.integers(1, 17)),
    sigma=st.sampled_from([0.7, 5.0, 60.0]),
    seed=st.integers(0, 99),
)
def test_sampling_equals_scipy(size, sigma, seed):
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(1, 2, *size, generator=generator)
    field = torch.randn(1, 2, *size, generator=generator) * sigma
    grid = torch.stack(torch.meshgrid(*map(torch.arange, size), indexing="ij")) + field[0]
    moved = sample_bilinear(image, field)
    for found, channel in zip(moved[0], image[0], strict=True):
        expected = ndimage.map_coordinates(channel.double(), grid.double(), order=1, mode="mirror")
        torch.testing.assert_close(found.double(), torch.from_numpy(expected), rtol=0, atol=1e-4)


def test_whole_shifts_move_whole_pixels_and_mirror():
    ids = torch.arange(12).view(1, 3, 4) * 2**40
    field = torch.zeros(1, 2, 3, 4)
    field[:, 1] = 2
    assert torch.equal(sample_nearest(ids, field), ids[..., [2, 3, 2, 1]])
    assert torch.equal(sample_bilinear(ids[:, None].double(), field)[:, 0].long(), ids[..., [2, 3, 2, 1]])


def test_sigma_zero_changes_nothing():
    images, labels = torch.randn(2, 3, 11, 14), torch.randint(0, 2, (2, 11, 14))
    assert all(map(torch.equal, deform(images, labels, sigma=0.0), (images, labels)))
    for image in (tv_tensors.Image(images[0]), tv_tensors.Image(images[0].mul(50).clamp(0).byte())):
        bent, mask = ElasticDeformation(sigma=0.0)(image, tv_tensors.Mask(labels[0]))
        assert isinstance(bent, tv_tensors.Image)
        assert isinstance(mask, tv_tensors.Mask)
        assert torch.equal(bent, image)
        assert torch.equal(mask, labels[0])


def test_picture_and_labels_move_as_one():
    """A picture that shows its labels still shows them: the nearest pixel has the larger share of the mean."""
    labels = (torch.rand(4, 8, 8) < 0.5).long().repeat_interleave(6, 1).repeat_interleave(6, 2)
    images, moved = deform(labels[:, None].float(), labels, sigma=4.0)
    sure = (images[:, 0] - 0.5).abs() > 0.3
    assert sure.double().mean() > 0.7
    assert torch.equal((images[:, 0] > 0.5).long()[sure], moved[sure])
    assert (moved != labels).double().mean() > 0.05


def test_samples_are_bent_apart_and_seeds_repeat():
    images, labels = torch.randn(1, 1, 20, 20).expand(3, 1, 20, 20), torch.zeros(3, 20, 20).long()
    first, again = (deform(images, labels, generator=torch.Generator().manual_seed(5))[0] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first[0], first[1])
    torch.manual_seed(7)
    bent, _ = ElasticDeformation()(tv_tensors.Image(images), tv_tensors.Mask(labels))
    torch.manual_seed(7)
    assert torch.equal(bent.as_subclass(Tensor), deform(images, labels)[0])


def test_displacements_have_the_deviation():
    """A ramp shows the displacement itself; the middle knot stands at the middle pixel."""
    ramp = torch.arange(201.0).expand(1000, 1, 1, 201).expand(-1, 1, 3, -1)
    bent, _ = deform(ramp, torch.zeros(1000, 3, 201).long(), sigma=10.0)
    moved = bent[:, 0, 1, 100] - 100
    assert moved.mean().abs() < 1.2
    assert abs(moved.std() - 10) < 0.9


def test_runs_on_the_device_it_is_given():
    with FakeTensorMode(), torch.device("cuda"):
        images, labels = deform(torch.randn(2, 3, 9, 9), torch.ones(2, 9, 9, dtype=torch.int64))
        assert (images.device.type, labels.device.type) == ("cuda", "cuda")


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ElasticDeformation(grid=1), ValueError, "grid is 1"),
        (lambda: ElasticDeformation(sigma=-1.0), ValueError, "sigma is -1.0"),
        (lambda: deform(torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 5)), ValueError, "labels "),
        (lambda: ElasticDeformation()(torch.zeros(3, 4, 4)), TypeError, "no Image and no Mask"),
        (
            lambda: ElasticDeformation()(tv_tensors.Image(torch.zeros(3, 4, 4)), tv_tensors.Mask(torch.zeros(4, 5))),
            ValueError,
            "cannot be bent together",
        ),
    ],
)
def test_refuses(call, error, words):
    with pytest.raises(error, match=words):
        call()
