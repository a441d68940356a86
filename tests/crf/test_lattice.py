"""The lattice against a plain one with dictionaries, its own transpose, and the Gaussian that it stands for."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segedu.crf import AllPairs, Lattice
from segedu.crf.simplices import simplices


def permutohedral_matrix(features: np.ndarray) -> np.ndarray:
    """Splat, blur and slice of points ``(P, d)`` as one matrix ``(P, P)``, after Adams, Baek and Davis (2010)."""
    count, d = features.shape
    basis = np.zeros((d + 1, d))
    for column in range(d):
        basis[: column + 1, column] = 1
        basis[column + 1, column] = -(column + 1)
    basis /= np.linalg.norm(basis, axis=0)
    near = [corners(point) for point in features @ basis.T * (d + 1) * np.sqrt(2 / 3)]
    numbers = {key: number for number, key in enumerate(sorted({key for found in near for key, _ in found}))}
    splat = np.zeros((len(numbers), count))
    for point, found in enumerate(near):
        for key, weight in found:
            splat[numbers[key], point] += weight
    held = splat
    for axis in range(d + 1):
        step = np.ones(d + 1, dtype=int)
        step[axis] -= d + 1
        blurred = held.copy()
        for key, number in numbers.items():
            for neighbour in (tuple(key + step), tuple(key - step)):
                if neighbour in numbers:
                    blurred[number] += held[numbers[neighbour]] / 2
        held = blurred
    return splat.T @ held / (1 + 2.0**-d)


def corners(point: np.ndarray) -> list[tuple[tuple[int, ...], float]]:
    """The corners of the simplex around a point of the plane, and their barycentric weights."""
    n = len(point)
    zero = n * np.round(point / n)
    surplus = round(zero.sum() / n)
    by_rest = np.argsort(zero - point, kind="stable")  # the largest rest first
    if surplus > 0:
        zero[by_rest[n - surplus :]] -= n
    elif surplus < 0:
        zero[by_rest[:-surplus]] += n
    by_rest = np.argsort(zero - point, kind="stable")
    rest = (point - zero)[by_rest] / n
    found, corner = [], zero.astype(int)
    for remainder in range(n):
        weight = rest[n - 1 - remainder] - (rest[n - remainder] if remainder else rest[0] - 1)
        found.append((Key(corner), weight))
        corner = corner + 1
        corner[by_rest[n - 1 - remainder]] -= n
    return found


class Key(tuple):
    """Coordinates that can be looked up and added to."""

    def __add__(self, step):
        return tuple(int(value + move) for value, move in zip(self, step, strict=True))

    def __sub__(self, step):
        return tuple(int(value - move) for value, move in zip(self, step, strict=True))


def matrix_of(filter_, images=1):
    """The filter's matrix, ``(N, P, P)``: what it makes of the unit vectors."""
    units = torch.eye(filter_.shape[1], dtype=filter_.dtype)
    return filter_.filter(units.expand(images, -1, -1))


def points(count, dimensions, spread, images=1):
    return spread * torch.rand(images, count, dimensions, dtype=torch.float64)


@given(st.integers(1, 6), st.integers(1, 12), st.sampled_from([0.0, 0.3, 2.0, 30.0]), st.integers(0, 2**31))
def test_equals_the_plain_lattice(dimensions, count, spread, seed):
    torch.manual_seed(seed)
    features = points(count, dimensions, spread) - spread / 3
    expected = torch.from_numpy(permutohedral_matrix(features[0].numpy()))
    torch.testing.assert_close(matrix_of(Lattice(features))[0], expected, rtol=0, atol=1e-9)


def test_equals_the_plain_lattice_on_a_grid():
    """Moved off the borders of the simplices: on one, a corner without any weight may be there or not."""
    features = torch.cartesian_prod(torch.arange(6.0), torch.arange(5.0)).double()[None] + torch.tensor([0.123, 0.321])
    for std in (0.5, 1.0, 3.0):
        expected = torch.from_numpy(permutohedral_matrix((features / std)[0].numpy()))
        torch.testing.assert_close(matrix_of(Lattice(features / std))[0], expected, rtol=0, atol=1e-9)


@given(st.integers(1, 5), st.sampled_from([0.0, 1.0, 100.0]), st.integers(0, 2**31))
def test_points_lie_in_their_simplices(dimensions, spread, seed):
    torch.manual_seed(seed)
    found = simplices(points(50, dimensions, spread)[0].T)
    assert found.nearness.min() > -1e-9
    torch.testing.assert_close(found.nearness.sum(0), torch.ones(50, dtype=torch.float64))
    assert torch.equal(found.corner.sum(0), torch.zeros(50, dtype=torch.float64))
    assert torch.equal(
        found.rank.sort(0).values, torch.arange(dimensions + 1, dtype=torch.int8)[:, None].expand(-1, 50)
    )


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_transposed_and_own_weight(dimensions):
    lattice = Lattice(points(30, dimensions, 3.0))
    before, after = torch.rand(2, 1, 30, dtype=torch.float64)
    for one in (
        lattice,
        lattice.scaled(before, after),
        lattice.transposed(),
        lattice.scaled(before, None).transposed(),
    ):
        matrix = matrix_of(one)[0]
        torch.testing.assert_close(matrix_of(one.transposed())[0], matrix.T)
        torch.testing.assert_close(one.own_weight()[0], matrix.diag())
    scaled = after[0][:, None] * matrix_of(lattice)[0] * before[0]
    torch.testing.assert_close(matrix_of(lattice.scaled(before, after))[0], scaled)


