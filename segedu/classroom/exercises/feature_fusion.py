"""Exercise: ``feature_fusion(spatial, context, mix, down, up)``, two maps joined and weighed channel by channel.

``spatial`` ``(N, A, h, w)`` and ``context`` ``(N, B, h, w)`` are maps, ``mix`` makes C channels of A + B, ``down`` and
``up`` are 1x1 convolutions from C to C channels. The answer is ``(N, C, h, w)`` (BiSeNet, section 3.2, figure 2c).
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_tensor

Trial = tuple[Tensor, Tensor, nn.Module, nn.Module, nn.Module]


def _maps() -> Iterator[Trial]:
    """As many channels in one map as in the other, so that adding them for joining runs as far as ``mix``."""
    source = torch.Generator().manual_seed(6)
    for height, width in ((3, 4), (5, 2)):
        layers = nn.Conv2d(6, 5, 1), nn.Conv2d(5, 5, 1, bias=False), nn.Conv2d(5, 5, 1, bias=False)
        for parameter in (parameter for layer in layers for parameter in layer.parameters()):
            parameter.data = torch.randn(parameter.shape, generator=source)
        spatial, context = (torch.randn(2, 3, height, width, generator=source) for _ in range(2))
        yield spatial, context, *layers


def _mean(maps: Tensor) -> Tensor:
    return maps.mean((2, 3), keepdim=True)


def _gate(fused: Tensor, down: nn.Module, up: nn.Module, seen: Callable[[Tensor], Tensor] = _mean) -> Tensor:
    gate: Tensor = up(down(seen(fused)).relu()).sigmoid()
    return gate


def _weighed(weigh: Callable[[Tensor, nn.Module, nn.Module], Tensor]) -> Answer:
    """An answer that joins as it should and then does ``weigh(fused, down, up)``."""

    def answer(spatial: Tensor, context: Tensor, mix: nn.Module, down: nn.Module, up: nn.Module) -> Tensor:
        fused: Tensor = mix(torch.cat([spatial, context], 1))
        return weigh(fused, down, up)

    return answer


def _gated(gate: Callable[[Tensor, nn.Module, nn.Module], Tensor]) -> Answer:
    return _weighed(lambda fused, down, up: fused + fused * gate(fused, down, up))


def _context_first(spatial: Tensor, context: Tensor, mix: nn.Module, down: nn.Module, up: nn.Module) -> Tensor:
    fused: Tensor = mix(torch.cat([context, spatial], 1))
    return fused + fused * _gate(fused, down, up)


def _largest(maps: Tensor) -> Tensor:
    return maps.amax((2, 3), keepdim=True)


def _sum(maps: Tensor) -> Tensor:
    return maps.sum((2, 3), keepdim=True)


feature_fusion = Exercise(
    solution=_gated(_gate),
    mistakes=(
        Mistake(
            _weighed(lambda fused, down, up: fused * _gate(fused, down, up)),
            "the weighed map is returned alone. That is attention refinement; in the fusion it is added to the map: "
            "fused + fused * gate, so that no channel is lost where the gate is shut.",
        ),
        Mistake(
            _weighed(lambda fused, down, up: fused + _gate(fused, down, up)),
            "the gate itself is added to the map. It weighs the map first: fused + fused * gate.",
        ),
        Mistake(
            _weighed(lambda fused, down, up: fused),
            "the maps are joined and mixed, and not weighed yet: the gate is missing.",
        ),
        Mistake(
            _gated(lambda fused, down, up: _gate(fused, down, up, seen=lambda maps: maps)),
            "the gate has a value for every cell. It sees the whole map first: the mean over rows and columns, one "
            "number a channel.",
        ),
        Mistake(
            _gated(lambda fused, down, up: _gate(fused, down, up, seen=lambda maps: maps.mean((0, 2, 3), True))),
            "the mean runs over the batch as well, so pictures decide about each other's channels; take it over rows "
            "and columns alone.",
        ),
        Mistake(
            _gated(lambda fused, down, up: _gate(fused, down, up, seen=_largest)),
            "the gate sees the largest value of each channel; here it is the mean.",
        ),
        Mistake(
            _gated(lambda fused, down, up: _gate(fused, down, up, seen=_sum)),
            "the gate sees the sum over the map, which grows with the picture; take the mean.",
        ),
        Mistake(
            _gated(lambda fused, down, up: up(down(_mean(fused))).sigmoid()),
            "there is no ReLU between the two convolutions, so together they are no more than one.",
        ),
        Mistake(
            _gated(lambda fused, down, up: up(down(_mean(fused)).relu()).relu().sigmoid()),
            "there is a ReLU before the sigmoid: the gate is never below a half. A well-known implementation has it.",
        ),
        Mistake(
            _gated(lambda fused, down, up: up(down(_mean(fused)).relu())),
            "the sigmoid is missing: the gate may be any number, also a negative one.",
        ),
        Mistake(
            _gated(lambda fused, down, up: up(down(_mean(fused)).relu()).softmax(1)),
            "a softmax makes the channels share one weight between them; with the sigmoid each has its own, "
            "between 0 and 1.",
        ),
        Mistake(
            _gated(lambda fused, down, up: _gate(fused, up, down)),
            "the two convolutions of the gate have changed places: down comes first.",
        ),
        Mistake(
            _context_first,
            "context is joined first and the spatial map second. The weights of mix expect them the other way round.",
        ),
    ),
    probes=_maps,
    observe=one_tensor,
    learnt=(
        "the same few lines as attention refinement, but for one thing: the weighed map is added to itself, so a "
        "channel counts once or, at most, twice."
    ),
)
