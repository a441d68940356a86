"""Class statistics and distances against numpy in float64, and what neither a stream nor a linear map may change."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from segedu.losses import chunks
from segedu.ood import Mahalanobis

CLASSES, CHANNELS, VOID = 4, 5, 255


def maps(seed=0, images=3, size=(9, 11), offset=0.0):
    """Features that tell their classes, of which the last never occurs, and labels with void where features are NaN."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES - 1, (images, *size), generator=draw)
    means = 3 * torch.randn(CLASSES, CHANNELS, generator=draw, dtype=torch.float64)
    mixed, _ = torch.linalg.qr(torch.randn(CHANNELS, CHANNELS, generator=draw, dtype=torch.float64))
    mixed *= torch.linspace(0.5, 2, CHANNELS, dtype=torch.float64)[:, None]
    noise = torch.randn(images, *size, CHANNELS, generator=draw, dtype=torch.float64) @ mixed
    features = (means[labels] + noise + offset).movedim(-1, 1)
    labels[:, 0] = VOID
    features[:, :, 0] = torch.nan
    return features, labels


def by_numpy(features, labels, shrinkage):
    """Means and shrunk covariance by their definitions."""
    rows, names = features.movedim(1, -1).reshape(-1, CHANNELS).numpy(), labels.flatten().numpy()
    rows, names = rows[names != VOID], names[names != VOID]
    means = np.stack([rows[names == name].mean(0) for name in range(CLASSES - 1)])
    residue = rows - means[names]
    covariance = residue.T @ residue / len(rows)
    return means, (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / CHANNELS * np.eye(CHANNELS)


def by_definition(features, means, covariance):
    apart = features.movedim(1, -1).numpy()[..., None, :] - means
    return np.einsum("...c,cd,...d->...", apart, np.linalg.inv(covariance), apart).min(-1)


def fitted(*batches, **options):
    metric = Mahalanobis(CLASSES, CHANNELS, **options)
    for features, labels in batches:
        metric.update(features, labels)
    return metric.fit()


@given(seed=st.integers(0, 2**31), shrinkage=st.sampled_from([0.0, 0.1, 1.0]), offset=st.sampled_from([0.0, 1e4]))
def test_oracle_in_float64(seed, shrinkage, offset):
    features, labels = maps(seed, offset=offset)
    metric = fitted((features, labels), shrinkage=shrinkage)
    means, covariance = by_numpy(features, labels, shrinkage)
    np.testing.assert_allclose(metric.gaussians.means[:-1], means, rtol=1e-10)
    np.testing.assert_allclose(metric.gaussians.covariance, covariance, rtol=1e-6, atol=1e-6 * covariance.max())
    assert bool(metric.gaussians.means[-1].isnan().all())
    assert metric.gaussians.pixels.tolist() == [int((labels == name).sum()) for name in range(CLASSES)]
    seen = features[:, :, 1:]
    np.testing.assert_allclose(metric.scores(seen), by_definition(seen, means, covariance), rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_narrow_features_are_measured_in_float32(dtype):
    features, labels = maps(offset=20.0)
    features = features.to(dtype)
    metric = fitted((features, labels))
    seen = features[:, :, 1:]
    distances = metric.scores(seen)
    assert distances.dtype == torch.float32
    expected = by_definition(seen.double(), *by_numpy(features.double(), labels, metric.shrinkage))
    np.testing.assert_allclose(distances, expected, rtol=2e-4)


@pytest.mark.parametrize("values", [100, 2**19])
def test_pieces_batches_and_parts_change_nothing(values, monkeypatch):
    features, labels = maps()
    whole = fitted((features, labels))
    monkeypatch.setattr(chunks, "VALUES", values)
    streamed = fitted((features[:1], labels[:1]), (features[1:].mT.contiguous().mT, labels[1:].to(torch.uint8)))
    first, second = (Mahalanobis(CLASSES, CHANNELS) for _ in range(2))
    first.update(features[:2], labels[:2])
    second.update(features[2:], labels[2:])
    for other in (streamed, (first + second).fit()):
        torch.testing.assert_close(other.gaussians.covariance, whole.gaussians.covariance)
        torch.testing.assert_close(other.scores(features[:, :, 1:]), whole.scores(features[:, :, 1:]))
    whole.reset()
    with pytest.raises(ValueError, match="no pixel with a class"):
        whole.fit()


def test_without_shrinkage_no_linear_map_of_the_features_changes_a_distance():
    features, labels = maps()
    turned = torch.einsum("cd,ndhw->nchw", torch.randn(CHANNELS, CHANNELS, dtype=torch.float64), features) - 7
    before, after = (fitted((each, labels), shrinkage=0).scores(each[:, :, 1:]) for each in (features, turned))
    torch.testing.assert_close(before, after)


def test_training_pixels_are_on_average_as_far_as_there_are_channels():
    features, labels = maps()
    metric = fitted((features, labels), shrinkage=0)
    apart = features.movedim(1, -1)[:, 1:] - metric.gaussians.means[labels[:, 1:]]
    own = (apart @ metric.gaussians.whitening.mT).square().sum(-1)
    assert float(own.mean()) == pytest.approx(CHANNELS)  # the trace of S^-1 S
    assert bool((metric.scores(features[:, :, 1:]) <= own + 1e-9).all())


def test_a_step_reads_a_grid_of_pixels():
    features, labels = maps(images=2, size=(13, 17))
    coarse = fitted((features, labels), step=3).gaussians
    grid = fitted((features[..., 1::3, 1::3], labels[..., 1::3, 1::3])).gaussians
    assert torch.equal(coarse.covariance, grid.covariance)
    assert int(coarse.pixels.sum()) == 2 * 4 * 6


def test_channels_that_never_vary_need_shrinkage():
    features, labels = maps()
    features[:, 2] = 1.0
    assert bool(fitted((features, labels)).scores(features[:, :, 1:]).isfinite().all())
    with pytest.raises(ValueError, match="of 5 channels has no inverse"):
        fitted((features, labels), shrinkage=0)


def test_what_was_fitted_is_of_all_pixels_or_not_there():
    features, labels = maps()
    metric = Mahalanobis(CLASSES, CHANNELS)
    with pytest.raises(ValueError, match="call fit"):
        metric.scores(features)
    metric.update(features, labels)
    metric.fit().update(features, labels)
    with pytest.raises(ValueError, match="call fit"):
        metric.scores(features)


def test_unfit_input_is_refused_and_leaves_the_sums():
    features, labels = maps()
    metric = Mahalanobis(CLASSES, CHANNELS)
    with pytest.raises(TypeError, match="features have dtype"):
        metric.update(labels[:, None].expand(-1, CHANNELS, -1, -1), labels)
    with pytest.raises(TypeError, match="expected integer class labels"):
        metric.update(features, labels.float())
    with pytest.raises(ValueError, match=r"expected \(N, 5, H, W\)"):
        metric.update(features[:, 1:], labels)
    with pytest.raises(ValueError, match="with nearest neighbour"):
        metric.update(features, labels[:, 1:])
    with pytest.raises(ValueError, match=r"outside 0\.\.3"):
        metric.update(features, labels + 2)
    with pytest.raises(ValueError, match="no pixel with a class"):
        metric.fit()
    metric.update(features, torch.where(labels == VOID, 0, labels))
    with pytest.raises(ValueError, match="infinity or NaN"):
        metric.fit()
    for options in ({"channels": 0}, {"step": 0}, {"shrinkage": 1.5}, {"num_classes": 0}):
        with pytest.raises(ValueError, match="expected"):
            Mahalanobis(**{"num_classes": 2, "channels": 3} | options)


def test_sums_stay_on_the_device_of_the_features():
    with FakeTensorMode(), torch.device("cuda"):
        metric = Mahalanobis(CLASSES, CHANNELS)
        metric.update(torch.randn(2, CHANNELS, 6, 8), torch.zeros(2, 6, 8, dtype=torch.long))
        assert {kept.device.type for kept in metric._sums.values()} == {"cuda"}
