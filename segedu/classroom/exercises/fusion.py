"""Exercise: ``fcn16s(conv7, pool4, score_conv7, score_pool4, size)``, from the features of two layers to scores.

``conv7`` ``(N, C, h, w)`` and ``pool4`` ``(N, C', 2h, 2w)`` are features, ``score_conv7`` and ``score_pool4`` layers
that give K scores a cell; ``size=(H, W)`` is the image's. The answer is ``(N, K, H, W)`` (FCN, section 4.2).
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segedu.classroom.exercises.exercise import Exercise, Mistake, one_tensor

Size = tuple[int, int]
Fcn = Callable[[Tensor, Tensor, nn.Module, nn.Module, Size], Tensor]


def _features() -> Iterator[tuple[Tensor, Tensor, nn.Module, nn.Module, Size]]:
    """Maps of equal depth, so that adding features runs.

    Sides are multiples of 32. With others, stretching by factors and cropping keeps cells over their pixels and
    stretching to a size moves them a little: an answer should not have to choose.
    """
    source = torch.Generator().manual_seed(1)
    for coarse, fine, size in (((3, 4), (6, 8), (96, 128)), ((2, 3), (4, 6), (64, 96))):
        layers = nn.Conv2d(6, 3, 1), nn.Conv2d(6, 3, 1)
        for parameter in (parameter for layer in layers for parameter in layer.parameters()):
            parameter.data = torch.randn(parameter.shape, generator=source)
        conv7, pool4 = (torch.randn(2, 6, *cells, generator=source) for cells in (coarse, fine))
        yield conv7, pool4, *layers, size


def _resize(maps: Tensor, size: Size, mode: str = "bilinear", align_corners: bool | None = False) -> Tensor:
    return F.interpolate(maps, size=size, mode=mode, align_corners=align_corners)


def _cells(maps: Tensor) -> Size:
    return maps.shape[-2], maps.shape[-1]


def _from_scores(fuse: Callable[[Tensor, Tensor, Size], Tensor]) -> Fcn:
    """Each layer scored by its own score layer, and then ``fuse(scores of conv7, scores of pool4, size)``."""
    return lambda conv7, pool4, score_conv7, score_pool4, size: fuse(score_conv7(conv7), score_pool4(pool4), size)


def _joined(join: Callable[[Tensor, Tensor], Tensor]) -> Fcn:
    """FCN-16s with ``join(scores of conv7 at pool4's size, scores of pool4)`` where it has the sum."""
    return _from_scores(lambda coarse, fine, size: _resize(join(_resize(coarse, _cells(fine)), fine), size))


def _resized_by(mode: str, align_corners: bool | None) -> Fcn:
    """FCN-16s with another interpolation."""

    def fuse(coarse: Tensor, fine: Tensor, size: Size) -> Tensor:
        return _resize(_resize(coarse, _cells(fine), mode, align_corners) + fine, size, mode, align_corners)

    return _from_scores(fuse)


def _sum(coarse: Tensor, fine: Tensor) -> Tensor:
    return coarse + fine


def _features_through(last: int) -> Fcn:
    """Features added and only then scored, by the layer of conv7 (0) or of pool4 (1)."""

    def answer(conv7: Tensor, pool4: Tensor, score_conv7: nn.Module, score_pool4: nn.Module, size: Size) -> Tensor:
        score = (score_conv7, score_pool4)[last]
        return _resize(score(_resize(conv7, _cells(pool4)) + pool4), size)

    return answer


TOO_COARSE = (
    "the sum is made at stride 32, where the finer positions of pool4 are already averaged away: bring the scores of "
    "conv7 up to pool4's size, not those of pool4 down."
)
FEATURES = (
    "features are added and then scored. Here the two layers happen to be equally deep; in VGG16 conv7 has 4096 "
    "channels and pool4 512. Each layer gets its own score layer first, and the K-channel scores are added."
)

fcn16s = Exercise(
    solution=_joined(_sum),
    mistakes=(
        Mistake(_features_through(0), FEATURES),
        Mistake(_features_through(1), FEATURES),
        Mistake(
            lambda conv7, pool4, first, second, size: _joined(_sum)(conv7, pool4, second, first, size),
            "the two score layers have changed places: score_conv7 reads conv7 and score_pool4 reads pool4.",
        ),
        Mistake(
            _from_scores(lambda coarse, fine, size: _resize(coarse, size) + _resize(fine, size)),
            "both score maps go to the image's size and are added there. FCN adds at stride 16 and enlarges the sum: "
            "the scores of conv7 then pass through x2 and x16, which smooths differently from x32 at once, and only "
            "one large map is made.",
        ),
        Mistake(
            _joined(lambda coarse, fine: torch.cat([coarse, fine], 1)),
            "the score maps are concatenated, so the output has 2K channels; in FCN they are added, class by class. "
            "(Concatenating features is U-Net's way.)",
        ),
        Mistake(
            _from_scores(
                lambda coarse, fine, size: _resize(coarse + F.adaptive_max_pool2d(fine, _cells(coarse)), size)
            ),
            TOO_COARSE,
        ),
        Mistake(
            _from_scores(lambda coarse, fine, size: _resize(coarse + _resize(fine, _cells(coarse)), size)), TOO_COARSE
        ),
        Mistake(
            _joined(lambda coarse, fine: (coarse + fine) / 2),
            "the scores are averaged. The predicted classes stay as they are, but halved scores give other "
            "probabilities and so another loss: FCN adds them.",
        ),
        Mistake(
            _joined(torch.maximum),
            "the larger score is taken. The authors tried this and it failed: the gradient switches from layer to "
            "layer. FCN adds the scores.",
        ),
        Mistake(_joined(torch.mul), "the score maps are multiplied; FCN adds them."),
        Mistake(
            _joined(lambda coarse, fine: coarse.softmax(1) + fine.softmax(1)),
            "probabilities are added. Scores are added before any softmax, so that a layer that is sure counts for "
            "more than one that is not.",
        ),
        Mistake(
            _from_scores(lambda coarse, fine, size: _resize(coarse, _cells(fine)) + fine),
            "the sum is right, and still at stride 16: enlarge it to the image's size as the last step.",
        ),
        Mistake(
            _from_scores(lambda coarse, fine, size: _resize(coarse, size)),
            "this is FCN-32s: the scores of pool4 are not in the result yet.",
        ),
        Mistake(
            _joined(lambda coarse, fine: coarse),
            "the way from conv7 has its two steps, but the scores of pool4 are not added between them.",
        ),
        Mistake(
            _joined(lambda coarse, fine: fine), "only pool4's scores are in the result; the meaning comes from conv7."
        ),
        Mistake(
            _resized_by("bilinear", True),
            "the interpolation aligns the corners' centres, which stretches the map a little; use "
            "align_corners=False, as the bilinear transposed convolution does.",
        ),
        Mistake(_resized_by("nearest", None), "the upsampling repeats cells; FCN's is bilinear: mode='bilinear'."),
    ),
    probes=_features,
    observe=one_tensor,
    learnt="score, enlarge to the finer map, add, enlarge to the image; pool3 joins in the same way and gives FCN-8s.",
)
