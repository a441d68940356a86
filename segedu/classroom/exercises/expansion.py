"""Exercise: ``expand(coarse, skip, up, convs)``, one step up the right arm of the unpadded U-Net.

``coarse`` ``(N, 2C, h, w)`` comes from below, ``skip`` ``(N, C, H, W)``, no smaller than twice that, from the left;
``up`` doubles the size and halves the channels, ``convs`` reads what was joined. The answer is what ``convs`` gives.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_tensor
from segedu.models.unet import centre_crop

Join = Callable[[Tensor, Tensor], Tensor]


class _Mixture(nn.Module):
    """Stands for the two convolutions: a weighted sum of the channels and of their neighbours below and beside.

    It takes any number of channels and any size, so that a wrong join runs and can be told by its numbers.
    """

    def forward(self, maps: Tensor) -> Tensor:
        channels = torch.arange(1, maps.shape[1] + 1)
        weights = torch.stack([channels.float().sqrt(), (1.7 * channels).sin()])
        mixed = torch.einsum("oc,nchw->nohw", weights, maps)
        return mixed[..., :-1, :-1] + 0.5 * mixed[..., 1:, :-1] - 0.3 * mixed[..., :-1, 1:]


def _maps() -> Iterator[tuple[Tensor, Tensor, nn.Module, nn.Module]]:
    """Skips that are larger by an even rest, by an odd one, and as large as what comes up."""
    source = torch.Generator().manual_seed(3)
    for coarse, fine in (((3, 4), (10, 12)), ((2, 3), (7, 9)), ((3, 3), (6, 6))):
        up = nn.ConvTranspose2d(4, 2, 2, stride=2)
        for parameter in up.parameters():
            parameter.data = torch.randn(parameter.shape, generator=source)
        yield (
            torch.randn(2, 4, *coarse, generator=source),
            torch.randn(2, 2, *fine, generator=source),
            up,
            _Mixture(),
        )


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[-2], maps.shape[-1]


def _joined(join: Join) -> Answer:
    """Up, then ``join(skip, up)``, then the convolutions."""
    return lambda coarse, skip, up, convs: convs(join(skip, up(coarse)))


def _met(join: Join) -> Answer:
    """The same with the skip cropped to the size of what came up."""
    return _joined(lambda skip, up: join(centre_crop(skip, _size(up)), up))


def _concatenated(skip: Tensor, up: Tensor) -> Tensor:
    return torch.cat([skip, up], dim=1)


def _padded(skip: Tensor, up: Tensor) -> Tensor:
    rows, columns = skip.shape[-2] - up.shape[-2], skip.shape[-1] - up.shape[-1]
    around = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return _concatenated(skip, F.pad(up, around))


def _padded_at_the_end(skip: Tensor, up: Tensor) -> Tensor:
    return _concatenated(skip, F.pad(up, (0, skip.shape[-1] - up.shape[-1], 0, skip.shape[-2] - up.shape[-2])))


PADDED = (
    "what came up is padded with zeros to the size of the skip. That is the way of the padded U-Net; the original "
    "crops the skip instead, so that every value rests on real pixels."
)
SQUEEZED = (
    "the sizes are made equal by interpolation, which moves every pixel of one of the two maps. The skip is there to "
    "say where things are: crop it, so that what lies over each other belongs together."
)

expand = Exercise(
    solution=_met(_concatenated),
    mistakes=(
        Mistake(
            _met(lambda skip, up: _concatenated(up, skip)),
            "the two halves have changed places: the skip comes first in the concatenation, then what came up. A net "
            "that learns with the other order does as well, but trained weights expect theirs.",
        ),
        Mistake(
            _met(lambda skip, up: skip + up),
            "the maps are added. That is FCN's way, for scores; U-Net puts the channels one behind the other and lets "
            "the convolutions weigh them.",
        ),
        Mistake(
            _joined(lambda skip, up: _concatenated(skip[..., : up.shape[-2], : up.shape[-1]], up)),
            "the skip is cropped from its upper left corner, so it is shifted against what came up: cut off half of "
            "the difference on each side.",
        ),
        Mistake(
            _joined(
                lambda skip, up: _concatenated(skip.flip(-1, -2)[..., : up.shape[-2], : up.shape[-1]].flip(-1, -2), up)
            ),
            "the skip is cropped to its lower right corner, so it is shifted against what came up: cut off half of the "
            "difference on each side.",
        ),
        Mistake(_joined(_padded), PADDED),
        Mistake(_joined(_padded_at_the_end), PADDED + " Here the zeros even stand on one side alone."),
        Mistake(
            _joined(
                lambda skip, up: _concatenated(F.interpolate(skip, _size(up), mode="bilinear", align_corners=False), up)
            ),
            SQUEEZED + " (It is the skip that is squeezed.)",
        ),
        Mistake(
            _joined(
                lambda skip, up: _concatenated(
                    skip, F.interpolate(up, _size(skip), mode="bilinear", align_corners=False)
                )
            ),
            SQUEEZED + " (It is what came up that is stretched.)",
        ),
        Mistake(
            lambda coarse, skip, up, convs: convs(up(coarse)),
            "the skip is not in the result: without it nothing says where the edges were before the pooling.",
        ),
        Mistake(
            _met(lambda skip, up: skip),
            "only the skip is in the result: what came up from below says what is there.",
        ),
        Mistake(
            lambda coarse, skip, up, convs: _concatenated(centre_crop(skip, _size(up(coarse))), up(coarse)),
            "the maps are joined rightly, and then nothing reads them: hand the result to convs.",
        ),
        Mistake(
            lambda coarse, skip, up, convs: convs(
                _concatenated(
                    centre_crop(skip, (2 * coarse.shape[-2], 2 * coarse.shape[-1])),
                    F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False),
                )
            ),
            "the map from below is stretched by interpolation, and keeps all its channels. The step has its own layer "
            "for that: up doubles the size and halves the channels.",
        ),
        Mistake(
            lambda coarse, skip, up, convs: _concatenated(
                centre_crop(skip, _size(convs(up(coarse)))), convs(up(coarse))
            ),
            "the convolutions run before the skip has joined, so nothing ever weighs the two against each other: "
            "first join, then convs.",
        ),
    ),
    probes=_maps,
    observe=one_tensor,
    learnt=(
        "double, crop the skip to that size, put the skip's channels first, convolve. The convolutions then see, at "
        "every pixel, what was there before the pooling and what the deeper levels make of it."
    ),
)
