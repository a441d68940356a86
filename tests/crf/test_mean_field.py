"""Mean field against algorithm 1 with dense matrices in float64, and the layer's gradients."""

from importlib import import_module

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.crf import AllPairs, Bilateral, DenseCRF, Gaussian, Lattice, dense_crf, mean_field, pairwise_filters

KERNELS = (Gaussian(1.5, 2.0), Bilateral(4.0, 60.0, 3.0))


def scene(images=1, classes=3, height=6, width=7, dtype=torch.float64):
    """Noisy scores and an image of smooth colours."""
    picture = F.interpolate(torch.rand(images, 3, 2, 3, dtype=dtype), size=(height, width), mode="bilinear")
    return torch.randn(images, classes, height, width, dtype=dtype), picture


def gaussian_matrix(features: Tensor) -> Tensor:
    """``exp(-|f_i - f_j|^2 / 2)`` of points ``(P, d)``."""
    return (-(features[:, None] - features).square().sum(-1) / 2).exp()


def features_of(kernel, picture: Tensor) -> Tensor:
    """Column, row and levels of every pixel, ``(P, d)``, one by one."""
    _, height, width = picture.shape
    rows = []
    for row in range(height):
        for column in range(width):
            place = [column / kernel.position_std, row / kernel.position_std]
            colour = (
                (255 * picture[:, row, column] / kernel.colour_std).tolist() if hasattr(kernel, "colour_std") else []
            )
            rows.append(place + colour)
    return torch.tensor(rows, dtype=picture.dtype)


def by_the_paper(scores, picture, kernels, costs, iterations, normalisation="none", exclude_self=False):
    """Algorithm 1 of Krähenbühl and Koltun (2011) for one image, with the kernels as matrices: ``(K, H, W)``."""
    unary = scores.flatten(1).T
    probabilities = unary.softmax(1)
    matrices = []
    for kernel in kernels:
        matrix = gaussian_matrix(features_of(kernel, picture))
        mass = matrix.sum(1)
        rows = {"none": 0, "symmetric": -0.5, "after": -1, "before": 0}[normalisation]
        columns = {"none": 0, "symmetric": -0.5, "after": 0, "before": -1}[normalisation]
        matrix = mass[:, None] ** rows * matrix * mass**columns
        matrices.append(matrix - matrix.diag().diag() if exclude_self else matrix)
    for _ in range(iterations):
        heard = sum(kernel.weight * matrix @ probabilities for kernel, matrix in zip(kernels, matrices, strict=True))
        probabilities = (unary - heard @ costs.T).softmax(1)
    return probabilities.T.view(scores.shape)


@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("normalisation", ["symmetric", "before", "after", "none"])
def test_exact_is_the_paper(normalisation, exclude_self):
    scores, pictures = scene(images=2)
    potts, costs = 1 - torch.eye(3, dtype=torch.float64), torch.randn(3, 3, dtype=torch.float64)
    options = {"normalisation": normalisation, "exclude_self": exclude_self}
    for told, compatibility in ((None, potts), (costs, costs)):
        found = dense_crf(scores, pictures, KERNELS, compatibility=told, iterations=3, exact=True, **options)
        for image in range(2):
            expected = by_the_paper(scores[image], pictures[image], KERNELS, compatibility, 3, **options)
            torch.testing.assert_close(found[image], expected)


@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("normalisation", ["symmetric", "before", "after", "none"])
def test_lattice_is_near_to_exact(normalisation, exclude_self):
    """On a scene of regions under noise: 94 % of the labels, and 0.03 of probability, at every pixel's mean."""
    truth = F.interpolate(torch.rand(1, 1, 3, 4), size=(24, 32), mode="bilinear")[:, 0].mul(3).long()
    palette = torch.tensor([[40, 90, 200], [200, 60, 50], [90, 180, 80]], dtype=torch.float32)
    pictures = (palette[truth].permute(0, 3, 1, 2) + 12 * torch.randn(1, 3, 24, 32)).clamp(0, 255).byte()
    scores = 2 * F.one_hot(truth, 3).permute(0, 3, 1, 2) + 1.5 * torch.randn(1, 3, 24, 32)
    kernels = (
        Gaussian(2.0, 0.05 if normalisation == "none" else 1.0),
        Bilateral(12.0, 25.0, 0.01 if normalisation == "none" else 3.0),
    )
    options = {"normalisation": normalisation, "exclude_self": exclude_self, "iterations": 5}
    near, exact = (dense_crf(scores, pictures, kernels, exact=exact, **options) for exact in (False, True))
    plain = scores.argmax(1)
    assert (exact.argmax(1) != plain).double().mean() > 0.1
    assert (near.argmax(1) == exact.argmax(1)).double().mean() >= 0.94
    assert (near - exact).abs().mean() < 0.03


