"""An oracle for receptive fields that shares nothing with the analyser: gradients of a network made positive."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class Averaging(TorchFunctionMode):
    """Pools by averages in place of maxima, whose gradient takes one cell of each window and leaves the others out."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in (F.max_pool2d, torch.max_pool2d, F.max_pool2d_with_indices) or "max_pool2d" in str(function):
            return self._pool(*args, **kwargs)
        if "adaptive_max_pool2d" in str(function):
            return F.adaptive_avg_pool2d(*args[:2])
        return function(*args, **kwargs)

    @staticmethod
    def _pool(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        if dilation in (1, (1, 1)):
            return F.avg_pool2d(x, kernel_size, stride, padding, ceil_mode)
        ones = torch.ones(x.shape[1], 1, kernel_size, kernel_size, dtype=x.dtype)
        return F.conv2d(x, ones, None, stride or kernel_size, padding, dilation, x.shape[1])


@pytest.fixture
def seen_by_gradient():
    """``(model, size, units)``: the box of pixels with a gradient for each unit of ``out``, or None."""

    def look(model, size, units):
        positive = copy.deepcopy(model).double().eval()
        generator = torch.Generator().manual_seed(1)
        for module in positive.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.zeros_(module.running_mean), nn.init.ones_(module.running_var)
        for name, parameter in positive.named_parameters():
            fan = parameter[0].numel() if parameter.dim() > 1 else 2  # averages, so that nothing reaches ReLU6's end
            values = (0.5 + torch.rand(parameter.shape, generator=generator, dtype=torch.float64)) / fan
            parameter.data = values * (not name.endswith("bias"))
            parameter.requires_grad_(False)
        channels = next((module.in_channels for module in positive.modules() if isinstance(module, nn.Conv2d)), 3)
        image = 0.5 + torch.rand(1, channels, *size, generator=generator, dtype=torch.float64)
        image.requires_grad_()
        with Averaging():
            out = positive(image * 1)
        out = out["out"] if isinstance(out, dict) else out
        boxes = []
        for unit in units:
            gradient = torch.autograd.grad(out[(0, slice(None), *unit)].sum(), image, retain_graph=True)[0]
            rows, columns = ((gradient[0] != 0).any(0).any(axis).nonzero().flatten().tolist() for axis in (1, 0))
            boxes.append(((rows[0], rows[-1]), (columns[0], columns[-1])) if rows else None)
        return boxes

    return look
