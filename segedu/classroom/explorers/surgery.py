"""Operations on the skips of a U-Net: decoded with each of them scaled, and with those of another image."""

import copy
import functools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from segedu.inference import device_of
from segedu.models.unet import Expansion, UNet

KEPT = 256  # decoded settings, so that a slider that comes back costs nothing

Weights = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Decoded:
    """What one pass through the decoder brings, on the CPU.

    ``margin (H, W)`` is by how much the class outscores the best of the others: above 0 where it is predicted;
    ``prediction (H, W)`` int64 is the best class. ``read`` holds for each skip, fine to coarse, the two maps that the
    convolutions there read, ``(2, h, w)``: the mean absolute activation of the skip, and that of what comes up from
    below.
    """

    margin: Tensor
    prediction: Tensor
    read: tuple[Tensor, ...]


class SkipSurgery:
    """A U-Net and a few images ``(N, 3, H, W)``; the encoder passes each of them once, when it is first asked for.

    ``label`` is the class whose margin is looked at. The operations are done on a copy of the model as it is now: a
    notebook's widgets may act while a cell trains the model itself, in another thread.
    """

    def __init__(self, model: UNet, images: Tensor, label: int) -> None:
        self._model = copy.deepcopy(model).eval()
        self._images, self._label = images.as_subclass(Tensor), label
        self._one_at_a_time = threading.Lock()  # also two widgets may act at once, and what is read is recorded
        self._features = functools.cache(self._encode)
        self.decode = functools.lru_cache(KEPT)(self._decode)
        self.worth = functools.cache(self._worth)

    @property
    def skips(self) -> int:
        """How many skips there are to operate on."""
        return len(self._model.expand)

    @property
    def intact(self) -> Weights:
        """The skips as trained."""
        return (1.0,) * self.skips

    def without(self, taken: int) -> Weights:
        """All skips but one."""
        return tuple(float(skip != taken) for skip in range(self.skips))

    def _decode(self, image: int, donor: int, weights: Weights) -> Decoded:
        """The bottom of ``image`` and the skips of ``donor``, each times its weight, fine to coarse."""
        *_, bottom = self._features(image)
        *skips, _ = self._features(donor)
        scaled = [weight * skip for weight, skip in zip(weights, skips, strict=True)]
        with self._one_at_a_time, torch.no_grad(), _reading(self._model) as read:
            scores = self._model.decode([*scaled, bottom])[0].float().cpu()
        others = torch.cat([scores[: self._label], scores[self._label + 1 :]])
        return Decoded(scores[self._label] - others.amax(0), scores.max(dim=0).indices, tuple(read[::-1]))

    def _worth(self, image: int) -> Tensor:
        """What each skip adds to the margin, ``(skips, H, W)``: as trained, less what is left with that one at 0."""
        settings = [self.intact, *map(self.without, range(self.skips))]
        whole, *rest = (self.decode(image, image, weights).margin for weights in settings)
        return torch.stack([whole - left for left in rest])

    def _encode(self, image: int) -> list[Tensor]:
        with torch.no_grad():
            return self._model.encode(self._images[image : image + 1].to(device_of(self._model)))


@contextmanager
def _reading(model: UNet) -> Iterator[list[Tensor]]:
    """Record what the convolutions of each level on the way up read: skip and upsampled map, coarse to fine."""
    read: list[Tensor] = []

    def record(_: nn.Module, inputs: Sequence[Tensor]) -> None:
        halves = inputs[0][0].chunk(2)  # the skip comes first in the concatenation
        read.append(torch.stack([half.abs().mean(0) for half in halves]).float().cpu())

    levels = [module for module in model.expand if isinstance(module, Expansion)]
    hooks = [level.convs.register_forward_pre_hook(record) for level in levels]
    try:
        yield read
    finally:
        for hook in hooks:
            hook.remove()
