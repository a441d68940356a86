"""Pictures in memory equal those of their data set; scores equal the metrics'."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from segedu import data
from segedu.classroom.trial import pictures, score, score_logits


class Oracle(nn.Module):
    """Answers with the labels it was given; in training mode with noise."""

    def __init__(self, labels):
        super().__init__()
        self.logits = F.one_hot(labels.where(labels != 255, 0), 11).movedim(-1, 1).float()

    def forward(self, images):
        return {"out": self.logits.roll(1, dims=1) if self.training else self.logits}


@pytest.mark.parametrize("name", ["streets", "cells"])
def test_painted_pictures_are_those_of_the_data_set(name):
    kept = pictures(name, "val", 3, (64, 80))
    images, labels = data.load(name, split="val", size=(64, 80)).batch(range(3))
    assert torch.equal(kept.tensors[0].cpu(), images)
    assert torch.equal(kept.tensors[1].cpu(), labels)


def test_loaded_pictures_are_those_of_the_data_set(real_data, monkeypatch):
    monkeypatch.setenv("SEGEDU_DATA", str(real_data))
    kept = pictures("camvid", "val", 2, (60, 80))
    image, label = data.load("camvid", split="val", size=(60, 80))[1]
    assert torch.equal(kept.tensors[0][1].cpu(), image)
    assert torch.equal(kept.tensors[1][1].cpu(), label)


def test_a_data_set_with_fewer_pictures_gives_all(real_data, monkeypatch):
    monkeypatch.setenv("SEGEDU_DATA", str(real_data))
    assert len(pictures("camvid", "val", 10_000, (12, 16))) == 101


def test_the_truth_scores_a_hundred_and_the_mode_is_put_back():
    held_out = pictures("streets", "val", 2, (64, 80))
    oracle = Oracle(held_out.tensors[1]).train()
    assert score(oracle, held_out) == (pytest.approx(100), pytest.approx(100))
    assert oracle.training
    wrong = score_logits(oracle(None)["out"], held_out.tensors[1])
    assert wrong.mean_iou < 10
    assert wrong.boundary_f1 < 10
