"""A network of the course is shown on scenes that it has not seen, as it comes."""

import pytest
import torch

from segedu import models
from segedu.classroom import figures
from segedu.classroom.first_look import SIZE, first_look
from segedu.classroom.trial import pictures
from segedu.inference import inference


def test_pictures_truth_and_predictions_stand_side_by_side(monkeypatch):
    drawn = {}
    monkeypatch.setattr(figures, "show_scenes", lambda streets, columns, alt: drawn.update(columns, alt=alt))
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    first_look("fcn8s", "segnet", scenes=(7,))
    assert torch.equal(torch.rand(3), expected)  # what a lesson draws next is as if nobody had looked
    images, labels = pictures("streets", "val", 8, SIZE)[[7]]
    assert torch.equal(drawn["picture"], images)
    assert torch.equal(drawn["truth"], labels)
    for name in ("fcn8s", "segnet"):
        with inference(net := models.create(name, weights="streets").to(images.device)):
            assert torch.equal(drawn[f"what {name} says"], net(images)["out"].argmax(1))
        assert f"what {name} says" in drawn["alt"]


def test_a_network_without_weights_is_named():
    with pytest.raises(FileNotFoundError, match="no weights 'streets' of deeplabv2"):
        first_look("deeplabv2")
