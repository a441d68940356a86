"""The release of the dense CRF, where it is installed (pydensecrf2, in the [bench] extra): the same labels."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from segedu.crf import Bilateral, Gaussian, dense_crf

densecrf = pytest.importorskip("pydensecrf.densecrf")
NORMALISATIONS = {
    "symmetric": densecrf.NORMALIZE_SYMMETRIC,
    "before": densecrf.NORMALIZE_BEFORE,
    "after": densecrf.NORMALIZE_AFTER,
}


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("colour_std", [5.0, 13.0])
def test_labels_agree(normalisation, colour_std):
    classes, height, width = 5, 60, 70
    colours = F.interpolate(torch.rand(1, 3, 5, 6), size=(height, width), mode="bicubic")
    pixels = (255 * colours + 8 * torch.randn(colours.shape)).clamp(0, 255).byte()
    scores = F.interpolate(2 * torch.randn(1, classes, 8, 9), size=(height, width), mode="bilinear")
    field = densecrf.DenseCRF2D(width, height, classes)
    field.setUnaryEnergy(-scores.log_softmax(1).flatten(2)[0].numpy())
    how = NORMALISATIONS[normalisation]
    field.addPairwiseGaussian(sxy=3, compat=3, normalization=how)
    image = np.ascontiguousarray(pixels[0].permute(1, 2, 0).numpy())
    field.addPairwiseBilateral(sxy=40, srgb=colour_std, rgbim=image, compat=10, normalization=how)
    theirs = torch.from_numpy(np.array(field.inference(10))).view(scores.shape)
    ours = dense_crf(
        scores, pixels, (Gaussian(3.0, 3.0), Bilateral(40.0, colour_std, 10.0)), normalisation=normalisation
    )
    assert (ours.argmax(1) != scores.argmax(1)).double().mean() > 0.05
    assert (ours.argmax(1) == theirs.argmax(1)).double().mean() >= 0.999
    assert (ours - theirs).abs().mean() < 1e-3  # a few pixels lie on borders of simplices, and round to either side
