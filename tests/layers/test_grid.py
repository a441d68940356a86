"""Grid arithmetic against closed form, published crops, and the centre of mass of a gradient."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from segedu.layers.grid import Grid
from segedu.models.backbones import TRUNKS


def test_the_notes_example():
    grid = Grid().through(nn.Conv2d(1, 1, 3, stride=2, padding=1))
    assert grid == Grid(2, 0.0)
    assert grid.through(nn.Conv2d(1, 1, 3, stride=2, padding=1)) == Grid(4, 0.0)


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=4
    )
)
def test_centre_is_where_the_gradient_balances(layers):
    """With all-one kernels the gradient of one output cell is symmetric about the centre of its receptive field."""
    convs = [nn.Conv2d(1, 1, k, stride=s, padding=p, dilation=d, bias=False).double() for k, s, p, d in layers]
    for conv in convs:
        nn.init.ones_(conv.weight)
    image = torch.zeros(1, 1, 400, 400, dtype=torch.float64, requires_grad=True)
    output = nn.Sequential(*convs)(image)
    cell = output.shape[-1] // 2
    (gradient,) = torch.autograd.grad(output[0, 0, cell, cell], image)
    column = gradient[0, 0].sum(0)
    centre = (column * torch.arange(400)).sum() / column.sum()
    grid = Grid().through(*convs)
    assert centre.item() == pytest.approx(grid.start + grid.stride * cell)


@pytest.mark.parametrize(
    ("backbone", "coarse", "fine", "kernel", "crop"),
    [
        ("vgg16", "conv7", "image", 64, 19),
        ("vgg16", "conv7", "pool4", 4, -5),
        ("vgg16", "pool3", "image", 16, 31 + 8 * 9),
        ("alexnet", "conv7", "image", 63, 18),
    ],
)
def test_crops_of_the_release(backbone, coarse, fine, kernel, crop):
    """A transposed convolution without padding puts cell 0 at (k - 1) / 2; what lies before the image is cropped.

    Negative: it is the finer map that is cropped, by 5. The release crops pool3 by 9 and the last map by 31, which is
    one crop of 31 - 8 * 9 for pool3's own grid.
    """
    with torch.device("meta"):
        grids = TRUNKS[backbone](padding=100).grids | {"image": Grid()}
    assert (kernel - 1) / 2 - grids[coarse].offset_on(grids[fine]) == crop


def test_refuses_what_it_cannot_describe():
    with pytest.raises(ValueError, match=r"kernel_size=\(3, 5\)"):
        Grid().through(nn.Conv2d(1, 1, (3, 5)))
    with pytest.raises(ValueError, match="padding=same"):
        Grid().through(nn.Conv2d(1, 1, 3, padding="same"))
    with pytest.raises(ValueError, match="makes a finer map"):
        Grid(2, 0.5).through(nn.ConvTranspose2d(1, 1, 2, stride=2))
    with pytest.raises(ValueError, match="no multiple"):
        Grid(3).factor_to(Grid(2))