def test_gradients_of_the_values():
    lattice = Lattice(points(12, 3, 2.0, images=2)).scaled(torch.rand(2, 12, dtype=torch.float64), None)
    values = torch.randn(2, 12, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lattice.filter, values)
    assert torch.autograd.gradgradcheck(lattice.filter, values)


def test_a_batch_equals_its_images():
    features, values = points(40, 5, 4.0, images=3).float(), torch.randn(3, 40, 4)
    whole = Lattice(features)
    for image in range(3):
        alone = Lattice(features[image, None])
        torch.testing.assert_close(whole.filter(values)[image, None], alone.filter(values[image, None]))
        torch.testing.assert_close(whole.own_weight()[image, None], alone.own_weight())


def test_every_run_is_the_same():
    features, values = points(500, 5, 3.0).float(), torch.randn(1, 500, 3, requires_grad=True)
    first, again = Lattice(features), Lattice(features.clone())
    assert torch.equal(first.filter(values), again.filter(values))
    weight = torch.randn(1, 500, 3)
    gradients = [torch.autograd.grad((one.filter(values) * weight).sum(), values)[0] for one in (first, again)]
    assert torch.equal(*gradients)


def test_nearly_a_gaussian():
    """On a full lattice of two dimensions a point's share of each other one is a Gaussian's."""
    grid = torch.cartesian_prod(torch.arange(24.0), torch.arange(24.0))[None] / 3
    near, true = matrix_of(Lattice(grid))[0], matrix_of(AllPairs(grid))[0]
    centre = 12 * 24 + 12
    near, true = near[centre] / near[centre].sum(), true[centre] / true[centre].sum()
    assert (near - true).abs().sum() < 0.15
    offset = grid[0] - grid[0, centre]
    assert (near @ offset.square()).tolist() == pytest.approx([1, 1], rel=0.1)


def test_points_far_apart_are_left_alone():
    values = torch.randn(1, 6, 2)
    for filter_ in (Lattice, AllPairs):
        one = filter_(torch.arange(6.0).view(1, 6, 1) * 1e4)
        mass = one.filter(torch.ones(1, 6, 1))
        torch.testing.assert_close(one.filter(values) / mass, values)


def test_equal_points_share():
    for filter_ in (Lattice, AllPairs):
        one = filter_(torch.full((2, 50, 3), 7.0))
        values = torch.randn(2, 50, 2)
        mass = one.filter(torch.ones(2, 50, 1))
        torch.testing.assert_close(one.filter(values) / mass, values.mean(1, keepdim=True).expand_as(values))


@pytest.mark.parametrize("far", [1e6, 1e30, float("inf"), float("nan")])
def test_points_too_far_apart_are_refused(far):
    features = torch.zeros(1, 2, 5)
    features[0, 1] = far
    with pytest.raises(ValueError, match=r"cells of the lattice, too many to number in 63 bits; take larger"):
        Lattice(features)


@pytest.mark.parametrize("filter_", [Lattice, AllPairs])
@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (torch.zeros(3, 2), ValueError, r"features are \(3, 2\); a filter needs \(N, P, d\)"),
        (torch.zeros(1, 0, 2), ValueError, "at least one of each"),
        (torch.zeros(1, 2, 2, dtype=torch.int64), TypeError, r"features are torch\.int64"),
    ],
)
def test_other_features_are_refused(filter_, features, error, message):
    with pytest.raises(error, match=message):
        filter_(features)


def test_values_of_other_points_are_refused():
    with pytest.raises(ValueError, match=r"values are \(1, 4, 2\), but the filter is one of \(1, 3, 'C'\)"):
        Lattice(torch.zeros(1, 3, 2)).filter(torch.zeros(1, 4, 2))


def test_values_may_be_laid_out_in_any_way():
    lattice, values = Lattice(points(20, 2, 3.0).float()), torch.randn(1, 3, 40)
    scattered = values.transpose(1, 2)[:, ::2]
    torch.testing.assert_close(lattice.filter(scattered), lattice.filter(scattered.contiguous()))


def test_no_tensor_is_made_on_an_implied_device():
    with torch.device("meta"):
        lattice = Lattice(torch.rand(1, 30, 3, device="cpu"))
        assert lattice.filter(torch.rand(1, 30, 2, device="cpu")).device.type == "cpu"
        assert lattice.own_weight().device.type == "cpu"


def test_reference_is_a_lattice():
    """The simplex that the reference finds holds the point: its corners, weighted, make the point."""
    point = np.array([0.3, 4.1, -2.2])
    point -= point.mean()
    assert sum(np.array(key) * weight for key, weight in corners(point)) == pytest.approx(point)
