"""Answers that `listing_repair` tells apart: a listing repaired, or with one of its faults, made of five choices."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segedu.classroom.exercises.exercise import Answer

DEEP, WIDTH, CLASSES = 3, 4, 2
CELLS, SIZE = (4, 6), (32, 48)  # the maps at 1/8, and the picture

Register = Callable[[nn.Module, "SmallTrunk"], nn.Module]
Gate = Callable[[nn.Module, nn.Module, Tensor], Tensor]
Join = Callable[[Tensor, Tensor, Tensor], Tensor]
Finish = Callable[[nn.Module, Tensor], Tensor]


class SmallTrunk(nn.Module):
    """Of a classifier: ``stage`` makes 1/16 from 1/8, and ``fc`` is the classifier that a segmenter does not need."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = nn.Conv2d(DEEP, DEEP, 3, stride=2, padding=1)
        self.fc = nn.Linear(DEEP, 5)


class Listing(nn.Module):
    """The right answer, or one fault of it: how it is registered, gates, joins, fuses and finishes."""

    def __init__(
        self,
        trunk: SmallTrunk,
        num_classes: int,
        width: int,
        *,
        register: Register,
        gate: Gate,
        join: Join,
        finish: Finish,
        fused: Callable[[int, int], int],
    ) -> None:
        super().__init__()
        self.stage = register(self, trunk)
        self.attend = nn.Conv2d(DEEP, DEEP, 1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(DEEP)
        channels = fused(num_classes, width)
        joined = width + join(*torch.zeros(3, 1, DEEP, 1, 1)).shape[1]
        mix = nn.Conv2d(joined, channels, 1, bias=False)
        self.mix = nn.Sequential(mix, nn.BatchNorm2d(channels), nn.ReLU())
        self.score = nn.Conv2d(channels, num_classes, 1)
        self.gate, self.join, self.finish = gate, join, finish

    def forward(self, detail: Tensor, early: Tensor, size: tuple[int, int]) -> Tensor:
        deep = self.stage(early)
        whole = deep.mean((2, 3), keepdim=True)
        context = self.join(deep, self.gate(self.attend, self.norm, whole), whole)
        context = F.interpolate(context, detail.shape[-2:], mode="bilinear")
        return self.finish(self.score, self.mix(torch.cat([detail, context], 1)))


def stage_alone(net: nn.Module, trunk: SmallTrunk) -> nn.Module:
    return trunk.stage


def with_classifier(net: nn.Module, trunk: SmallTrunk) -> nn.Module:
    net.fc = trunk.fc
    return trunk.stage


def twice(net: nn.Module, trunk: SmallTrunk) -> nn.Module:
    net.again = trunk.stage
    return trunk.stage


def whole_trunk(net: nn.Module, trunk: SmallTrunk) -> nn.Module:
    net.trunk = trunk
    return trunk.stage


def normed(attend: nn.Module, norm: nn.Module, whole: Tensor) -> Tensor:
    gate: Tensor = norm(attend(whole)).sigmoid()
    return gate


def unnormed(attend: nn.Module, norm: nn.Module, whole: Tensor) -> Tensor:
    gate: Tensor = attend(whole).sigmoid()
    return gate


def normed_first(attend: nn.Module, norm: nn.Module, whole: Tensor) -> Tensor:
    gate: Tensor = attend(norm(whole)).sigmoid()
    return gate


def normed_last(attend: nn.Module, norm: nn.Module, whole: Tensor) -> Tensor:
    gate: Tensor = norm(attend(whole).sigmoid())
    return gate


def no_sigmoid(attend: nn.Module, norm: nn.Module, whole: Tensor) -> Tensor:
    gate: Tensor = norm(attend(whole))
    return gate


def added(deep: Tensor, gate: Tensor, whole: Tensor) -> Tensor:
    return deep * gate + whole


def multiplied(deep: Tensor, gate: Tensor, whole: Tensor) -> Tensor:
    return deep * gate * whole


def beside(deep: Tensor, gate: Tensor, whole: Tensor) -> Tensor:
    return torch.cat([deep * gate, whole.expand_as(deep)], 1)


def scored_first(score: nn.Module, fused: Tensor) -> Tensor:
    return F.interpolate(score(fused), SIZE, mode="bilinear")


def enlarged_first(score: nn.Module, fused: Tensor) -> Tensor:
    scores: Tensor = score(F.interpolate(fused, SIZE, mode="bilinear"))
    return scores


def answer(
    *,
    register: Register = stage_alone,
    gate: Gate = normed,
    join: Join = added,
    finish: Finish = scored_first,
    fused: Callable[[int, int], int] = lambda num_classes, width: 2 * width,
    change: Callable[[Listing], object] = lambda net: None,
) -> Answer:
    def answer(trunk: SmallTrunk, num_classes: int, width: int) -> nn.Module:
        net = Listing(trunk, num_classes, width, register=register, gate=gate, join=join, finish=finish, fused=fused)
        change(net)
        return net

    return answer


def without_norm(net: Listing) -> None:
    net.norm = nn.Identity()


def in_classes(num_classes: int, width: int) -> int:
    return num_classes
