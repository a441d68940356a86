"""The gridding explorer: three dilated layers, the cells that they never read, and what the HDC rule says of them."""

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import ipywidgets

from segedu.classroom.explorers import gridding_picture
from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.scene import Cell, Primitive, Scene
from segedu.receptive_field.coverage import Gridding, gridding, plan

RATES = ("rate1", "rate2", "rate3")
LARGEST_RATE = 12


@dataclass(frozen=True)
class Comparison:
    """The paths of the reader's rates, and of those that `plan` chooses for a field of the same size."""

    chosen: Gridding
    planned: Gridding


class GriddingExplorer(Explorer[Comparison]):
    """Sliders for the rates of three 3x3 layers, stride 1; how many paths lead from each cell to one output unit.

    Beside the reader's rates stand those of `plan`: the fewest layers that read every cell of a field as large.
    """

    lines_of_words: ClassVar[int] = 4

    def __init__(self) -> None:
        look = {"min": 1, "max": LARGEST_RATE, "layout": {"width": "auto"}, "style": {"description_width": "80px"}}
        sliders = [ipywidgets.IntSlider(2, description=f"rate {layer}", **look) for layer in (1, 2, 3)]
        first, second, third = zip(RATES, sliders, strict=True)
        super().__init__(
            "Gridding explorer: how often three dilated layers read each cell", dict([first, second]), dict([third])
        )

    def compute(self, state: State) -> Comparison:
        """Count the paths for the chosen rates and for a plan of the same field."""
        chosen = gridding([state[rate] for rate in RATES])
        return Comparison(chosen, gridding(plan(chosen.size)))

    def draw(self, result: Comparison) -> Scene:
        return gridding_picture.scene(result.chosen, result.planned)

    def marks(self, result: Comparison, scene: Scene, cell: Cell | None) -> list[Primitive]:
        if cell is None:
            return []
        return gridding_picture.marks(result.chosen, result.planned, scene, (cell["row"], cell["col"]))

    def words(self, result: Comparison, scene: Scene, cell: Cell | None) -> str:
        hint = "Point at a cell, or click it to pin it: the paths from there appear."
        return "\n".join(
            [
                _say_coverage(result.chosen),
                _say_rule(result.chosen),
                f"plan({result.chosen.size}) chooses rates {_list(result.planned.rates)}: a field as large from "
                f"{len(result.planned.rates)} layers, every cell read.",
                hint if cell is None else _say_paths(result, cell),
            ]
        )


def routes(found: Gridding, offset: int) -> list[tuple[int, ...]]:
    """Every way to reach an offset from the field's centre along one axis: the step that each layer's tap makes."""
    taps = range(-(found.kernel // 2), found.kernel // 2 + 1)
    steps = product(*([tap * rate for tap in taps] for rate in found.rates))
    return [route for route in steps if sum(route) == offset]


def _say_coverage(found: Gridding) -> str:
    return (
        f"Rates {_list(found.rates)} see a field of {found.size} × {found.size} cells and read {found.reached**2} "
        f"of its {found.size**2}: {gridding_picture.percent(found.coverage)} covered."
    )


def _say_rule(found: Gridding) -> str:
    """The verdict of the HDC rule, whether there are holes, and why."""
    verdict = "pass" if found.hdc_passes else "fail"
    said = f"HDC rule: {_distance(found)}, a {verdict} {'without' if found.coverage == 1 else 'with'} holes"
    reason = _reason(found)
    return f"{said}: {reason}." if reason else f"{said}."


def _reason(found: Gridding) -> str:
    """Why there are holes, or why the rule is wrong; nothing where it is right and no divisor explains the holes."""
    full = found.coverage == 1
    if found.gcd > 1:
        return f"gcd {found.gcd}, so all paths end at multiples of {found.gcd}"
    if found.hdc_passes == full:
        return ""
    if full:
        return f"order moves no path; sorted, {_distance(_sorted(found))}"
    if min(found.rates) > 1:
        return "no rate is 1, so the last cell but one is missed"
    return f"only this order helps; sorted, {_distance(_sorted(found))}"


def _sorted(found: Gridding) -> Gridding:
    return gridding(sorted(found.rates), found.kernel)


def _distance(found: Gridding) -> str:
    return f"M₂ = {found.hdc_distance} {'≤' if found.hdc_passes else '>'} {found.kernel}"


def _say_paths(result: Comparison, cell: Cell) -> str:
    found = {"chosen": result.chosen, "planned": result.planned}[cell["panel"]]
    offsets = [cell[axis] - found.size // 2 for axis in ("row", "col")]
    down, across = (routes(found, offset) for offset in offsets)
    below, beside = (f"{_signed(offset)} {way}" for offset, way in zip(offsets, ("down", "across"), strict=True))
    count = len(down) * len(across)
    paths = f"{len(down)} × {len(across)} = {count} paths"
    if not count:
        return f"{below}, {beside}: {paths}. No steps, one from each layer, add up to it."
    which = "the only path" if count == 1 else f"one of {paths}"
    return f"{_steps(down[0])} = {below}, {_steps(across[0])} = {beside}: {which}."


def _steps(route: tuple[int, ...]) -> str:
    return "".join(map(_signed, route))


def _signed(number: int) -> str:
    return f"{number:+d}".replace("-", "−").replace("+0", "±0")


def _list(rates: tuple[int, ...]) -> str:
    return ", ".join(map(str, rates))
