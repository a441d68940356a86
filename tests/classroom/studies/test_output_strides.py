"""The study of output strides: its parts, and that its record is whole."""

import math

import torch

from segedu import data
from segedu.classroom.studies import load, output_strides
from segedu.classroom.trial import pictures
from segedu.crf import dense_crf
from segedu.data.transforms import denormalise


def test_the_record_is_whole():
    kept = load("output_strides")
    assert [*kept.figures] == [str(stride) for stride in output_strides.STRIDES]
    for runs in kept.figures.values():
        assert len(runs) == len(output_strides.SEEDS)
        for run in runs:
            assert [*run] == [*kept.figures, "CRF"]
            assert all(math.isfinite(value) and 0 < value < 100 for found in run.values() for value in found.values())


def test_nets_of_one_seed_start_from_the_same_numbers():
    training = pictures("streets", "val", 8, output_strides.SIZE)
    torch.manual_seed(3)
    coarse = output_strides.net_at(32).state_dict()
    torch.manual_seed(3)
    fine = output_strides.net_at(8).state_dict()
    assert all(torch.equal(coarse[name], fine[name]) for name in coarse)
    first, again = (output_strides.learnt(16, 1, training, 1).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_net_is_tried_on_three_grids_and_with_the_crf():
    held_out = pictures("streets", "val", 1, (32, 48))
    images, labels = held_out.tensors
    torch.manual_seed(0)
    net = output_strides.net_at(16)
    found = output_strides.tried(net, 16, held_out)
    assert [*found] == ["32", "16", "8", "CRF"]
    assert net.backbone.output_stride == 16
    logits = {stride: output_strides.logits_of(net, images, stride) for stride in output_strides.STRIDES}
    assert all(found[str(stride)] == output_strides.judged(one, labels) for stride, one in logits.items())
    assert not torch.allclose(logits[8], logits[16])
    colours = denormalise(images, data.Streets.mean, data.Streets.std)
    assert found["CRF"] == output_strides.judged(dense_crf(logits[16], colours, output_strides.KERNELS), labels)
