"""Verdicts on the notes' claims, computed from what a lesson has measured and never written by hand.

A lesson hands its measurements to :func:`judge` as evidence and prints the table with :func:`verdicts`. The texts of
evidence hold inequalities with their margins, not figures, so the table comes out the same on every machine.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean, stdev

from segedu.classroom import display, verdict_table
from segedu.classroom.notes import CLAIMS, Claim
from segedu.classroom.verdict import Evidence, Verdict

__all__ = ["Evidence", "Verdict", "descends", "descends_by_factor", "judge", "ordered", "seen", "spread", "verdicts"]

_judged: dict[str, Verdict] = {}


def judge(id: str, *evidence: Evidence) -> Verdict:
    """Compute the verdict on claim ``id`` and keep it for :func:`verdicts`.

    All core evidence has to hold, or the claim is refuted. A part of its scope that fails, or that could only be cited,
    leaves it at "holds with limits". Raises ``ValueError`` for an unknown id or when nothing that the claim says was
    measured.
    """
    verdict = Verdict(_claim(id), evidence)
    if not any(one.role == "core" for one in evidence):
        raise ValueError(
            f"claim {id} has no core evidence; a verdict needs at least one measurement of what the claim says"
        )
    _judged[id] = verdict
    return verdict


def verdicts(*ids: str) -> None:
    """Show the table claim, measured, verdict for ``ids``; raises ``ValueError`` for a claim not yet judged.

    A notebook stores the same beside the table as data, from which the course's ledger is gathered.
    """
    missing = [id for id in ids if _claim(id).id not in _judged]
    if missing:
        raise ValueError(f"no verdict yet on {', '.join(missing)}; run the cells above that judge them")
    rows = [_judged[id] for id in ids]
    display.show(
        verdict_table.plain(rows), html=verdict_table.html(rows), data={verdict_table.MIME: verdict_table.record(rows)}
    )


def ordered(higher: Sequence[float], lower: Sequence[float], margin: float) -> bool:
    """Whether ``higher`` exceeds ``lower`` by more than ``margin`` with every seed, the seeds compared in pairs.

    Raises ``ValueError`` for fewer than three seeds, unequal numbers of seeds, a negative margin or a value that is not
    finite.
    """
    if len(higher) != len(lower) or len(higher) < 3:
        raise ValueError(f"{len(higher)} values against {len(lower)}; give one of each for at least three seeds")
    if margin < 0 or not all(map(math.isfinite, (*higher, *lower, margin))):
        raise ValueError(f"margin {margin} and all values have to be finite, and the margin not negative")
    return all(float(a) - float(b) > margin for a, b in zip(higher, lower, strict=True))


def descends(quantity: str, values: Mapping[str, Sequence[float]], *, margin: float, role: str = "core") -> Evidence:
    """Evidence that ``quantity`` falls from each name to the next by more than ``margin`` with every seed.

    ``values`` maps a name to one value a seed. The sentence and its truth come from the same arguments.
    """
    steps = list(pairwise(values.values()))
    if not steps:
        raise ValueError(f"values has {len(values)} name; an order needs at least two")
    seeds = len(steps[0][0])
    text = f"{quantity}: {' > '.join(values)}, each step by more than {margin:g} with each of {seeds} seeds"
    return Evidence(text, all(ordered(a, b, margin) for a, b in steps), role)


def descends_by_factor(quantity: str, values: Mapping[str, float], *, factor: float, role: str = "core") -> Evidence:
    """Evidence that ``quantity``, one positive value a name, falls from each to the next by more than ``factor``."""
    steps = list(pairwise(values.values()))
    if not steps or factor < 1 or not all(value > 0 for value in values.values()):
        raise ValueError(
            f"factor is {factor} for {dict(values)}; give two or more positive values and a factor of at least 1"
        )
    text = f"{quantity}: {' > '.join(values)}, each step by a factor of more than {factor:g}"
    return Evidence(text, all(float(a) > factor * float(b) for a, b in steps), role)


def seen(facts: Mapping[str, bool], data: str) -> None:
    """Print each sentence that was measured to hold on the pictures that ``data`` names.

    The prose of a lesson is written for the painted streets. There a sentence that does not hold stops the lesson with
    an ``AssertionError``; of other pictures it is printed that it does not hold on them, and the lesson goes on.
    """
    for sentence, holds in facts.items():
        if not holds and data == "streets":
            raise AssertionError(f"not so any more: {sentence}")
        print(sentence if holds else f"not on {data}: {sentence}")


def spread(values: Sequence[float], digits: int = 3) -> str:
    """``mean ± sd (n seeds)``, sd of a sample. It varies between machines: print it only where output is ignored."""
    return f"{mean(values):.{digits}f} ± {stdev(values):.{digits}f} ({len(values)} seeds)"


def _claim(id: str) -> Claim:
    if id not in CLAIMS:
        raise ValueError(f"no claim is called {id!r}; the notes have {', '.join(CLAIMS)}")
    return CLAIMS[id]
