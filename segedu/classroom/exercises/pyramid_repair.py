"""Exercise: ``ASPP(in_channels, channels, output_stride)``, repair the pyramid that the study notes list (claim D7).

What is looked at is what the module does: the map that it makes, what each branch reads, in which order the branches
are joined and how often, and which output strides it refuses. So any way to write it counts. The paper's pyramid (v3,
section 3.3) has a 1x1 branch, three rates and image pooling, then a 1x1 convolution with batch norm over all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from segedu.classroom.exercises.exercise import Answer, Exercise, Hint, Mistake, Observed
from segedu.layers.aspp import AtrousBranch, ImagePooling, PointBranch

IN_CHANNELS, CHANNELS = 3, 2
MAP = (83, 7)  # rate 36 reads 36 rows from the middle, the mean of the whole map 41
RATES = {8: (12, 24, 36), 16: (6, 12, 18)}
JOINS = (torch.cat, torch.concat, torch.concatenate)
NORMS = (torch.batch_norm, F.batch_norm)

Branch = Callable[[int, int], nn.Module]


class _Watch(TorchFunctionMode):
    """Sees what is concatenated, and how often batch norm is applied."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Sequence[Tensor]] = []
        self.norms = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in JOINS:
            self.seen.append(args[0] if args else (kwargs or {})["tensors"])
        self.norms += func in NORMS
        return func(*args, **(kwargs or {}))


def _effect(returned: Any) -> Observed:
    if not isinstance(returned, nn.Module):
        raise Hint(f"hand over the class, an nn.Module; what it makes here is of type {type(returned).__name__}.")
    returned.eval()
    with torch.no_grad():
        for parameter in returned.parameters():
            parameter.fill_(0.1)
    maps = torch.ones(1, IN_CHANNELS, *MAP, requires_grad=True)
    with torch.enable_grad(), _Watch() as watch:
        values = returned(maps)
    if not isinstance(values, Tensor):
        raise Hint(f"forward returns an object of type {type(values).__name__}; it should return a tensor.")
    if not watch.seen:
        raise Hint("nothing is concatenated: the branches stand side by side, joined by torch.cat along the channels.")
    return {
        f"the list of channels, rows and columns that it makes of a map of {MAP} cells": torch.tensor(values.shape[1:]),
        "the list of how far each joined branch reads, in cells, in their order,": torch.tensor(
            [_reach(branch, maps) for branch in watch.seen[-1]]
        ),
        "the number of concatenations": torch.tensor(len(watch.seen)),
        "the number of batch norms": torch.tensor(watch.norms),
    }


