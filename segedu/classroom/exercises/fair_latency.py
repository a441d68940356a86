"""Exercise: ``fair_latency(times, warmup)``, the one number to report of many timings.

``times`` are milliseconds of one call after the other. The first ``warmup`` calls are no measurement: memory is taken,
kernels are chosen. Of the rest report the median, half of which lies on each side; of an even number the mean of the
middle two.
"""

from collections.abc import Callable
from statistics import mean, median, median_high, median_low

from segedu.classroom.exercises.exercise import Answer, Exercise, Mistake, one_number

Times = list[float]


def _after_warmup(summary: Callable[[Times], float]) -> Answer:
    return lambda times, warmup: summary(times[warmup:])


def _middle_as_it_came(times: Times) -> float:
    """The middle of an unsorted list."""
    half = len(times) // 2
    return times[half] if len(times) % 2 else (times[half - 1] + times[half]) / 2


def _probes() -> list[tuple[Times, int]]:
    """Odd and even numbers, an outlier, timings out of order, no warm-up, and a first call that was the fastest."""
    return [
        ([90.0, 21.0, 20.0, 22.0, 24.0, 20.5], 1),
        ([150.0, 60.0, 31.0, 30.0, 95.0, 29.0], 2),
        ([12.0, 10.0, 11.0, 64.0], 0),
        ([70.0, 41.0, 48.0, 40.0, 44.0, 90.0, 42.0, 43.0], 1),
        ([33.0, 30.0, 8.0], 2),
        ([9.0, 20.0, 22.0, 21.0], 1),
    ]


fair_latency = Exercise(
    solution=_after_warmup(median),
    mistakes=(
        Mistake(
            lambda times, warmup: median(times),
            "the first calls are among them. They pay for what later calls find ready: leave warmup of them out.",
        ),
        Mistake(
            _after_warmup(mean),
            "this is the mean. One call during which the machine did something else moves it; the median stays.",
        ),
        Mistake(
            lambda times, warmup: mean(times),
            "this is the mean, and of all calls: the first ones pay for what later calls find ready.",
        ),
        Mistake(
            _after_warmup(min),
            "this is the fastest call. It says how fast the machine can be, which is a fair way to compare two "
            "programs, but nobody waits for the fastest call alone.",
        ),
        Mistake(
            lambda times, warmup: min(times),
            "this is the fastest call: what was possible once, not what to expect.",
        ),
        Mistake(_after_warmup(max), "this is the slowest call: a bound, and mostly somebody else's work."),
        Mistake(
            lambda times, warmup: times[-1],
            "this is the last call. One timing has no middle: it may be the slow one.",
        ),
        Mistake(
            _after_warmup(_middle_as_it_came),
            "this is the middle of the list as it came. The median is the middle by size: sort first.",
        ),
        Mistake(
            _after_warmup(median_low),
            "of an even number of timings the lower of the middle two is taken; take the mean of both.",
        ),
        Mistake(
            _after_warmup(median_high),
            "of an even number of timings the upper of the middle two is taken; take the mean of both.",
        ),
        Mistake(
            lambda times, warmup: median(times[: len(times) - warmup]),
            "the last calls are left out in place of the first.",
        ),
        Mistake(
            lambda times, warmup: median(sorted(times)[: len(times) - warmup]),
            "the slowest calls are left out, wherever they stand. Slow calls after the warm-up are part of the truth.",
        ),
        Mistake(
            lambda times, warmup: median(sorted(times)[warmup:]),
            "the list is sorted before the warm-up is left out, so the fastest calls go. Leave out, then sort.",
        ),
        Mistake(
            lambda times, warmup: median(times[warmup + 1 :]) if times[warmup + 1 :] else times[-1] + 1,
            "one call too many is left out: times[warmup:] begins after the first warmup calls.",
        ),
        Mistake(
            lambda times, warmup: median(times[warmup:]) / 1000,
            "this is in seconds; the timings are in milliseconds, and so is the answer.",
        ),
        Mistake(
            lambda times, warmup: 1000 / median(times[warmup:]),
            "this is the number of pictures a second. It is a rate; report the time.",
        ),
    ),
    probes=_probes,
    observe=one_number,
    learnt=(
        "a median after a warm-up. Report the spread beside it, the threads, the size of the picture and where the "
        "clock stopped, or nobody can compare."
    ),
)