@pytest.mark.parametrize("exact", [False, True])
def test_gradients_are_the_derivatives(exact):
    scores, pictures = scene(height=3, width=4)
    weights = torch.tensor([0.7, 1.3], dtype=torch.float64)
    costs = 1 - torch.eye(3, dtype=torch.float64) + 0.1 * torch.randn(3, 3, dtype=torch.float64)

    def field(scores, weights, costs):
        return dense_crf(
            scores,
            pictures,
            KERNELS,
            weights=weights,
            compatibility=costs,
            iterations=2,
            exclude_self=True,
            exact=exact,
        )

    given = tuple(one.requires_grad_() for one in (scores, weights, costs))
    assert torch.autograd.gradcheck(field, given, fast_mode=True)


def test_gradients_are_those_of_the_matrices():
    scores, pictures = scene()
    scores.requires_grad_()
    weight = torch.randn(3, 6, 7, dtype=torch.float64)
    potts = 1 - torch.eye(3, dtype=torch.float64)
    expected = by_the_paper(scores[0], pictures[0], KERNELS, potts, 4, "symmetric")
    (expected_gradient,) = torch.autograd.grad((expected * weight).sum(), scores)
    found = dense_crf(scores, pictures, KERNELS, iterations=4, exact=True)[0]
    (gradient,) = torch.autograd.grad((found * weight).sum(), scores)
    torch.testing.assert_close(gradient, expected_gradient)


def test_the_layer_learns():
    """Kernel weights of zero are found to be useful, and all the layer's parameters and its input get gradients."""
    scores, pictures = scene(classes=2, height=8, width=9, dtype=torch.float32)
    target = (pictures.mean(1) > pictures.mean()).long()
    layer = DenseCRF(2, (Gaussian(2.0, 0.0), Bilateral(5.0, 20.0, 0.0)))
    scores = (scores + 0.5 * F.one_hot(target, 2).permute(0, 3, 1, 2)).requires_grad_()
    F.nll_loss(layer(scores, pictures).log(), target).backward()
    assert layer.weights.grad[1] < 0
    assert scores.grad.abs().sum() > 0
    with torch.no_grad():
        layer.weights += 1
    F.nll_loss(layer(scores, pictures).log(), target).backward()
    assert layer.compatibility.grad.abs().sum() > 0


def test_with_and_without_gradients_are_the_same(monkeypatch):
    monkeypatch.setattr(import_module("segedu.crf.mean_field"), "CPU_VALUES", 20)
    scores, pictures = scene(images=2, dtype=torch.float32)
    for options in ({}, {"exclude_self": True}, {"exact": True}, {"compatibility": torch.randn(3, 3)}):
        in_pieces = dense_crf(scores, pictures, KERNELS, **options)
        at_once = dense_crf(scores.clone().requires_grad_(), pictures, KERNELS, **options)
        torch.testing.assert_close(in_pieces, at_once.detach())


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**31))
def test_a_batch_equals_its_images(images, classes, height, width, seed):
    torch.manual_seed(seed)
    scores, pictures = scene(images, classes, height, width)
    whole = dense_crf(scores, pictures, KERNELS)
    torch.testing.assert_close(whole.sum(1), torch.ones(images, height, width, dtype=torch.float64))
    for image in range(images):
        alone = dense_crf(scores[image, None], pictures[image, None], KERNELS)
        torch.testing.assert_close(whole[image, None], alone)


