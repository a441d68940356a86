"""Folded batch norms against the steps they replace, and those that may not be folded."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segedu.profile.folding import fold_batch_norms


def trained(model):
    """Statistics and weights as training leaves them: neither 0 nor 1."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -1, 1),
                (module.running_var, 0.5, 2),
                (module.weight, -1, 1),
                (module.bias, -1, 1),
            ):
                if tensor is not None:
                    tensor.data.uniform_(low, high, generator=generator)
    return model.eval()


def images(channels=3):
    return torch.randn(2, channels, 7, 9, generator=torch.Generator().manual_seed(1))


def check_folds(model, count):
    """``count`` norms fold, and the function stays what it was."""
    with torch.no_grad():
        expected = trained(model)(images())
        assert fold_batch_norms(model, images()) == count
        torch.testing.assert_close(model(images()), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(3, 4, 3),
        nn.Conv2d(3, 6, 3, stride=2, padding=2, dilation=2, groups=3, bias=False),
        nn.Conv2d(3, 4, (1, 3), padding=(0, 1), padding_mode="reflect"),
    ],
)
def test_a_norm_after_a_convolution_folds(conv):
    check_folds(nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU()), 1)


def test_norms_without_weights_and_of_other_processes_fold():
    check_folds(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, affine=False)), 1)
    check_folds(nn.Sequential(nn.Conv2d(3, 4, 1), nn.SyncBatchNorm(4)), 1)


def test_a_norm_before_a_convolution_stays():
    check_folds(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3)), 0)


def test_a_norm_without_statistics_stays():
    check_folds(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)), 0)


@pytest.mark.parametrize("between", [nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Identity()])
def test_what_stands_between_decides(between):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), between, nn.BatchNorm2d(4))
    check_folds(model, int(isinstance(between, nn.Identity)))


class Wired(nn.Module):
    """Two convolutions and two norms, put together by ``wiring``."""

    def __init__(self, wiring):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(3), nn.BatchNorm2d(3)  # registered before what they follow
        self.conv1, self.conv2 = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1)
        self.wiring = wiring

    def forward(self, x):
        return self.wiring(self, x)


@pytest.mark.parametrize(
    ("wiring", "count"),
    [
        (lambda m, x: m.norm2(m.conv1(x)) + m.norm1(m.conv2(x)), 2),
        (lambda m, x: m.norm1(m.conv1(x)).relu_() + m.conv2(x), 1),
        (lambda m, x: m.norm1(m.conv1(m.norm2(m.conv2(x)))), 2),
        (lambda m, x: m.norm1(m.conv1(x)) + m.norm1(m.conv1(x.flip(-1))), 1),  # the same weights at two places
        (lambda m, x: (lambda y: m.norm1(y) + y)(m.conv1(x)), 0),
        (lambda m, x: (lambda y: m.norm1(y) + m.norm2(y))(m.conv1(x)), 0),
        (lambda m, x: m.norm1(m.conv1(x)) + m.norm1(m.conv2(x)), 0),
        (lambda m, x: m.norm1(m.conv1(x)) + m.conv1(x.flip(-1)), 0),
        (lambda m, x: m.norm1(m.conv1(x)) + m.norm1(x), 0),
        (lambda m, x: m.norm1(m.conv1(x)) + F.conv2d(x, m.conv1.weight, padding=1), 0),
        (lambda m, x: m.norm1(m.conv1(x)[..., 1:-1, :]), 0),
        (lambda m, x: torch.stack([(y := m.conv1(x)), m.norm1(y)]), 0),
    ],
)
def test_only_a_norm_that_alone_reads_a_convolution_folds(wiring, count):
    check_folds(Wired(wiring), count)


def test_what_the_model_returns_is_read():
    model = trained(Wired(lambda m, x: ((y := m.conv1(x)), m.norm1(y))))
    assert fold_batch_norms(model, images()) == 0


def test_tied_weights_stay():
    model = Wired(lambda m, x: m.norm1(m.conv1(x)) + m.conv2(x))
    model.conv2 = nn.Conv2d(3, 3, 3, padding=1)
    model.conv2.weight = model.conv1.weight
    check_folds(model, 0)


def test_a_norm_under_two_names_is_gone_from_both():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    model.again = model[1]
    model.forward = lambda x: model[1](model[0](x))
    check_folds(model, 1)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def test_a_copy_shares_nothing():
    model = trained(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    folded = copy.deepcopy(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert fold_batch_norms(folded, images()) == 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
