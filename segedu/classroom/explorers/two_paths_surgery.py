"""Operations on a BiSeNet: a path or a module taken out, the image made smaller; what comes of it, at what cost."""

import copy
import functools
import operator
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from segedu.classroom.explorers.two_paths_cost import Cost, milliseconds
from segedu.inference import device_of
from segedu.models.bisenet import AttentionRefinement, BiSeNet, ContextPath, FeatureFusion, SharedBiSeNet
from segedu.models.bisenet_paths import cells
from segedu.models.multi_scale import MultiScaleMax
from segedu.profile.counting import CountedMACs

KEPT = 256  # passes, so that a switch that goes back costs nothing


def _refined_alone(refined: Tensor, _: Tensor) -> Tensor:
    return refined


JOINS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "added": operator.add,
    "multiplied": operator.mul,
    "left out": _refined_alone,
}
"""How the global context joins the refined map."""


@dataclass(frozen=True)
class Setting:
    """What is on, how the global context joins (of `JOINS`), and the size of what the network reads, 1 for all."""

    spatial: bool = True
    context: bool = True
    refinement: bool = True
    fusion_gate: bool = True
    joined: str = "added"
    scale: float = 1.0

    @property
    def within_context(self) -> tuple[bool, bool, str]:
        """What decides on the map that the context path brings."""
        return self.context, self.refinement, self.joined


@dataclass(frozen=True, eq=False)
class Passed:
    """What one pass brings, on the CPU.

    ``seen (3, h, w)`` is the normalised image that the network read, ``active`` the mean absolute activation of the
    spatial and of the context path, each on its own grid ``(h / 8, w / 8)``, and ``prediction (H, W)`` int64 the best
    class at the size of the image. ``macs`` are the multiply-adds of it all.
    """

    seen: Tensor
    active: tuple[Tensor, Tensor]
    prediction: Tensor
    macs: int


