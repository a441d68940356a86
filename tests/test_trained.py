"""A model written and read back, and files that hold none."""

import pytest
import torch

from segedu import trained
from segedu.data import CAMVID
from segedu.models import create
from segedu.train import Recipe, checkpoint


def card(**changes):
    values = {
        "name": "fcn8s",
        "backbone": "vgg_mini",
        "classes": list(CAMVID.classes),
        "palette": CAMVID.colours.tolist(),
        "mean": [0.4, 0.4, 0.4],
        "std": [0.3, 0.3, 0.3],
        "data": "streets",
        "size": [96, 128],
        "recipe": Recipe(steps=3).to_dict(),
    }
    return trained.Card(**(values | changes))


@pytest.mark.parametrize("options", [{}, {"learn_upsampling": True}])
def test_the_model_comes_back_as_it_was(tmp_path, options):
    original = create("fcn8s", num_classes=11, backbone="vgg_mini", **options).eval()
    for parameter in original.parameters():  # score layers start at zero, which a fresh model has too
        torch.nn.init.normal_(parameter, std=0.1)
    trained.save(tmp_path / "run" / "model.pt", original, card(options=options))
    for place in (tmp_path / "run", tmp_path / "run" / "model.pt"):
        model, found = trained.load(place)
        assert found == card(options=options)
        assert not model.training
        images = torch.randn(1, 3, 48, 64)
        assert torch.equal(model(images)["out"], original(images)["out"])
    assert found.colours().classes == CAMVID.classes
    assert torch.equal(found.colours().colours, CAMVID.colours)


def test_what_holds_no_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no finished model"):
        trained.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no checkpoint"):
        trained.load(tmp_path / "absent.pt")
    checkpoint.save(tmp_path / "checkpoint.pt", {"model": {}, "step": 3})
    with pytest.raises(ValueError, match="without a model card"):
        trained.load(tmp_path / "checkpoint.pt")
    (tmp_path / "model.pt").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ValueError, match="damaged or no checkpoint"):
        trained.load(tmp_path)


def test_weights_of_another_model_are_refused(tmp_path):
    trained.save(tmp_path / "model.pt", create("fcn32s", num_classes=11, backbone="vgg_mini"), card())
    with pytest.raises(ValueError, match="is of another model"):
        trained.load(tmp_path)


@pytest.mark.parametrize("options", [{"weights": "imagenet"}, {"wings": 2}, {"padding": 100}])
def test_a_card_that_describes_no_model_is_refused(tmp_path, monkeypatch, options):
    """Also one that asks for weights: reading a file fetches nothing."""
    monkeypatch.setattr("segedu.models.load_imagenet", None)
    trained.save(tmp_path / "model.pt", create("fcn8s", 11, backbone="vgg_mini"), card(options=options))
    with pytest.raises(ValueError, match=r"model\.pt describes a model that cannot be built"):
        trained.load(tmp_path)
