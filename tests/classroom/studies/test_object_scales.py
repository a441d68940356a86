"""The study of object scales: its parts, and that its record is whole."""

import math

import torch

from segedu.classroom.studies import load, object_scales
from segedu.layers.aspp import AtrousConv, ImagePooling


def test_the_record_is_whole():
    kept = load("object_scales")
    assert [*kept.figures] == [*object_scales.ARMS]
    for runs in kept.figures.values():
        assert len(runs) == len(object_scales.SEEDS)
        for run in runs:
            assert len(run) == object_scales.STEPS // object_scales.EVERY
            assert all(math.isfinite(value) and 0 < value < 100 for look in run for value in look.values())


def head_rates(net):
    return [layer.rate for layer in net.pyramid.modules() if isinstance(layer, AtrousConv)]


def test_arms_differ_in_what_they_are_named_after():
    nets = {arm: build() for arm, build in object_scales.ARMS.items()}
    assert [head_rates(net) for net in nets.values()] == [[], [1, 1, 1], [2, 3, 4], [2, 3, 4, 6], [2, 3, 4], [2, 3, 4]]
    pooled = [any(isinstance(part, ImagePooling) for part in net.modules()) for net in nets.values()]
    assert pooled == [False] * 4 + [True] * 2
    counts = {arm: sum(value.numel() for value in net.parameters()) for arm, net in nets.items()}
    assert counts["3x3, rate 1"] == counts["ASPP"]
    assert counts["with image pooling"] == counts["with multi-grid, too"]
    trunks = [
        [layer.rate for layer in net.trunk[5:].modules() if isinstance(layer, AtrousConv)] for net in nets.values()
    ]
    assert trunks == [[1] * 6] * 5 + [[1, 1, 2, 2, 4, 4]]


def test_scenes_come_in_three_scales_of_one_size():
    images, labels = object_scales.scenes("val", 2).tensors
    assert images.shape == (6, 3, *object_scales.SIZE)
    assert labels.shape == (6, *object_scales.SIZE)
    wide = object_scales.pictures("streets", "val", 2, (128, 192)).tensors[1]
    assert torch.equal(labels[2:4], wide[:, 32:96, 48:144])


def test_a_seed_decides_everything_and_looks_change_nothing(monkeypatch):
    monkeypatch.setattr(object_scales, "EVERY", 1)
    data = object_scales.scenes("val", 3)
    looks = []
    first = object_scales.learnt(
        "with multi-grid, too", 1, data, 2, lambda net: looks.append(object_scales.judged(net, data))
    )
    again = object_scales.learnt("with multi-grid, too", 1, data, 2)
    assert len(looks) == 2
    assert [*looks[0]] == ["mean_iou", "boundary_f1", *(f"mean IoU at scale {scale}" for scale in (1, 2, 3))]
    for one, other in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)
