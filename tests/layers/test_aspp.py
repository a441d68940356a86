"""The pyramids against their branches, one large kernel, and torchvision's."""

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torchvision.models.segmentation import deeplabv3

from segedu.layers.aspp import ASPP, AtrousBranch, AtrousConv, ImagePooling, PointBranch, SummedASPP, pyramid


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 12), st.integers(1, 12))
def test_a_rate_says_where_the_same_weights_read(rate, stride, height, width):
    conv = AtrousConv(2, 3, stride=stride, bias=True)
    weights = {name: value.clone() for name, value in conv.state_dict().items()}
    conv.rate = rate
    x = torch.randn(1, 2, height, width)
    kernel = torch.zeros(3, 2, 2 * rate + 1, 2 * rate + 1)
    kernel[..., ::rate, ::rate] = weights["weight"]
    expected = F.conv2d(x, kernel, weights["bias"], stride=stride, padding=rate)
    torch.testing.assert_close(conv(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rate", [8, 30])
def test_a_branch_wider_than_the_map_is_a_1x1_convolution(rate):
    branch = AtrousBranch(4, 5, rate).eval()
    x = torch.randn(2, 4, 8, 8)
    point = PointBranch(4, 5).eval()
    point[0].weight.data = branch[0].weight.data[..., 1:2, 1:2]
    torch.testing.assert_close(branch(x), point(x), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(AtrousBranch(4, 5, 7).eval()(x), point(x))


def test_summed_pyramid_is_one_large_sparse_kernel():
    rates = (1, 2, 5)
    summed = SummedASPP(3, 4, rates)
    for branch in summed.branches:
        nn.init.normal_(branch.weight)
        nn.init.normal_(branch.bias)
    kernel = torch.zeros(4, 3, 11, 11)
    for rate, branch in zip(rates, summed.branches, strict=True):
        assert branch.rate == rate
        kernel[..., 5 - rate : 6 + rate : rate, 5 - rate : 6 + rate : rate] += branch.weight.detach()
    x = torch.randn(2, 3, 9, 12)
    expected = F.conv2d(x, kernel, sum(branch.bias for branch in summed.branches), padding=5)
    torch.testing.assert_close(summed(x), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(summed(x), sum(branch(x) for branch in summed.branches))


def test_summed_pyramid_starts_as_in_the_release():
    branches = SummedASPP(64, 21).branches
    assert [branch.rate for branch in branches] == [6, 12, 18, 24]
    for branch in branches:
        assert branch.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert not branch.bias.any()


@pytest.mark.parametrize("size", [(1, 1), (7, 5)])
def test_pyramid_is_torchvisions(size):
    theirs = deeplabv3.ASPP(6, [2, 3, 4], 5)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    ours = pyramid(6, (2, 3, 4), 5)
    ours.load_state_dict(theirs.eval().state_dict(), strict=True)
    x = torch.randn(2, 6, *size)
    torch.testing.assert_close(ours.eval()(x), theirs(x), rtol=1e-5, atol=1e-6)


def test_image_pooling_says_the_same_everywhere():
    pooling = ImagePooling(4, 3)
    x = torch.randn(5, 4, 6, 7)
    pooled = pooling(x)  # in training: by the statistics of the batch
    assert pooled.shape == (5, 3, 6, 7)
    assert torch.equal(pooled, pooled[..., :1, :1].expand_as(pooled))
    means = pooling[1](x.mean((2, 3), keepdim=True))
    expected = (means - means.mean(0)) / (means.var(0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(pooled[..., :1, :1], expected.relu(), rtol=1e-4, atol=1e-5)


def test_image_pooling_refuses_a_batch_of_one_in_training():
    pooling, one = ImagePooling(4, 3), torch.randn(1, 4, 6, 7)
    with pytest.raises(ValueError, match=r"batch of 1.*at least 2.*drop_last=True.*evaluation mode"):
        pooling(one)
    frozen = copy.deepcopy(pooling)
    frozen[2].eval()
    torch.testing.assert_close(frozen(one), pooling.eval()(one))
    # another process brings further images to this one
    nn.SyncBatchNorm.convert_sync_batchnorm(pooling).train().check_batch(1)


def test_any_branches_make_a_pyramid():
    x = torch.randn(2, 4, 6, 7)
    branches = [PointBranch(4, 3), AtrousBranch(4, 3, 2)]
    aspp = ASPP(branches, 3)
    torch.testing.assert_close(aspp(x), aspp.project(torch.cat([branch(x) for branch in branches], 1)))


@pytest.mark.parametrize("make", [lambda: ASPP([], 3), lambda: SummedASPP(4, 3, ())])
def test_no_branch_is_no_pyramid(make):
    with pytest.raises(ValueError, match="no branches; give it at least one"):
        make()


@pytest.mark.parametrize("rate", [0, -2])
def test_bad_rates(rate):
    with pytest.raises(ValueError, match=f"rate is {rate}"):
        AtrousConv(1, 1, rate)
