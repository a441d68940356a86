"""Xception39: published size, its separable convolutions against plain ones, and where its cells lie."""

import pytest
import torch
import torch.nn.functional as F

from segedu.models.xception import SeparableConv, Xception39, XceptionBlock
from segedu.profile import parameters
from segedu.receptive_field import receptive_field


def test_size_field_and_shapes():
    trunk = Xception39().eval()
    assert parameters(trunk) == 299_448  # FCN-32s over it: 304,331 less 256 x 19 + 19 for the scores
    output = receptive_field(trunk, (33, 33)).outputs["layer4"]
    assert (output.size, output.stride) == (1679, 32)
    with torch.no_grad():
        maps = {"layer2": trunk.early(images := torch.randn(1, 3, 97, 129)), **trunk(images)}
    assert {name: one.shape[1] for name, one in maps.items()} == trunk.channels
    assert [tuple(one.shape[-2:]) for one in maps.values()] == [(13, 17), (7, 9), (4, 5)]


@pytest.mark.parametrize("size", [(1, 1), (3, 34)])
def test_any_size(size):
    maps = Xception39().eval()(torch.randn(1, 3, *size))
    assert [tuple(one.shape[-2:]) for one in maps.values()] == [
        tuple(-(-side // by) for side in size) for by in (16, 32)
    ]


def test_a_separable_convolution_is_a_plain_one_of_low_rank():
    layer, x = SeparableConv(3, 5, 2).eval(), torch.randn(2, 3, 9, 8)
    depthwise, pointwise, norm = layer
    plain = pointwise.weight * depthwise.weight[:, 0]
    expected = norm(F.conv2d(x, plain, stride=2, padding=1))
    torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-5)


def test_a_block_lets_its_input_pass():
    block, x = XceptionBlock(8, 2, 1).eval(), torch.randn(1, 8, 5, 6)
    block.branch[-1][-1].weight.data.zero_()
    assert torch.equal(block(x), x.relu())


def test_every_parameter_gets_a_gradient():
    trunk = Xception39()
    sum(one.square().mean() for one in trunk(torch.randn(2, 3, 96, 96)).values()).backward()
    assert not [name for name, one in trunk.named_parameters() if one.grad is None or not one.grad.any()]
