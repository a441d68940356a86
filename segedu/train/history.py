"""What a training run did: one record a step."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["History", "Record"]


@dataclass(frozen=True)
class Record:
    """One finished step, as callbacks receive it.

    ``step`` counts from 1 to ``steps``; ``loss`` is the mean over the batch's valid pixels before the update, ``lr``
    the rate of that update, ``grad_norm`` the length of the gradient before clipping; ``scores`` are the validation
    scores measured after it, where there was a validation.
    """

    step: int
    steps: int
    loss: float
    lr: float
    grad_norm: float
    scores: Mapping[str, Any] | None = None

    @property
    def finite(self) -> bool:
        """Whether loss and gradient are: only then was the update made."""
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


@dataclass
class History:
    """Loss, learning rate and gradient norm of every step, and the validation scores by step (counted from 1)."""

    loss: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    grad_norm: list[float] = field(default_factory=list)
    validation: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return len(self.loss)

    def append(self, record: Record) -> None:
        """Add the next step's record."""
        self.loss.append(record.loss)
        self.lr.append(record.lr)
        self.grad_norm.append(record.grad_norm)
        if record.scores is not None:
            self.validation[record.step] = dict(record.scores)

    def to_dict(self) -> dict[str, Any]:
        """Lists and numbers that JSON holds (its keys are strings)."""
        return {
            "loss": list(self.loss),
            "lr": list(self.lr),
            "grad_norm": list(self.grad_norm),
            "validation": {str(step): dict(scores) for step, scores in self.validation.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "History":
        """The inverse of ``to_dict``."""
        return cls(
            list(values["loss"]),
            list(values["lr"]),
            list(values["grad_norm"]),
            {int(step): dict(scores) for step, scores in values["validation"].items()},
        )