class PathSurgery:
    """A BiSeNet and a few images ``(N, 3, H, W)``; each setting is another network, made of the same weights.

    Off is what a reader means by it, and its work is not done, so that the time falls: a path gives zeros, attention
    refinement its map without the gate (as if that were 1), the fusion its mixed map once, with nothing added by the
    gate (as if that were 0). A smaller image is resized, and its scores are resized back, as `MultiScaleMax` does.

    All is done with a copy of the model as it is now. Raises ``TypeError`` for a model with other parts than those of
    `bisenet`, ``ValueError`` where the global context is neither added nor multiplied.
    """

    def __init__(self, model: BiSeNet, images: Tensor) -> None:
        _refuse_other_parts(model)
        joined = [name for name, join in JOINS.items() if join is cast(ContextPath, model.context_path).combine]
        if not joined:
            raise ValueError(
                "model combines refined map and global context by neither operator.add nor operator.mul; give it one "
                "of them, as the switch knows no other"
            )
        self.intact = Setting(joined=joined[0])
        self._model = copy.deepcopy(model).eval()
        self._images = images.as_subclass(Tensor)
        self._one_at_a_time = threading.Lock()  # two widgets may act at once, on one network
        self._look = functools.lru_cache(KEPT)(self._pass)
        self._time = functools.cache(self._measure)

    @property
    def num_classes(self) -> int:
        """How many classes the model scores."""
        return cast(nn.Conv2d, self._model.head[-1]).out_channels

    def look(self, image: int, setting: Setting) -> Passed:
        """One image through the network as it is set."""
        return self._look(image, self._acting(setting))

    def cost(self, image: int, setting: Setting) -> Cost:
        """Of a pass that has been looked at; its time is measured once for all images, when it is first asked for."""
        return Cost(self.look(image, setting).macs, self._time(self._acting(setting)))

    def _acting(self, setting: Setting) -> Setting:
        """The same with the switches back that have nothing to act on: two settings of one network are one."""
        if setting.context:
            return setting
        return replace(setting, refinement=self.intact.refinement, joined=self.intact.joined)

    def _pass(self, image: int, setting: Setting) -> Passed:
        with self._operated(setting) as network, _reading(self._model) as read, CountedMACs() as counted:
            prediction = self._predict(network, image)
        seen, spatial, context = (maps[0].float().cpu() for maps in read)
        return Passed(seen, (spatial.abs().mean(0), context.abs().mean(0)), prediction, counted.count)

    def _measure(self, setting: Setting) -> float:
        with self._operated(setting) as network:
            return milliseconds(lambda: self._predict(network, 0))

    def _predict(self, network: nn.Module, image: int) -> Tensor:
        """From an image to the class of each of its pixels, on the CPU, so that all is done when it returns."""
        scores: Tensor = network(self._images[image : image + 1].to(device_of(self._model)))["out"]
        return scores[0].max(dim=0).indices.cpu()

    @contextmanager
    def _operated(self, setting: Setting) -> Iterator[nn.Module]:
        """The network of a setting, for a while."""
        with self._one_at_a_time, torch.no_grad():
            swaps = [*self._swaps(setting)]
            before = [(owner, name, getattr(owner, name)) for owner, name, _ in swaps]
            try:
                for owner, name, part in swaps:
                    setattr(owner, name, part)
                yield MultiScaleMax(self._model, (setting.scale,)).eval()
            finally:
                for owner, name, part in before:
                    setattr(owner, name, part)

    def _swaps(self, setting: Setting) -> Iterator[tuple[nn.Module, str, object]]:
        """What stands where instead of what was trained: a module, the name of its part, and the other part."""
        context, fusion = cast(ContextPath, self._model.context_path), cast(FeatureFusion, self._model.fusion)
        if not setting.spatial:
            yield self._model, "spatial_path", _Silence(cast(nn.Conv2d, fusion.mix[0]).in_channels - context.channels)
        if not setting.context:
            yield self._model, "context_path", _SilentContext(context.channels)
        if not setting.refinement:
            yield context, "attention32", cast(AttentionRefinement, context.attention32).conv
            yield context, "attention16", cast(AttentionRefinement, context.attention16).conv
        if setting.joined == "left out":
            yield context, "global_context", nn.Identity()
        yield context, "combine", JOINS[setting.joined]
        if not setting.fusion_gate:
            yield self._model, "fusion", _Mixed(fusion.mix)


class _Silence(nn.Module):
    """A path that is off: images to zeros at 1/8."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, images: Tensor) -> Tensor:
        return images.new_zeros(len(images), self.channels, *cells(images))


class _SilentContext(_Silence):
    """The same in the place of a `ContextPath`."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"stride8": super().forward(images)}


class _Mixed(nn.Module):
    """A `FeatureFusion` whose gate is off."""

    def __init__(self, mix: nn.Module) -> None:
        super().__init__()
        self.mix = mix

    def forward(self, spatial: Tensor, context: Tensor) -> Tensor:
        mixed: Tensor = self.mix(torch.cat([spatial, context], dim=1))
        return mixed


@contextmanager
def _reading(network: BiSeNet) -> Iterator[list[Tensor]]:
    """Record the images that a network reads, and the maps of both paths that its fusion reads."""
    read: list[Tensor] = []
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs: read.extend(inputs)) for module in (network, network.fusion)
    ]
    try:
        yield read
    finally:
        for hook in hooks:
            hook.remove()


def _refuse_other_parts(model: BiSeNet) -> None:
    if not isinstance(model, BiSeNet) or isinstance(model, SharedBiSeNet):
        raise TypeError(
            f"model is a {type(model).__name__}, expected a segedu.models.BiSeNet whose two paths are apart"
        )
    context = model.context_path
    if not isinstance(context, ContextPath) or not isinstance(model.fusion, FeatureFusion):
        raise TypeError(
            f"model joins a {type(context).__name__} by a {type(model.fusion).__name__}, expected a ContextPath and a "
            "FeatureFusion, whose modules are switched"
        )
    if not all(isinstance(module, AttentionRefinement) for module in (context.attention16, context.attention32)):
        raise TypeError(
            f"model refines by a {type(context.attention32).__name__}, expected AttentionRefinement, whose gate is "
            "switched"
        )
