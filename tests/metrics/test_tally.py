"""What all streamed metrics share: they stay deterministic, survive inference mode, and are read without counting."""

import pytest
import torch

from segedu.metrics import BoundaryF1, BoundaryIoU, Calibration, ConfusionMatrix, PerImageIoU, Ranking, TrimapIoU

METRICS = (BoundaryF1, BoundaryIoU, Calibration, ConfusionMatrix, PerImageIoU, TrimapIoU)


@pytest.fixture
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("deterministic")
def test_every_metric_runs_where_only_deterministic_operations_may():
    target, scores = torch.randint(0, 2, (2, 9, 11)), torch.randn(2, 2, 9, 11)
    for metric in (*(kind(2) for kind in METRICS), Ranking(10)):
        metric.update(scores[:, 0] if isinstance(metric, Ranking) else scores, target)
        first = {name: kept.clone() for name, kept in metric._sums.items()}
        metric.reset()
        metric.update(scores[:, 0] if isinstance(metric, Ranking) else scores, target)
        assert all(torch.equal(kept, first[name]) for name, kept in metric._sums.items())


@pytest.mark.parametrize("kind", METRICS)
def test_sums_made_in_inference_mode_can_be_added_to_outside(kind):
    target, scores = torch.randint(0, 3, (2, 9, 11)), torch.randn(2, 3, 9, 11)
    with torch.inference_mode():
        metric = kind(3)
        metric.update(scores, target)
    metric.update(scores, target)
    twice = {name: kept.clone() for name, kept in metric._sums.items()}
    metric.scores()
    metric.reset()
    metric.update(scores, target)
    assert all(torch.equal(2 * kept, twice[name]) for name, kept in metric._sums.items())


def test_adding_leaves_both_parts_as_they_were():
    labels = torch.tensor([[[0, 1]]])
    first, second = ConfusionMatrix(2), ConfusionMatrix(2)
    first.update(labels, labels)
    second.update(labels, 1 - labels)
    total = first + second
    total.update(labels, labels)
    assert (int(first.matrix.sum()), int(second.matrix.sum()), int(total.matrix.sum())) == (2, 2, 6)
    with pytest.raises(TypeError):
        first + BoundaryIoU(2)
