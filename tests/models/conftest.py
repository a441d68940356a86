"""What tests of several networks share."""

import copy

import pytest
import torch
from torch import nn

from segedu.inference import inference


@pytest.fixture
def refuses_a_batch_of_one():
    """A check of networks that pool the whole image; it gives back what a batch of one brings with norms at rest."""

    def check(model: nn.Module) -> dict[str, torch.Tensor]:
        one = torch.randn(1, 3, 33, 65)
        before = copy.deepcopy(model.state_dict())
        with pytest.raises(ValueError, match=r"batch of 1.*at least 2.*drop_last=True.*evaluation mode"):
            model(one)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        with inference(model):
            assert model(one)["out"].shape == (1, 3, 33, 65)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return model(one)

    return check


@pytest.fixture
def lively():
    """Puts a network into evaluation mode, with statistics that make every batch norm do something."""

    def enliven(model: nn.Module) -> nn.Module:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_mean, -0.5, 0.5)
                nn.init.uniform_(module.running_var, 0.5, 2)
        return model.eval()

    return enliven
