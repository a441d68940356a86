"""What a model returns, whatever form it has."""

import pytest
import torch
from torch import nn

from segedu.inference import outputs_of


def test_a_model_that_returns_scores_alone_calls_them_out():
    images = torch.rand(1, 3, 4, 5)
    assert list(outputs_of(nn.Identity(), images)) == ["out"]
    assert outputs_of(lambda given: {"out": given, "aux": 1}, images) == {"out": images, "aux": 1}


@pytest.mark.parametrize("outputs", [[torch.zeros(1)], {"logits": torch.zeros(1)}])
def test_outputs_without_scores_are_refused(outputs):
    with pytest.raises(TypeError, match='must return scores, or a dict that holds "out"'):
        outputs_of(lambda _images: outputs, torch.zeros(1))


def test_images_that_are_not_normalised_are_refused():
    with pytest.raises(TypeError, match=r"images are torch\.uint8; give float32 images, normalised"):
        outputs_of(nn.Identity(), torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
