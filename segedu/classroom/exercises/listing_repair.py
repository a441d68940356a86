"""Exercise: ``Listing(trunk, num_classes, width)``, repair the BiSeNet that the study notes list (claim B6).

What is looked at is what the module does: which names its weights have and which of them learn, how often it
normalises, how wide and how large the maps are that it makes, and the scores. So any way to write it counts. The
authors' network refines with a batch norm in the gate, adds the global context, fuses in twice ``width`` channels and
scores at 1/8 (section 3 and their code).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from segedu.classroom.exercises import listing_parts as parts
from segedu.classroom.exercises.exercise import Exercise, Hint, Mistake, Observed
from segedu.classroom.exercises.listing_parts import CELLS, CLASSES, DEEP, SIZE, WIDTH, SmallTrunk

NORMS = (torch.batch_norm, F.batch_norm)
CONVOLUTIONS = (torch.conv2d, F.conv2d)


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
        "the number of weights that are registered a second time": torch.tensor(len(names) - len(weights)),
        "the number of weights without a gradient": torch.tensor(sum(one.grad is None for one in weights)),
        "the number of batch norms that run": torch.tensor(watch.norms),
        "the number of convolutions on the full picture": torch.tensor(len(at_full_size)),
        "the list of channels that convolutions read at 1/8": torch.tensor([read for read, _ in at_eighth]),
        "the list of channels that convolutions make at 1/8": torch.tensor([made for _, made in at_eighth]),
        "the list of sides of the scores": torch.tensor(scores.shape),
        "the map of scores": scores.detach(),
    }


def _probes() -> Iterator[tuple[SmallTrunk, int, int]]:
    yield SmallTrunk(), CLASSES, WIDTH


listing = Exercise(
    solution=parts.answer(),
    mistakes=(
        Mistake(
            parts.answer(gate=parts.unnormed),
            "one fault is left: the gate's batch norm is made and never called. Its weights have no gradient, and a "
            "run on several GPUs stops there. Call it between the 1x1 convolution and the sigmoid.",
        ),
        Mistake(
            parts.answer(gate=parts.unnormed, change=parts.without_norm),
            "the idle batch norm is gone; in the paper's attention refinement it is there: 1x1 convolution, batch "
            "norm, sigmoid. Call it.",
        ),
        Mistake(
            parts.answer(gate=parts.normed_first),
            "the batch norm stands before the 1x1 convolution of the gate; the order is 1x1 convolution, batch norm, "
            "sigmoid.",
        ),
        Mistake(
            parts.answer(gate=parts.normed_last),
            "the batch norm stands after the sigmoid, so the gate is no longer between 0 and 1; the order is 1x1 "
            "convolution, batch norm, sigmoid.",
        ),
        Mistake(
            parts.answer(gate=parts.no_sigmoid), "the gate has lost its sigmoid, so it is no longer between 0 and 1."
        ),
        Mistake(
            parts.answer(join=parts.multiplied),
            "one fault is left: the global context multiplies the map. A mean near zero wipes a channel out and a "
            "large one blows it up. The authors add it.",
        ),
        Mistake(
            parts.answer(join=lambda deep, gate, whole: (deep + whole) * gate),
            "the gate weighs the global context as well: it is added before the gate, or taken from the refined map. "
            "It is the mean of the trunk's own map, added to the refined one.",
        ),
        Mistake(
            parts.answer(join=lambda deep, gate, whole: deep * gate),
            "the global context is gone. It is not to be multiplied, but it is to be added.",
        ),
        Mistake(
            parts.answer(join=parts.beside),
            "the global context stands beside the map, in channels of its own. That is DeepLab v3's way; the authors "
            "of BiSeNet add it.",
        ),
        Mistake(
            parts.answer(register=parts.with_classifier),
            "one fault is left: the trunk's classifier is still registered. It is never called: weights without a "
            "gradient, 513,000 of them in ResNet-18. Keep trunk.stage alone.",
        ),
        Mistake(
            parts.answer(register=parts.twice),
            "one fault is left: the stage is registered under two names, so a checkpoint holds it twice. Keep one.",
        ),
        Mistake(
            parts.answer(register=parts.whole_trunk),
            "the trunk is still registered whole, beside its stage: two names for one weight, and a classifier that "
            "nobody calls. Keep trunk.stage alone.",
        ),
        Mistake(
            parts.answer(fused=parts.in_classes),
            "one fault is left: the two paths are mixed into one channel a class. That is a bottleneck before the "
            "scores; the docstring asks for 2 * width channels.",
        ),
        Mistake(
            parts.answer(fused=lambda num_classes, width: width),
            "the two paths are mixed into width channels; the docstring asks for 2 * width, as many as the two paths "
            "have together in the authors' network.",
        ),
        Mistake(
            parts.answer(finish=parts.enlarged_first),
            "one fault is left: the scores are made after the enlargement, at 64 times the work and with the same "
            "result. Score first, enlarge last.",
        ),
        Mistake(
            parts.answer(finish=lambda score, fused: F.interpolate(score(fused), SIZE)),
            "the scores are enlarged by repeating cells; use mode='bilinear'.",
        ),
        Mistake(
            parts.answer(
                finish=lambda score, fused: F.interpolate(score(fused), SIZE, mode="bilinear", align_corners=True)
            ),
            "the last interpolation aligns the corners' centres and the other one does not. Leave align_corners out, "
            "as the given code does.",
        ),
        Mistake(
            parts.answer(finish=lambda score, fused: score(fused)), "the scores stay at 1/8: enlarge them to size."
        ),
    ),
    probes=_probes,
    observe=_effect,
    learnt=(
        "six faults, and none of them stops a run. Two waste weights, one wastes work, three change what is learnt; "
        "each would have been seen by counting: names, gradients, multiply-adds, channels."
    ),
    given=parts.answer(
        register=parts.whole_trunk,
        gate=parts.unnormed,
        join=parts.multiplied,
        finish=parts.enlarged_first,
        fused=parts.in_classes,
    ),
)