def _reach(branch: Tensor, maps: Tensor) -> int:
    """How many rows from the middle one the value there reads."""
    height, width = branch.shape[-2:]
    (gradient,) = torch.autograd.grad(branch[0, :, height // 2, width // 2].sum(), maps, retain_graph=True)
    rows = gradient[0].abs().sum((0, 2)).nonzero().flatten() - MAP[0] // 2
    return int(rows.abs().max()) if len(rows) else -1


class _Pyramid(nn.Module):
    """The right answer, or one fault of it: other ``branches``, another way to ``join`` them, no projection."""

    def __init__(
        self,
        branches: Sequence[nn.Module],
        project: nn.Module,
        join: Callable[[Sequence[Tensor]], Tensor] = lambda maps: torch.cat([*maps], 1),
    ) -> None:
        super().__init__()
        self.branches, self.project, self.join = nn.ModuleList(branches), project, join

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.project(self.join([branch(x) for branch in self.branches]))
        return joined


def _checked(output_stride: int) -> None:
    if output_stride not in RATES:
        raise ValueError(f"output_stride is {output_stride}; there are rates for 8 and 16")


def _answer(
    *,
    rates: Callable[[int], Sequence[int]] = lambda output_stride: RATES[output_stride],
    order: Callable[[list[nn.Module]], list[nn.Module]] = lambda branches: branches,
    project: Branch = PointBranch,
    atrous: Callable[[int, int, int], nn.Module] = AtrousBranch,
    pooling: Branch = ImagePooling,
    check: Callable[[int], object] = _checked,
    **join: Any,
) -> Answer:
    def answer(in_channels: int, channels: int, output_stride: int) -> nn.Module:
        check(output_stride)
        sized = (in_channels, channels)
        spread = [atrous(*sized, rate) for rate in rates(output_stride)]
        branches = order([PointBranch(*sized), *spread, pooling(*sized)])
        return _Pyramid(branches, project(len(branches) * channels, channels), **join)

    return answer


def _in_a_loop(maps: Sequence[Tensor]) -> Tensor:
    joined = maps[0]
    for one in maps[1:]:
        joined = torch.cat([joined, one], 1)
    return joined


def _image_first(branches: list[nn.Module]) -> list[nn.Module]:
    return [branches[-1], *branches[:-1]]


def _nothing(channels: int, out_channels: int) -> nn.Module:
    return nn.Identity()


def _bare(channels: int, out_channels: int) -> nn.Module:
    return nn.Conv2d(channels, out_channels, 1)


def _undilated(in_channels: int, channels: int, rate: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()
    )


def _else_sixteen(output_stride: int) -> Sequence[int]:
    return RATES.get(output_stride, RATES[16])


def _a_string(output_stride: int) -> None:
    if output_stride not in RATES:
        raise TypeError("exceptions must derive from BaseException")


def _an_assertion(output_stride: int) -> None:
    if output_stride not in RATES:
        raise AssertionError(output_stride)


def _given(in_channels: int, channels: int, output_stride: int) -> NoReturn:
    raise NameError("name 'Norm2d' is not defined")


pyramid = Exercise(
    solution=_answer(),
    mistakes=(
        Mistake(
            _answer(check=_a_string),
            "one fault is left: a string is raised. Only exceptions can be, so Python raises a TypeError about the "
            "raising itself and the message is lost. Raise ValueError(message).",
        ),
        Mistake(
            _answer(check=_an_assertion),
            "one fault is left: a stride without rates ends in an AssertionError, and assertions vanish when Python "
            "runs with -O. Raise ValueError(message).",
        ),
        Mistake(
            _answer(rates=_else_sixteen, check=lambda output_stride: None),
            "one fault is left: a stride without rates is taken like 16. Refuse it with ValueError: rates that do not "
            "fit the grid train without a word and score badly.",
        ),
        Mistake(
            _answer(project=_nothing),
            "one fault is left: the docstring promises a final 1x1 convolution, and forward has none, so five times "
            "as many channels come out as each branch has.",
        ),
        Mistake(
            _answer(project=_bare),
            "one fault is left: the final 1x1 convolution has no batch norm. In the paper every convolution of the "
            "pyramid has one, this one too.",
        ),
        Mistake(
            _answer(order=_image_first),
            "one fault is left: image pooling is joined first. It works, but published weights of the final 1x1 "
            "convolution expect it last: 1x1, the three rates, image pooling.",
        ),
        Mistake(
            _answer(join=_in_a_loop),
            "one fault is left: torch.cat stands in the loop. Each turn copies all that was joined before, four times "
            "for five branches. Collect the branches in a list and join once.",
        ),
        Mistake(
            _answer(rates=lambda output_stride: (6, 12, 18)),
            "the rates are 6, 12, 18 whatever the stride. At output stride 8 a cell is half as wide, so the same "
            "distance in the picture takes twice the rate.",
        ),
        Mistake(
            _answer(rates=lambda output_stride: (12, 24, 36)),
            "the rates are 12, 24, 36 whatever the stride. Those belong to output stride 8; at 16 a cell is twice as "
            "wide, so the rates are half of that.",
        ),
        Mistake(
            _answer(rates=lambda output_stride: RATES[24 - output_stride]),
            "the two strides have changed places. The finer grid, output stride 8, has the larger rates: 12, 24, 36.",
        ),
        Mistake(
            _answer(rates=lambda output_stride: (*RATES[output_stride], 4 * RATES[output_stride][0])),
            "a fourth rate has been added. The paper tried it, 24 at stride 16, and scored worse with it.",
        ),
        Mistake(
            _answer(atrous=_undilated),
            "the 3x3 branches are not dilated: padding and dilation both have to be the rate, or all three see the "
            "same eight neighbours.",
        ),
        Mistake(
            _answer(order=lambda branches: branches[:-1]),
            "image pooling is missing. Where the large rates leave the map, it is the branch that still sees the whole "
            "picture.",
        ),
        Mistake(
            _answer(order=lambda branches: branches[1:]),
            "the 1x1 branch is missing: the view of the cell itself, without its neighbours.",
        ),
    ),
    probes=lambda: [(IN_CHANNELS, CHANNELS, 16), (IN_CHANNELS, CHANNELS, 8), (IN_CHANNELS, CHANNELS, 32)],
    observe=_effect,
    learnt=(
        "five faults, and only two of them stop a run: helpers that are not there and a string that is raised. The "
        "missing projection, the order and the loop run well, and show up where weights are to be loaded, or the bill."
    ),
    given=_given,
)
