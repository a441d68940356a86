"""A copy of a model made as fast as this machine can run it, and how far its answers then are from the model's own."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor, nn

from segedu.inference import device_of, inference, outputs_of
from segedu.profile.folding import fold_batch_norms
from segedu.profile.prepared import Prepared, Replayed
from segedu.profile.tap_products import multiply_taps
from segedu.profile.timing import milliseconds

HALVES = (torch.bfloat16, torch.float16)
COMPILED, CAPTURED = "torch.compile", "CUDA graph"
LAYOUTS = (torch.contiguous_format, torch.channels_last)


@dataclass(frozen=True)
class Optimized:
    """``model``, what was ``applied`` to the one given, and what that gains and costs on the example.

    ``left_out`` says of each combination that was tried and not taken why: the milliseconds that it took, or what
    stopped it. Times are medians, of the given model and of this one, taken in turn. ``deviation`` is the largest
    distance between a score of this model and the same score of the given one, ``largest_score`` the largest magnitude
    among the latter, for scale, and ``changed`` the share of pixels whose label is another.
    """

    model: nn.Module
    applied: tuple[str, ...]
    left_out: Mapping[str, str]
    before_ms: float
    after_ms: float
    deviation: float
    largest_score: float
    changed: float

    def __str__(self) -> str:
        return "\n".join(
            (
                f"applied: {_listed(self.applied)}",
                f"time: {self.before_ms:.1f} ms before, {self.after_ms:.1f} ms after: "
                f"{self.before_ms / self.after_ms:.2f} times as fast",
                f"deviation: at most {self.deviation:.2g}, of scores up to {self.largest_score:.2g}; "
                f"{self.changed:.3%} of the labels change",
                *(f"left out: {names}: {reason}" for names, reason in self.left_out.items()),
            )
        )


def optimize_for_inference(
    model: nn.Module,
    example: Tensor,
    *,
    dtype: torch.dtype | None = None,
    compiler: bool = False,
    repeats: int = 5,
) -> Optimized:
    """Make a faster copy of ``model`` for images like ``example``, ``(N, C, H, W)``, on the device where both lie.

    Batch norms are folded into convolutions. That alone, ``channels_last``, and both in bfloat16 where the device is
    fast at it, are timed in turn with the model itself, ``repeats`` times each, and the fastest is taken: which one
    that is depends on the processor and on the map sizes. In half precision on a CPU, wide-rate convolutions are
    computed by `TapProducts`. On CUDA each is tried as a captured graph too, which spares the launches. With
    ``compiler`` what is laid out ``channels_last`` is also compiled, which takes ten seconds to a minute; without a
    compiler on the machine the result says so and has the rest. ``dtype`` fixes the arithmetic: with ``torch.float32``
    nothing but the rounding differs, while bfloat16 may send SegNet's unpooled values to other places.

    The copy is in evaluation mode, computes without gradients, and gives scores in the images' dtype. It takes every
    size and batch that the model takes, and was chosen for this one; for another, a graph is captured anew and a
    compiled model compiles again. The model given keeps its weights, mode and layout. Raises ``ValueError`` for an
    example that is no batch of images on the model's device, for a model on ``meta``, where there is nothing to time,
    for another ``dtype`` and for ``repeats`` below 1.
    """
    _check(model, example, dtype, repeats)
    candidates, left_out = [], {}
    for candidate in _candidates(model, example, _dtypes(example) if dtype is None else (dtype,), compiler):
        try:
            candidate.model(example)
        except Exception as error:  # no compiler, or a network that it or the capture refuses: it fails in many ways
            if not {COMPILED, CAPTURED}.intersection(candidate.applied):
                raise
            left_out[str(candidate)] = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        else:
            candidates.append(candidate)
    with inference(model):
        given = outputs_of(model, example)["out"]
        before_ms, *times = _medians([model, *(candidate.model for candidate in candidates)], example, repeats)
    after_ms, fastest = min(zip(times, candidates, strict=True), key=itemgetter(0))
    left_out |= {
        str(other): f"{time:.1f} ms" for time, other in zip(times, candidates, strict=True) if other != fastest
    }
    scores = fastest.model(example)["out"]
    return Optimized(
        model=fastest.model,
        applied=fastest.applied,
        left_out=left_out,
        before_ms=before_ms,
        after_ms=after_ms,
        deviation=float((scores - given).abs().max()),
        largest_score=float(given.abs().max()),
        changed=float((_labels(scores) != _labels(given)).double().mean()),
    )


class _Candidate(NamedTuple):
    applied: tuple[str, ...]
    model: Prepared

    def __str__(self) -> str:
        return _listed(self.applied)


def _candidates(
    model: nn.Module, example: Tensor, dtypes: Sequence[torch.dtype], compiler: bool
) -> Iterator[_Candidate]:
    """Every way that is worth timing here, each of them a copy of its own."""
    folded = copy.deepcopy(model).eval().requires_grad_(False)
    count = fold_batch_norms(folded, example)
    norms = [f"{count} batch norms folded"] * (count > 0)
    choices = [(dtype, layout) for dtype in dtypes for layout in LAYOUTS if dtype not in HALVES or layout != LAYOUTS[0]]
    for dtype, layout in choices:
        network = copy.deepcopy(folded).to(dtype).to(memory_format=layout)
        applied = norms + [_short(dtype)] * (dtype != example.dtype) + [_short(layout)] * (layout != LAYOUTS[0])
        if dtype in HALVES and example.device.type == "cpu" and (wide := multiply_taps(network)):
            applied.append(f"{wide} wide-rate convolutions as products")
        yield _Candidate(tuple(applied), Prepared(network, dtype, layout))
        if example.device.type == "cuda":
            yield _Candidate((*applied, CAPTURED), Prepared(network, dtype, layout, Replayed(network)))
        if compiler and layout != LAYOUTS[0]:
            network = copy.deepcopy(network)
            network.compile(options={"freezing": True} if example.device.type == "cpu" else {})
            yield _Candidate((*applied, COMPILED), Prepared(network, dtype, layout))


def _dtypes(example: Tensor) -> tuple[torch.dtype, ...]:
    """The example's own, and bfloat16 beside float32 where it may be faster."""
    own = example.dtype
    return (own, torch.bfloat16) if own == torch.float32 and _fast_in_bfloat16(example.device) else (own,)


