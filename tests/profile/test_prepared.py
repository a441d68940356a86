"""What surrounds a network that was made fast: casts, layouts, and the shapes that a CUDA graph knows."""

import pytest
import torch
from torch import nn

from segedu.profile.prepared import Prepared, Replayed


class Recorder(nn.Module):
    """Doubles what it is given, and notes what that was."""

    margin = 7

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.calls = []

    def forward(self, images):
        self.calls.append((images.dtype, images.is_contiguous(memory_format=torch.channels_last), images.shape[-1]))
        return {"out": images * (2 * self.weight.to(images.dtype)), "aux": images}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_images_are_cast_and_scores_cast_back(dtype, layout):
    network = Recorder().train()
    prepared = Prepared(network, dtype, layout)
    images = torch.randint(0, 9, (2, 3, 4, 5)).double()
    scores = prepared(images)
    assert network.calls == [(dtype, layout == torch.channels_last, 5)]
    assert scores.keys() == {"out", "aux"}
    assert torch.equal(scores["out"], 2 * images)
    assert scores["out"].dtype == torch.float64
    assert not scores["out"].requires_grad
    assert not network.training


def test_the_network_answers_for_the_rest():
    prepared = Prepared(Recorder(), torch.float32, torch.channels_last)
    assert prepared.margin == 7
    assert [name for name, _ in prepared.named_parameters()] == ["network.weight"]
    with pytest.raises(AttributeError, match="'Recorder' object has no attribute 'missing'"):
        _ = prepared.missing


class Pretended(Replayed):
    """A graph where there is no CUDA: the same kernels, by another call, into the same memory."""

    def _capture(self, images):
        read = images.clone()
        written = self.network(read)

        class Graph:
            def replay(self):
                written["out"].copy_(2 * read)

        return Graph(), read, written


def test_a_graph_for_each_shape_and_scores_that_stay():
    network = Recorder()
    replayed = Pretended(network)
    first, second, wide = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 8)
    with torch.no_grad():
        found = [replayed(images)["out"] for images in (first, wide, second, wide)]
    for scores, images in zip(found, (first, wide, second, wide), strict=True):
        assert torch.equal(scores, 2 * images)
    assert [width for *_, width in network.calls] == [4, 8]  # captured once each
