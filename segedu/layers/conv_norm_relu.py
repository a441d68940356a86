"""The block that half of all networks are made of."""

from torch import nn


class ConvNormReLU(nn.Sequential):
    """A convolution padded by half its kernel, batch norm, ReLU: ``(N, C, H, W) -> (N, K, ceil(H / stride), ...)``.

    ``kernel`` is odd, so the first cell lies on the first pixel. No bias, as the norm has one. Weights start normal, at
    the scale that keeps the size of what passes forward through a ReLU (He et al., arXiv:1502.01852).
    """

    def __init__(self, in_channels: int, channels: int, kernel: int = 3, *, stride: int = 1) -> None:
        conv = nn.Conv2d(in_channels, channels, kernel, stride=stride, padding=kernel // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))
        he_init(conv)


def he_init(module: nn.Module) -> None:
    """Draw the weights of every convolution in ``module`` at that scale; biases stay as they are."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