def _fast_in_bfloat16(device: torch.device) -> bool:
    """Whether to try: without the instructions a CPU can take a hundred times as long, a GPU before Ampere ten."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _medians(models: Sequence[nn.Module], images: Tensor, repeats: int) -> list[float]:
    """Milliseconds of each, called in turn, so that whatever else the machine does falls on all of them."""
    rounds = [[milliseconds(partial(model, images), images.device)[0] for model in models] for _ in range(repeats)]
    return [median(times) for times in zip(*rounds, strict=True)]


def _labels(scores: Tensor) -> Tensor:
    """The class of every pixel; of a single score, which side of 0 it lies on: ``(N, K, H, W) -> (N, H, W)``."""
    return scores.argmax(1) if scores.shape[1] > 1 else scores[:, 0] > 0


def _check(model: nn.Module, example: Tensor, dtype: torch.dtype | None, repeats: int) -> None:
    device = device_of(model)
    if device.type == "meta":
        raise ValueError("model is on meta, where nothing can be timed; build it on the device that is to run it")
    if not isinstance(example, Tensor) or example.dim() != 4 or not example.is_floating_point():
        what = f"{example.dtype} {tuple(example.shape)}" if isinstance(example, Tensor) else type(example).__name__
        raise ValueError(f"example is {what}, expected a batch of images as the model takes them, floats (N, C, H, W)")
    if example.device != device:
        raise ValueError(
            f"example is on {example.device} but the model on {device}: move it with example.to({str(device)!r})"
        )
    if dtype not in (None, example.dtype, *HALVES):
        raise ValueError(f"dtype is {dtype}; leave it out, or choose {example.dtype} or one of {HALVES}")
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}, expected at least 1")


def _listed(applied: Sequence[str]) -> str:
    return ", ".join(applied) or "nothing"


def _short(choice: torch.dtype | torch.memory_format) -> str:
    return str(choice).removeprefix("torch.")