def test_filters_serve_again():
    scores, pictures = scene(dtype=torch.float32)
    filters = pairwise_filters(pictures, KERNELS)
    for weights, iterations in (([2.0, 3.0], 10), ([1.0, 0.0], 2), ([0.0, 0.0], 1)):
        kernels = [Gaussian(1.5, weights[0]), Bilateral(4.0, 60.0, weights[1])]
        found = mean_field(scores, filters, weights, iterations=iterations)
        assert torch.equal(found, dense_crf(scores, pictures, kernels, iterations=iterations))
    torch.testing.assert_close(found, scores.softmax(1))
    torch.testing.assert_close(mean_field(scores, filters, [1.0, 1.0], iterations=0), scores.softmax(1))


@pytest.mark.parametrize("exact", [False, True])
def test_what_is_impossible_stays_so(exact):
    scores, pictures = scene(dtype=torch.float32)
    scores[:, 0] = -torch.inf
    scores[:, 1, :3] = -torch.inf
    found = dense_crf(scores.requires_grad_(), pictures, KERNELS, exact=exact)
    assert (found[:, 0] == 0).all()
    assert (found[:, 2, :3] == 1).all()
    found.square().sum().backward()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("exact", [False, True])
def test_kernels_of_any_width(exact):
    """A kernel narrower than a pixel says what a pixel thinks itself; a very wide one what all pixels think."""
    scores, pictures = scene(dtype=torch.float32)
    narrow = (Gaussian(1e-2, 2.0), Bilateral(1e-2, 1e-1, 3.0))
    alone = scores.softmax(1)
    for _ in range(2):
        alone = (scores + 5 * alone).softmax(1)
    options = {"iterations": 2, "exact": exact}
    torch.testing.assert_close(dense_crf(scores, pictures, narrow, **options), alone)
    for normalisation in ("symmetric", "none"):
        others = dense_crf(scores, pictures, narrow, exclude_self=True, normalisation=normalisation, **options)
        torch.testing.assert_close(others, scores.softmax(1))
    wide = (Gaussian(1e6, 2.0), Bilateral(1e6, 1e6, 3.0))
    together = scores.softmax(1)
    for _ in range(2):
        together = (scores + 5 * together.mean((2, 3), keepdim=True)).softmax(1)
    torch.testing.assert_close(dense_crf(scores, pictures, wide, **options), together)


def test_a_constant_image_has_no_edges():
    scores, _ = scene(dtype=torch.float32)
    grey = torch.full((1, 3, 6, 7), 0.5)
    blind = dense_crf(scores, grey, [Gaussian(4.0, 3.0)], exact=True)
    torch.testing.assert_close(dense_crf(scores, grey, [Bilateral(4.0, 60.0, 3.0)], exact=True), blind)
    assert dense_crf(scores, grey, [Bilateral(4.0, 60.0, 3.0)]).isfinite().all()


def test_bytes_and_fractions_are_the_same_colours():
    scores, _ = scene(dtype=torch.float32)
    levels = torch.randint(0, 256, (1, 3, 6, 7), dtype=torch.uint8)
    torch.testing.assert_close(dense_crf(scores, levels, KERNELS), dense_crf(scores, levels / 255, KERNELS))


def test_grey_images_and_other_layouts():
    scores, pictures = scene(images=2, dtype=torch.float32)
    expected = dense_crf(scores, pictures, KERNELS)
    last = dense_crf(
        scores.to(memory_format=torch.channels_last), pictures.to(memory_format=torch.channels_last), KERNELS
    )
    torch.testing.assert_close(last, expected)
    padded = F.pad(scores, (2, 1, 1, 2))[..., 1:-2, 2:-1]
    torch.testing.assert_close(dense_crf(padded, pictures.flip(3).flip(3), KERNELS), expected)
    grey = pictures[:, :1]
    thrice = dense_crf(scores, grey.expand(-1, 3, -1, -1), [Bilateral(4.0, 60.0 * 3**0.5)], exact=True)
    torch.testing.assert_close(dense_crf(scores, grey, [Bilateral(4.0, 60.0)], exact=True), thrice)


