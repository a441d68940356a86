"""How long an inference takes, as a median with the spread that was seen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import quantiles
from time import perf_counter

import torch
from torch import nn

from segedu.inference import device_of, inference


@dataclass(frozen=True)
class Latency:
    """Milliseconds of a call: the median, and between which two values four calls of five took."""

    median_ms: float
    p10_ms: float
    p90_ms: float

    def __str__(self) -> str:
        return f"{self.median_ms:.1f} ms (p10 {self.p10_ms:.1f}, p90 {self.p90_ms:.1f})"


def latency(
    model: nn.Module,
    size: tuple[int, int],
    *,
    batch_size: int = 1,
    channels: int = 3,
    threads: int | None = None,
    repeats: int = 20,
    warmup: int = 3,
    device: torch.device | str | None = None,
) -> Latency:
    """Time the model's inference on images ``(batch_size, channels, H, W)`` of the given device.

    The device is the model's own unless named; a model is never moved. CUDA is timed by events on the device, so the
    time of Python's launches hides behind the work as it does in use; elsewhere the clock runs from call to finished
    result. ``threads`` sets the CPU threads for the measurement alone. Raises ``ValueError`` for ``repeats`` below 2.
    """
    if repeats < 2 or warmup < 0:
        raise ValueError(
            f"repeats is {repeats} and warmup {warmup}, expected at least 2 repeats and no negative warm-up"
        )
    device = device_of(model) if device is None else torch.device(device)
    if device.type != device_of(model).type:
        raise ValueError(
            f"device is {device} but the model lies on {device_of(model)}: move it with model.to({str(device)!r})"
        )
    images = torch.randn(batch_size, channels, *size, device=device)
    with inference(model), _threads(threads):
        for _ in range(warmup):
            model(images)
        times = milliseconds(lambda: model(images), device, repeats)
    tenths = quantiles(times, n=10, method="inclusive")
    return Latency(median_ms=tenths[4], p10_ms=tenths[0], p90_ms=tenths[8])


def milliseconds(run: Callable[[], object], device: torch.device, repeats: int = 1) -> list[float]:
    """How long each of ``repeats`` calls took on ``device``: by CUDA's events there, by the clock elsewhere."""
    return (_by_events if device.type == "cuda" else _by_clock)(run, repeats, device)


def _by_events(run: Callable[[], object], repeats: int, device: torch.device) -> list[float]:
    with torch.cuda.device(device):
        marks = [tuple(torch.cuda.Event(enable_timing=True) for _ in range(2)) for _ in range(repeats)]  # type: ignore[no-untyped-call]
        for start, end in marks:
            start.record()
            run()
            end.record()
        torch.cuda.synchronize()
    return [start.elapsed_time(end) for start, end in marks]


def _by_clock(run: Callable[[], object], repeats: int, device: torch.device) -> list[float]:
    finish = torch.mps.synchronize if device.type == "mps" else lambda: None
    times = []
    for _ in range(repeats):
        finish()
        start = perf_counter()
        run()
        finish()
        times.append(1e3 * (perf_counter() - start))
    return times


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(before if count is None else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
