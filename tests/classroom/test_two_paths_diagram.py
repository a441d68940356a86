"""The diagram of the two paths says the shapes that a live model makes, and leaves the model as it was."""

import pytest
import torch

from segedu import models
from segedu.classroom import diagrams, figures


@pytest.fixture
def words(monkeypatch):
    said = []
    monkeypatch.setattr(figures.display, "show", lambda plain, html: said.append(plain))
    return said


@pytest.mark.parametrize(
    ("backbone", "width", "size", "trunk"),
    [
        ("resnet18", 128, (64, 128), "64 at 1/2, 64 at 1/4, 128 at 1/8, 256 at 1/16, 512 at 1/32"),
        ("xception39", 128, (97, 131), "8 at 1/2, 8 at 1/4, 64 at 1/8, 128 at 1/16, 256 at 1/32"),
        ("resnet_mini", 6, (64, 64), "8 at 1/2, 8 at 1/4, 16 at 1/8, 32 at 1/16, 64 at 1/32"),
        ("resnet_mini", 6, (75, 60), "8 at 1/2, 8 at 1/4, 16 at 1/8, 32 at 1/16, 64 at 1/32"),
    ],
)
def test_it_says_the_live_maps(words, backbone, width, size, trunk):
    with torch.device("meta"):
        model = models.create("bisenet", 5, backbone=backbone, width=width)
    diagrams.two_paths(model, size)
    half = width // 2
    assert words == [
        f"Figure: spatial path {half} at 1/2, {half} at 1/4, {width} at 1/8; context path {trunk}, then, with "
        f"attention and the mean of the whole, back up to {width} at 1/16, {width} at 1/8; both joined: {2 * width} at "
        "1/8, scored: 5 at 1/8, upsampled to the image."
    ]


def test_it_names_the_parameters_of_the_paths(monkeypatch, words):
    texts = []
    monkeypatch.setattr("matplotlib.axes.Axes.text", lambda self, x, y, text, **style: texts.append(text))
    with torch.device("meta"):
        model = models.create("bisenet", 19)
    diagrams.two_paths(model, (64, 64))
    for path in (model.spatial_path, model.context_path):
        millions = sum(one.numel() for one in path.parameters()) / 1e6
        assert sum(text.endswith(f", {millions:.2f} M") for text in texts) == 1


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(words, training):
    model = models.create("bisenet", 3, backbone="resnet_mini", width=4).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    diagrams.two_paths(model, (64, 64))
    assert all(module.training is training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
