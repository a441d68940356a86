"""CUDA graphs and half precision on the device; without one these tests skip."""

import pytest
import torch

from segedu.inference import inference
from segedu.models import create
from segedu.profile import optimize as optimize_module
from segedu.profile import optimize_for_inference

CUDA = "cuda"

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]


@pytest.mark.parametrize("name", ["bisenet", "deeplabv3", "segnet_basic", "unet"])
def test_every_way_answers_as_the_model_does_for_every_shape(name):
    torch.manual_seed(0)
    model = create(name, 5).to(CUDA)
    batches = [torch.randn(*shape, device=CUDA) for shape in ((1, 3, 64, 96), (2, 3, 80, 64), (1, 3, 64, 96))]
    with inference(model):
        expected = [model(images)["out"] for images in batches]
    for applied, optimized in optimize_module._candidates(model, batches[0], [torch.float32], compiler=False):
        found = [optimized(images)["out"] for images in batches]  # kept while later calls are made
        for scores, right in zip(found, expected, strict=True):
            assert (scores - right).abs().max() < 1e-2 * right.abs().max(), applied  # TF32 has ten bits


def test_graphs_are_tried_and_the_deviation_is_told():
    images = torch.randn(1, 3, 128, 256, device=CUDA)
    result = optimize_for_inference(create("bisenet", 19).to(CUDA), images)
    assert any("CUDA graph" in applied for applied in (*result.left_out, *result.applied))
    assert result.after_ms < result.before_ms
    assert result.deviation < 0.1 * result.largest_score