def test_half_precision_and_autocast_are_computed_in_single():
    scores, pictures = scene(dtype=torch.float32)
    halves = scores.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = dense_crf(halves, pictures, KERNELS)
    assert torch.equal(found, dense_crf(halves.float(), pictures, KERNELS))


@pytest.mark.parametrize("options", [{}, {"exact": True}])
def test_runs_on_fake_cuda(options):
    with FakeTensorMode(), torch.device("cuda"):
        found = DenseCRF(4, **options)(torch.zeros(2, 4, 5, 6), torch.zeros(2, 3, 5, 6))
    assert found.shape == (2, 4, 5, 6)
    assert found.device.type == "cuda"


def test_compiled_code_calls_the_crf():
    scores, pictures = scene(dtype=torch.float32)
    compiled = torch.compile(lambda scores: dense_crf(2 * scores, pictures, KERNELS) + 1, backend="eager")
    assert torch.equal(compiled(scores), dense_crf(2 * scores, pictures, KERNELS) + 1)


ONE_SCENE = torch.zeros(1, 2, 3, 4), torch.zeros(1, 3, 3, 4)


@pytest.mark.parametrize(
    ("logits", "images", "options", "error", "message"),
    [
        (torch.zeros(1, 2, 3, 4).long(), ONE_SCENE[1], {}, TypeError, r"logits are torch\.int64"),
        (torch.zeros(2, 3, 4), ONE_SCENE[1], {}, ValueError, r"logits are \(2, 3, 4\); expected \(N, K, H, W\)"),
        (torch.full((1, 2, 3, 4), -torch.inf), ONE_SCENE[1], {}, ValueError, "minus infinity for every class"),
        (torch.full((1, 2, 3, 4), torch.nan), ONE_SCENE[1], {}, ValueError, "logits hold a pixel with NaN"),
        (ONE_SCENE[0], torch.zeros(1, 3, 6, 8), {}, ValueError, "upsample the logits"),
        (ONE_SCENE[0], ONE_SCENE[1].int(), {}, TypeError, r"images are torch\.int32; expected uint8"),
        (ONE_SCENE[0], ONE_SCENE[1] - 1, {}, ValueError, "undo their normalisation"),
        (ONE_SCENE[0], ONE_SCENE[1] * torch.nan, {}, ValueError, r"values outside \[0, 1\]"),
        (*ONE_SCENE, {"normalisation": "both"}, ValueError, "normalisation is 'both'; choose one of symmetric, before"),
        (*ONE_SCENE, {"compatibility": torch.zeros(3, 3)}, ValueError, r"compatibility is \(3, 3\), but 2 classes"),
        (*ONE_SCENE, {"weights": torch.ones(3)}, ValueError, "2 filters and 3 weights"),
        (*ONE_SCENE, {"kernels": ()}, ValueError, "0 filters and 0 weights"),
        (*ONE_SCENE, {"iterations": -1}, ValueError, "iterations is -1"),
    ],
)
def test_bad_input_is_refused(logits, images, options, error, message):
    with pytest.raises(error, match=message):
        dense_crf(logits, images, **options)


def test_filters_of_other_images_are_refused():
    with pytest.raises(ValueError, match=r"a filter is of \(1, 6\) points"):
        mean_field(torch.zeros(1, 2, 3, 4), [Lattice(torch.zeros(1, 6, 2))], [1.0])
    with pytest.raises(ValueError, match=r"in torch\.float64"):
        mean_field(
            torch.zeros(1, 2, 3, 2),
            [Lattice(torch.zeros(1, 6, 2)), AllPairs(torch.zeros(1, 6, 2, dtype=torch.float64))],
            [1.0, 1.0],
        )


@pytest.mark.parametrize("std", [0.0, -1.0, float("inf"), float("nan")])
def test_standard_deviations_are_positive(std):
    for make in (lambda: Gaussian(std), lambda: Bilateral(std), lambda: Bilateral(1.0, std)):
        with pytest.raises(ValueError, match=r"_std is .*; a standard deviation must be positive and finite"):
            make()
