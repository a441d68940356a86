"""What a verdict is: sentences that were measured, and the outcome that follows from which of them hold."""

from collections.abc import Iterable
from dataclasses import dataclass

from segedu.classroom.notes import Claim

ROLES = ("core", "scope", "cited")
OUTCOMES = ("holds", "holds with limits", "refuted")


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
        return outcome_of(one.mark for one in self.evidence)


def outcome_of(marks: Iterable[str]) -> str:
    """One of ``OUTCOMES``: a single "no" refutes, and what fails beside the claim or is only cited limits it."""
    seen = set(marks)
    if "no" in seen:
        return "refuted"
    return "holds with limits" if seen & {"limit", "cited"} else "holds"
