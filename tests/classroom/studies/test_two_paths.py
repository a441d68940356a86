"""The study of the two paths: its arms, and that its record is whole."""

import math

import pytest
import torch
from torch.utils.data import TensorDataset

from segedu import models
from segedu.classroom.studies import load, two_paths
from segedu.classroom.trial import pictures, score
from segedu.inference import inference
from segedu.models.resnet import RESNETS

SCORES = ["mean_iou", "boundary_f1", *two_paths.data.Streets.classes]


def test_the_record_is_whole():
    kept = load("two_paths")
    assert [*kept.figures["arms"]] == [*two_paths.ARMS]
    for runs in kept.figures["arms"].values():
        assert len(runs) == len(two_paths.SEEDS)
        for run in runs:
            assert [*run] == [*SCORES, "mean IoU at 1/8"]
            assert all(math.isfinite(value) and 0 <= value <= 100 for value in run.values())
    assert [*kept.figures["more"]] == [*two_paths.MODULES]
    for runs in kept.figures["more"].values():
        assert [[*run] for run in runs] == [SCORES] * len(two_paths.MORE_SEEDS)
    assert not {*two_paths.SEEDS} & {*two_paths.MORE_SEEDS}
    for learnt_at, runs in kept.figures["scales"].items():
        assert len(runs) == len(two_paths.SEEDS)
        tried = [str(scale) for scale in two_paths.SCALES] if learnt_at == "1.0" else [learnt_at]
        assert all([*run] == tried for run in runs)
    for whole, scaled in zip(kept.figures["arms"]["whole"], kept.figures["scales"]["1.0"], strict=True):
        assert scaled["1.0"] == {name: whole[name] for name in SCORES}


def test_whole_is_the_package_s_own_network():
    with torch.device("meta"):
        ours, theirs = two_paths.net_of("whole"), models.create("bisenet", two_paths.CLASSES, backbone="resnet_mini")
        large = two_paths.ARMS["whole"](RESNETS["resnet18"], 128)
        authors = models.create("bisenet", two_paths.CLASSES)
    for one, other in ((ours, theirs), (large, authors)):
        shapes = [{name: value.shape for name, value in net.state_dict().items()} for net in (one, other)]
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize("arm", two_paths.ARMS)
def test_every_arm_scores_any_image_and_learns_everywhere(arm):
    torch.manual_seed(0)
    net = two_paths.net_of(arm)
    images, labels = torch.randn(2, 3, 45, 70), torch.randint(0, two_paths.CLASSES, (2, 45, 70))
    outputs = net.train()(images)
    assert all(one.shape == (2, two_paths.CLASSES, 45, 70) for one in outputs.values())
    sum(torch.nn.functional.cross_entropy(one, labels) for one in outputs.values()).backward()
    assert all(value.grad is not None for value in net.parameters())


def sees(arm, far):
    """Whether the middle of the picture answers to what is ``far`` from it."""
    torch.manual_seed(1)
    net = two_paths.net_of(arm)
    images = torch.randn(1, 3, 1024, 64, requires_grad=True)
    net.eval()
    net.scores(images)["out"][0, :, 64, 4].sum().backward()
    return bool(images.grad[..., : 512 - far, :].any())


def test_arms_differ_in_what_they_are_named_after():
    nets = {arm: two_paths.net_of(arm) for arm in two_paths.ARMS}
    images = torch.randn(2, 3, 64, 64)
    channels = {}
    for arm, net in nets.items():
        with inference(net):
            spatial, context = net.paths(images)
        channels[arm] = spatial.shape[1], context["stride8"].shape[1]
    both = (two_paths.WIDTH, two_paths.WIDTH)
    changed = {
        "no spatial path": (0, two_paths.WIDTH),
        "early stage in its place": (16, two_paths.WIDTH),
        "no context path": (two_paths.WIDTH, 0),
    }
    assert channels == dict.fromkeys(two_paths.ARMS, both) | changed
    assert not sees("no mean of the whole", far=500)
    assert sees("no global context", far=500)


def test_labels_are_reduced_where_the_cells_lie():
    data = pictures("streets", "val", 2, (33, 50))
    net = two_paths.net_of("whole").eval()
    images, labels = data.tensors
    with inference(net):
        cells = net.scores(images)["out"].argmax(1)
    same = TensorDataset(images, labels.clone())
    same.tensors[1][:, ::8, ::8] = cells
    assert two_paths.judged_at_an_eighth(net, same) == 100


def test_a_smaller_picture_is_judged_at_the_full_size():
    data = pictures("streets", "val", 2, (64, 96))
    net = two_paths.net_of("whole").eval()
    assert [*two_paths.judged(net, data, 0.5)] == SCORES
    full = two_paths.judged(net, data)
    assert (full["mean_iou"], full["boundary_f1"]) == score(net, data)
    assert two_paths.scaled(data.tensors[0], 0.5).shape == (2, 3, 32, 48)


def test_a_seed_decides_everything():
    data = pictures("streets", "val", 4, (64, 64))
    first, again = (two_paths.learnt("no global context", 1, data, 2, scale=0.5) for _ in range(2))
    for one, other in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)
