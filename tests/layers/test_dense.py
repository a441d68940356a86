"""A fully connected layer seen as a convolution: equal at its own size, window by window on larger maps."""

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from segedu.layers.dense import fully_convolutional, linear_to_conv


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.booleans(), st.integers(0, 3), st.integers(0, 3))
def test_every_window_is_the_linear_layer(height, width, channels, bias, more_rows, more_columns):
    linear = nn.Linear(channels * height * width, 3, bias=bias)
    x = torch.randn(2, channels, height + more_rows, width + more_columns)
    output = linear_to_conv(linear, (height, width))(x)
    assert output.shape[-2:] == (1 + more_rows, 1 + more_columns)
    for row in range(1 + more_rows):
        for column in range(1 + more_columns):
            window = x[..., row : row + height, column : column + width]
            torch.testing.assert_close(output[..., row, column], linear(window.flatten(1)), rtol=0, atol=1e-5)


def narrow_vgg():
    """VGG's form, with hardly any channels."""
    with torch.device("meta"):  # its own classifier would be large
        vgg = torchvision.models.VGG(torchvision.models.vgg.make_layers([4, "M"] * 5))
    vgg.features = torchvision.models.vgg.make_layers([4, "M"] * 5)
    vgg.classifier = nn.Sequential(nn.Linear(4 * 7 * 7, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 10))
    return vgg


@pytest.mark.parametrize("build", [lambda: torchvision.models.alexnet(num_classes=10), narrow_vgg])
def test_classifier_made_dense_gives_equal_outputs(build):
    classifier = build().eval()
    dense = fully_convolutional(classifier)
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected, small, large = classifier(images), dense(images), dense(torch.randn(1, 3, 256, 320))
    assert small.shape == (1, 10, 1, 1)
    torch.testing.assert_close(small[..., 0, 0], expected, rtol=1e-5, atol=1e-6)
    assert large.shape == (1, 10, 2, 4)
    assert all(a.data_ptr() == b.data_ptr() for a, b in zip(dense.parameters(), classifier.parameters(), strict=True))


def test_errors_name_what_came():
    with pytest.raises(ValueError, match="10 inputs is no kernel of 3x3"):
        linear_to_conv(nn.Linear(10, 2), (3, 3))
    with pytest.raises(TypeError, match="ResNet has no features"):
        fully_convolutional(torchvision.models.resnet18(weights=None))
