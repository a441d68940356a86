"""What a pass through a network costs: multiply-adds can be counted, milliseconds must be measured."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

PASSES, ENOUGH = 5, 300  # runs at most, and milliseconds after which no other begins: a hand is waiting


@dataclass(frozen=True)
class Cost:
    """Multiply-adds of one image, and the milliseconds that it took on this machine; NaN where nobody has measured."""

    macs: int
    milliseconds: float


def milliseconds(run: Callable[[], object]) -> float:
    """How long ``run`` takes, which returns when all is done: the least of a few times, as other work only adds."""
    times: list[float] = []
    while len(times) < PASSES and sum(times) < ENOUGH:
        start = perf_counter()
        run()
        times.append(1e3 * (perf_counter() - start))
    return min(times)
