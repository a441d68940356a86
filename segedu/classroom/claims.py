"""Verdicts on the notes' claims, computed from what a lesson has measured and never written by hand.

A lesson hands its measurements to :func:`judge` as evidence and prints the table with :func:`verdicts`. The texts of
evidence hold inequalities with their margins, not figures, so the table comes out the same on every machine.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise, zip_longest
from statistics import mean, stdev
from textwrap import TextWrapper

from segedu.classroom import display
from segedu.classroom.notes import CLAIMS, Claim

ROLES = ("core", "scope", "cited")
COLUMNS = (("claim", 32), ("measured", 45), ("verdict", 17))  # 100 characters with the two rules between them


@dataclass(frozen=True)
class Evidence:
    """One measured sentence and whether it ``holds``.

    ``role="core"``: what the claim says. ``role="scope"``: how far it reaches; a claim may fail here and still be right
    within limits. ``role="cited"``: a published result that the lesson cannot measure, shown without ``holds`` and
    never counted.
    """

    text: str
    holds: bool | None = None
    role: str = "core"

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role is {self.role!r}; it is one of {', '.join(map(repr, ROLES))}")
        if (self.holds is None) != (self.role == "cited"):
            raise ValueError(
                f"holds is {self.holds} for {self.role} evidence {self.text!r}; "
                "measured evidence needs True or False, cited evidence takes neither"
            )
        if self.holds is not None and not isinstance(self.holds, bool):
            raise TypeError(f"holds is {self.holds!r} for {self.text!r}, expected True or False: use bool(a > b)")

    @property
    def mark(self) -> str:
        """The word that stands before the sentence in a table: yes, no, limit or cited."""
        if self.holds is None:
            return "cited"
        return "yes" if self.holds else {"core": "no", "scope": "limit"}[self.role]


@dataclass(frozen=True)
class Verdict:
    """A claim, the evidence on it, and the ``outcome`` that follows: holds, holds with limits, or refuted."""

    claim: Claim
    evidence: tuple[Evidence, ...]

    @property
    def outcome(self) -> str:
        marks = {one.mark for one in self.evidence}
        if "no" in marks:
            return "refuted"
        return "holds with limits" if marks & {"limit", "cited"} else "holds"


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
    """Show the table claim, measured, verdict for ``ids``; raises ``ValueError`` for a claim not yet judged."""
    missing = [id for id in ids if _claim(id).id not in _judged]
    if missing:
        raise ValueError(f"no verdict yet on {', '.join(missing)}; run the cells above that judge them")
    rows = [_judged[id] for id in ids]
    display.show(_plain(rows), html=_html(rows))


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


def spread(values: Sequence[float], digits: int = 3) -> str:
    """``mean ± sd (n seeds)``, sd of a sample. It varies between machines: print it only where output is ignored."""
    return f"{mean(values):.{digits}f} ± {stdev(values):.{digits}f} ({len(values)} seeds)"


def _claim(id: str) -> Claim:
    if id not in CLAIMS:
        raise ValueError(f"no claim is called {id!r}; the notes have {', '.join(CLAIMS)}")
    return CLAIMS[id]


def _plain(rows: Sequence[Verdict]) -> str:
    lines = [_row([name] for name, _ in COLUMNS)]
    for verdict in rows:
        claim = _wrap(f"{verdict.claim.id}  {verdict.claim.statement}", COLUMNS[0][1], indent=4)
        measured = [
            line for one in verdict.evidence for line in _wrap(f"{one.mark:<6}{one.text}", COLUMNS[1][1], indent=6)
        ]
        lines += ["-+-".join("-" * width for _, width in COLUMNS), _row((claim, measured, [verdict.outcome]))]
    return "\n".join(lines)


def _wrap(text: str, width: int, indent: int) -> list[str]:
    """Lines of ``width``; a name such as FCN-8s stays in one piece."""
    return TextWrapper(width, subsequent_indent=" " * indent, break_on_hyphens=False).wrap(text)


def _row(cells: Iterable[Sequence[str]]) -> str:
    """Columns of wrapped lines, side by side."""
    return "\n".join(
        " | ".join(text.ljust(width) for text, (_, width) in zip(line, COLUMNS, strict=True)).rstrip()
        for line in zip_longest(*cells, fillvalue="")
    )


def _html(rows: Sequence[Verdict]) -> str:
    left = ' style="text-align: left; vertical-align: top"'
    body = "".join(
        f"<tr><td{left}><b>{verdict.claim.id}</b> {escape(verdict.claim.statement)}</td><td{left}>"
        + "<br>".join(f"<b>{one.mark}</b> {escape(one.text)}" for one in verdict.evidence)
        + f"</td><td{left}><b>{verdict.outcome}</b></td></tr>"
        for verdict in rows
    )
    head = "".join(f'<th scope="col"{left}>{name}</th>' for name, _ in COLUMNS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
