"""The dials of a painter, checked at the boundary."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any


def require_in_range(dials: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Check every field of the dataclass ``dials`` against its range, whole numbers where its default is one.

    Raises ``TypeError`` for a dial that is not a number (or not an integer, where it must be), ``ValueError`` for one
    out of range.
    """
    for field in fields(dials):
        value, (low, high) = getattr(dials, field.name), ranges[field.name]
        kinds = (int,) if isinstance(field.default, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            expected = "an integer" if kinds == (int,) else "a number"
            raise TypeError(f"{field.name} is {value!r}, expected {expected} from {low} to {high}")
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(f"{field.name}={value} is out of range, expected {low} to {high}")
