"""A fully connected layer is a convolution whose kernel covers its whole input; so it slides (FCN, section 3.1)."""

from typing import cast

import torch
from torch import nn


def linear_to_conv(linear: nn.Linear, kernel_size: tuple[int, int] = (1, 1), padding: int = 0) -> nn.Conv2d:
    """The convolution that equals ``linear`` on a flattened ``(C, kernel_height, kernel_width)`` map.

    On a map of exactly ``kernel_size`` it gives ``(N, out_features, 1, 1)``, the numbers of the linear layer; on a
    larger one it gives those of every window. Weights are shared, not copied. Raises ``ValueError`` when
    ``in_features`` is no multiple of the kernel's area.
    """
    height, width = kernel_size
    if linear.in_features % (height * width):
        raise ValueError(
            f"a linear layer of {linear.in_features} inputs is no kernel of {height}x{width}; "
            f"its inputs must be channels x {height} x {width}"
        )
    channels = linear.in_features // (height * width)
    with torch.device("meta"):  # its own initial weights would be thrown away
        conv = nn.Conv2d(channels, linear.out_features, kernel_size, padding=padding, bias=linear.bias is not None)
    conv.weight = nn.Parameter(linear.weight.view(linear.out_features, channels, height, width))
    if linear.bias is not None:
        conv.bias = nn.Parameter(linear.bias)
    return conv


def fully_convolutional(classifier: nn.Module) -> nn.Sequential:
    """The same classifier for images of any size: ``(N, 3, H, W) -> (N, classes, h, w)``.

    Takes torchvision's ``vgg*`` and ``alexnet``. At the size it was trained for (224) the output is ``(N, classes, 1,
    1)`` and equals the classifier's; on larger images each cell is one window's answer. The adaptive pooling in front
    of the classifier is dropped: at 224 it does nothing. Weights are shared with ``classifier``. Raises ``TypeError``
    for a module without ``features``, ``avgpool`` and ``classifier``.
    """
    features, kernel, head = _parts(classifier)
    layers: list[nn.Module] = []
    for layer in head:
        if isinstance(layer, nn.Linear):
            layers.append(linear_to_conv(layer, kernel))
            kernel = (1, 1)  # the first layer takes the whole map, those after it one cell
        else:
            layers.append(layer)
    return nn.Sequential(features, *layers).train(classifier.training)


def _parts(classifier: nn.Module) -> tuple[nn.Module, tuple[int, int], nn.Sequential]:
    """The features, the size of the map that they end in, and the layers that follow."""
    features, pool, head = (getattr(classifier, name, None) for name in ("features", "avgpool", "classifier"))
    if isinstance(features, nn.Module) and isinstance(pool, nn.AdaptiveAvgPool2d) and isinstance(head, nn.Sequential):
        return features, cast(tuple[int, int], pool.output_size), head
    raise TypeError(
        f"{type(classifier).__name__} has no features, avgpool and classifier; "
        "fully_convolutional takes torchvision's vgg and alexnet models"
    )
