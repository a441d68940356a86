"""What only a CUDA device can show; without one these tests skip."""

import pytest
import torch

from segedu.data import Cells, Streets, deform
from segedu.instances import border_weights, components
from segedu.layers.grid import Grid
from segedu.layers.upsample import BilinearUpsample
from segedu.metrics import BoundaryF1, BoundaryIoU, Calibration, ConfusionMatrix, PerImageIoU, Ranking, TrimapIoU
from segedu.models import create
from segedu.profile import latency, peak_memory
from segedu.train import Recipe, fit

CUDA = "cuda"

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


def test_the_painter_paints_the_same_scenes():
    streets = Streets(length=64, unknown_object=1.0)
    (images, labels), (drawn, here) = (streets.batch(range(64), device=device) for device in ("cpu", CUDA))
    assert torch.equal(labels, here.cpu())
    torch.testing.assert_close(drawn.cpu(), images, rtol=0, atol=1e-5)  # a level of the sensor is 0.017


def test_cells_are_painted_bent_numbered_and_weighed_the_same():
    cells = Cells(length=64)
    (images, labels), (drawn, here) = (cells.batch(range(64), device=device) for device in ("cpu", CUDA))
    assert torch.equal(labels, here.cpu())
    torch.testing.assert_close(drawn.cpu(), images, rtol=0, atol=1e-5)
    assert torch.equal(components(here).cpu(), components(labels))
    weights = (border_weights(components(mask), (1.0, 2.0)) for mask in (labels, here))
    torch.testing.assert_close(*(weight.cpu() for weight in weights))
    bent = (deform(*pair, generator=torch.Generator().manual_seed(0)) for pair in ((images, labels), (drawn, here)))
    (images, labels), (drawn, here) = bent
    torch.testing.assert_close(drawn.cpu(), images, rtol=0, atol=1e-4)
    assert (here.cpu() != labels).double().mean() < 1e-3  # a place midway between two pixels may fall to either


def test_training_goes_as_on_the_cpu():
    losses = []
    for device in ("cpu", CUDA):
        torch.manual_seed(0)
        model = create("fcn8s", 11, backbone="vgg_mini")
        with torch.backends.cudnn.flags(allow_tf32=False):
            recipe = Recipe(steps=4, batch_size=4, lr=0.05)
            losses.append(fit(model, Streets(size=(64, 96)), recipe, device=device, progress=False).loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][-1] < losses[0][0]


def test_metrics_count_the_same():
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 4, (3, 8, 9), generator=generator).repeat_interleave(6, 1).repeat_interleave(6, 2)
    called = torch.where(torch.rand(target.shape, generator=generator) < 0.1, 1, target.roll(1, 2))
    target[:, :5] = 255
    for metric in (ConfusionMatrix, PerImageIoU, BoundaryF1, BoundaryIoU, TrimapIoU):
        assert_same_scores(metric(4), metric(4), called, target)


def test_metrics_of_confidence_count_the_same():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 4, 40, 50, generator=generator)
    target = torch.randint(0, 4, (2, 40, 50), generator=generator)
    target[:, :5] = 255
    assert_same_scores(Calibration(4), Calibration(4), scores, target)
    assert_same_scores(Ranking(), Ranking(), scores[:, 0], (target > 1).long().masked_fill(target == 255, 255))


def assert_same_scores(here, there, *batch):
    here.update(*batch)
    there.update(*(tensor.to(CUDA) for tensor in batch))
    for found, expected in zip(*(numbers_in(metric.scores()) for metric in (there, here)), strict=True):
        torch.testing.assert_close(found, expected, equal_nan=True)


def numbers_in(scores):
    """All that scores hold, also those of each width of a trimap."""
    if isinstance(scores, dict):
        return [number for each in scores.values() for number in numbers_in(each)]
    return list(vars(scores).values())


@pytest.mark.parametrize("metric", [ConfusionMatrix, BoundaryF1])
def test_a_stray_label_is_told_when_the_scores_are_asked_for(metric):
    labels = torch.zeros(1, 4, 4, dtype=torch.int64, device=CUDA)
    counts = metric(3)
    counts.update(labels, labels + 3)
    with pytest.raises(ValueError, match="16 pixels whose label is outside"):
        counts.scores()


def test_the_gradient_of_upsampling_repeats_to_the_bit():
    upsample = BilinearUpsample(Grid(8, 3.5), Grid())
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(4, 21, 33, 47, generator=generator).to(CUDA).requires_grad_()
    slope = torch.randn(4, 21, 257, 371, generator=generator).to(CUDA)
    first, second = (torch.autograd.grad(upsample(coarse, (257, 371)), coarse, slope)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_time_and_memory_are_those_of_the_device():
    model = create("fcn8s", 11, backbone="vgg_mini").to(CUDA)
    time = latency(model, (64, 96))
    assert 0 < time.p10_ms <= time.median_ms <= time.p90_ms
    peak = peak_memory(lambda: torch.empty(2**23, dtype=torch.uint8, device=CUDA), CUDA)
    assert 2**23 <= peak < 2**23 + 2**21  # the allocator may hand out a block that is a little larger
