"""Exercise: ``Listing(trunk, num_classes, width)``, repair the BiSeNet that the study notes list (claim B6).

What is looked at is what the module does: which names its weights have and which of them learn, how often it
normalises, how wide and how large the maps are that it makes, and the scores. So any way to write it counts. The
authors' network refines with a batch norm in the gate, adds the global context, fuses in twice ``width`` channels and
scores at 1/8 (section 3 and their code).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from segedu.classroom.exercises.exercise import Answer, Exercise, Hint, Mistake, Observed

DEEP, WIDTH, CLASSES = 3, 4, 2
CELLS, SIZE = (4, 6), (32, 48)  # the maps at 1/8, and the picture
NORMS = (torch.batch_norm, F.batch_norm)
CONVOLUTIONS = (torch.conv2d, F.conv2d)

Join = Callable[[Tensor, Tensor, Tensor], Tensor]
Finish = Callable[[nn.Module, Tensor], Tensor]


class SmallTrunk(nn.Module):
    """Of a classifier: ``stage`` makes 1/16 from 1/8, and ``fc`` is the classifier that a segmenter does not need."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = nn.Conv2d(DEEP, DEEP, 3, stride=2, padding=1)
        self.fc = nn.Linear(DEEP, 5)


class _Watch(TorchFunctionMode):
    """Counts the batch norms that run, and notes the maps that convolutions make."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = 0
        self.read: list[int] = []
        self.made: list[torch.Size] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self.norms += func in NORMS
        if func in CONVOLUTIONS:
            self.read.append(args[0].shape[1])
            self.made.append(out.shape)
        return out


def _effect(returned: Any) -> Observed:
    if not isinstance(returned, nn.Module):
        raise Hint(f"hand over the class, an nn.Module; what it makes here is of type {type(returned).__name__}.")
    returned.eval()
    for parameter in returned.parameters():
        parameter.data.fill_(0.2)
    source = torch.Generator().manual_seed(7)
    detail, early = (torch.randn(2, channels, *CELLS, generator=source) for channels in (WIDTH, DEEP))
    with torch.enable_grad(), _Watch() as watch:
        scores = returned(detail, early, SIZE)
    if not isinstance(scores, Tensor):
        raise Hint(f"forward returns an object of type {type(scores).__name__}; it should return a tensor.")
    scores.sum().backward()  # type: ignore[no-untyped-call]
    weights = list(returned.parameters())
    names = list(returned.named_parameters(remove_duplicate=False))
    at_full_size = [shape for shape in watch.made if shape[-2:] == torch.Size(SIZE)]
    at_eighth = [
        (read, shape[1]) for read, shape in zip(watch.read, watch.made, strict=True) if shape[-2:] == torch.Size(CELLS)
    ]
    return {
        "the number of names that weights have beyond their first": torch.tensor(len(names) - len(weights)),
        "the number of weights without a gradient": torch.tensor(sum(one.grad is None for one in weights)),
        "the number of batch norms that run": torch.tensor(watch.norms),
        "the number of convolutions on the full picture": torch.tensor(len(at_full_size)),
        "the list of channels that convolutions read at 1/8": torch.tensor([read for read, _ in at_eighth]),
        "the list of channels that convolutions make at 1/8": torch.tensor([made for _, made in at_eighth]),
        "the list of sides of the scores": torch.tensor(scores.shape),
        "the map of scores": scores.detach(),
    }


class _Listing(nn.Module):
    """The right answer, or one fault of it: how it is registered, gates, joins, fuses and finishes."""

    def __init__(
        self,
        trunk: SmallTrunk,
        num_classes: int,
        width: int,
        *,
        register: Callable[[nn.Module, SmallTrunk], nn.Module],
        gate: Callable[[nn.Module, nn.Module, Tensor], Tensor],
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


def _stage_alone(net: nn.Module, trunk: SmallTrunk) -> nn.Module:
    return trunk.stage


def _with_classifier(net: nn.Module, trunk: SmallTrunk) -> nn.Module:
    net.fc = trunk.fc
    return trunk.stage


def _twice(net: nn.Module, trunk: SmallTrunk) -> nn.Module:
    net.again = trunk.stage
    return trunk.stage


def _whole_trunk(net: nn.Module, trunk: SmallTrunk) -> nn.Module:
    net.trunk = trunk
    return trunk.stage


def _normed(attend: nn.Module, norm: nn.Module, whole: Tensor) -> Tensor:
    gate: Tensor = norm(attend(whole)).sigmoid()
    return gate


def _unnormed(attend: nn.Module, norm: nn.Module, whole: Tensor) -> Tensor:
    gate: Tensor = attend(whole).sigmoid()
    return gate


def _normed_first(attend: nn.Module, norm: nn.Module, whole: Tensor) -> Tensor:
    gate: Tensor = attend(norm(whole)).sigmoid()
    return gate


def _normed_last(attend: nn.Module, norm: nn.Module, whole: Tensor) -> Tensor:
    gate: Tensor = norm(attend(whole).sigmoid())
    return gate


def _no_sigmoid(attend: nn.Module, norm: nn.Module, whole: Tensor) -> Tensor:
    gate: Tensor = norm(attend(whole))
    return gate


def _added(deep: Tensor, gate: Tensor, whole: Tensor) -> Tensor:
    return deep * gate + whole


def _multiplied(deep: Tensor, gate: Tensor, whole: Tensor) -> Tensor:
    return deep * gate * whole


def _beside(deep: Tensor, gate: Tensor, whole: Tensor) -> Tensor:
    return torch.cat([deep * gate, whole.expand_as(deep)], 1)


def _scored_first(score: nn.Module, fused: Tensor) -> Tensor:
    return F.interpolate(score(fused), SIZE, mode="bilinear")


def _enlarged_first(score: nn.Module, fused: Tensor) -> Tensor:
    scores: Tensor = score(F.interpolate(fused, SIZE, mode="bilinear"))
    return scores


def _answer(
    *,
    register: Callable[[nn.Module, SmallTrunk], nn.Module] = _stage_alone,
    gate: Callable[[nn.Module, nn.Module, Tensor], Tensor] = _normed,
    join: Join = _added,
    finish: Finish = _scored_first,
    fused: Callable[[int, int], int] = lambda num_classes, width: 2 * width,
    change: Callable[[_Listing], object] = lambda net: None,
) -> Answer:
    def answer(trunk: SmallTrunk, num_classes: int, width: int) -> nn.Module:
        net = _Listing(trunk, num_classes, width, register=register, gate=gate, join=join, finish=finish, fused=fused)
        change(net)
        return net

    return answer


def _without_norm(net: _Listing) -> None:
    net.norm = nn.Identity()


def _in_classes(num_classes: int, width: int) -> int:
    return num_classes


def _probes() -> Iterator[tuple[SmallTrunk, int, int]]:
    yield SmallTrunk(), CLASSES, WIDTH


listing = Exercise(
    solution=_answer(),
    mistakes=(
        Mistake(
            _answer(gate=_unnormed),
            "one fault is left: the gate's batch norm is made and never called. Its weights have no gradient, and a "
            "run on several GPUs stops there. Call it between the 1x1 convolution and the sigmoid.",
        ),
        Mistake(
            _answer(gate=_unnormed, change=_without_norm),
            "the idle batch norm is gone; in the paper's attention refinement it is there: 1x1 convolution, batch "
            "norm, sigmoid. Call it.",
        ),
        Mistake(
            _answer(gate=_normed_first),
            "the batch norm stands before the 1x1 convolution of the gate; the order is 1x1 convolution, batch norm, "
            "sigmoid.",
        ),
        Mistake(
            _answer(gate=_normed_last),
            "the batch norm stands after the sigmoid, so the gate is no longer between 0 and 1; the order is 1x1 "
            "convolution, batch norm, sigmoid.",
        ),
        Mistake(_answer(gate=_no_sigmoid), "the gate has lost its sigmoid, so it is no longer between 0 and 1."),
        Mistake(
            _answer(join=_multiplied),
            "one fault is left: the global context multiplies the map. A mean near zero wipes a channel out and a "
            "large one blows it up. The authors add it.",
        ),
        Mistake(
            _answer(join=lambda deep, gate, whole: (deep + whole) * gate),
            "the gate weighs the global context as well: it is added before the gate, or taken from the refined map. "
            "It is the mean of the trunk's own map, added to the refined one.",
        ),
        Mistake(
            _answer(join=lambda deep, gate, whole: deep * gate),
            "the global context is gone. It is not to be multiplied, but it is to be added.",
        ),
        Mistake(
            _answer(join=_beside),
            "the global context stands beside the map, in channels of its own. That is DeepLab v3's way; the authors "
            "of BiSeNet add it.",
        ),
        Mistake(
            _answer(register=_with_classifier),
            "one fault is left: the trunk's classifier is still registered. It is never called: weights without a "
            "gradient, 513,000 of them in ResNet-18. Keep trunk.stage alone.",
        ),
        Mistake(
            _answer(register=_twice),
            "one fault is left: the stage is registered under two names, so a checkpoint holds it twice. Keep one.",
        ),
        Mistake(
            _answer(register=_whole_trunk),
            "the trunk is still registered whole, beside its stage: two names for one weight, and a classifier that "
            "nobody calls. Keep trunk.stage alone.",
        ),
        Mistake(
            _answer(fused=_in_classes),
            "one fault is left: the two paths are mixed into one channel a class. That is a bottleneck before the "
            "scores; the docstring asks for 2 * width channels.",
        ),
        Mistake(
            _answer(fused=lambda num_classes, width: width),
            "the two paths are mixed into width channels; the docstring asks for 2 * width, as many as the two paths "
            "have together in the authors' network.",
        ),
        Mistake(
            _answer(finish=_enlarged_first),
            "one fault is left: the scores are made after the enlargement, at 64 times the work and with the same "
            "result. Score first, enlarge last.",
        ),
        Mistake(
            _answer(finish=lambda score, fused: F.interpolate(score(fused), SIZE)),
            "the scores are enlarged by repeating cells; use mode='bilinear'.",
        ),
        Mistake(
            _answer(finish=lambda score, fused: F.interpolate(score(fused), SIZE, mode="bilinear", align_corners=True)),
            "the last interpolation aligns the corners' centres and the other one does not. Leave align_corners out, "
            "as the given code does.",
        ),
        Mistake(_answer(finish=lambda score, fused: score(fused)), "the scores stay at 1/8: enlarge them to size."),
    ),
    probes=_probes,
    observe=_effect,
    learnt=(
        "six faults, and none of them stops a run. Two waste weights, one wastes work, three change what is learnt; "
        "each would have been seen by counting: names, gradients, multiply-adds, channels."
    ),
    given=_answer(register=_whole_trunk, gate=_unnormed, join=_multiplied, finish=_enlarged_first, fused=_in_classes),
)
