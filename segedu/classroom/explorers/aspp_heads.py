"""The heads that the ASPP explorer shows: their branches on a map, and the settings of the papers."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from segedu.receptive_field.taps import ValidTaps, valid_taps

RATES = ("rate1", "rate2", "rate3", "rate4")


@dataclass(frozen=True)
class Pyramid:
    """The branches that read a square map of ``size`` cells side by side: those of DeepLab ``head`` v2 or v3."""

    head: str
    size: int
    rates: tuple[int, ...]

    @cached_property
    def branches(self) -> tuple[ValidTaps, ...]:
        """One for each kernel: in v3 the 1x1 first, then the 3x3 at each rate."""
        pointwise = [valid_taps(self.size, rate=1, kernel=1)] if self.head == "v3" else []
        return (*pointwise, *(valid_taps(self.size, rate) for rate in self.rates))


class Preset(NamedTuple):
    """A head of one of the papers, with the map that its pictures make."""

    head: str
    size: int
    rates: tuple[int, ...]
    about: str

    @property
    def state(self) -> dict[str, Any]:
        """What the explorer's controls are set to; a fourth rate of 0 is a branch that is not there."""
        return {"head": self.head, "size": self.size} | dict(zip(RATES, (*self.rates, 0), strict=False))


PRESETS = {
    "v3, stride 16": Preset("v3", 33, (6, 12, 18), "513 pixels at output stride 16"),
    "v3, stride 8": Preset("v3", 65, (12, 24, 36), "The same pictures at output stride 8: all rates double"),
    "v3 + rate 24": Preset("v3", 33, (6, 12, 18, 24), "At output stride 16 with a fourth rate, which did not help"),
    "v2": Preset("v2", 41, (6, 12, 18, 24), "ASPP-L: 321 pixels at output stride 8, four branches summed"),
}
