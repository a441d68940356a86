"""What one value reads through a stack of dilated layers, along one axis: a tree whose leaves are the pixels."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from segedu.classroom.colours import NOW, REST
from segedu.classroom.figures import INK, figure
from segedu.receptive_field import gridding

DOT, FAINT = 5.0, "#9A9A9A"


def read_trees(*stacks: Sequence[int], kernel: int = 3) -> None:
    """Draw stacks of dilated layers side by side: rates from the picture up, one output at the top.

    A filled dot is a value that the output depends on, a hollow one is passed over. All stacks share one scale.
    """
    fields = [gridding(rates, kernel) for rates in stacks]
    reach = max(field.size for field in fields) // 2
    with figure(_words(stacks, kernel), height=60 + 70 * max(map(len, stacks)) + 40) as canvas:
        axes = canvas.subplots(1, len(stacks), squeeze=False)[0]
        for axis, rates, field in zip(axes, stacks, fields, strict=True):
            _tree(axis, rates, kernel, reach)
            axis.set_title(f"rates {', '.join(map(str, rates))}: reads {field.reached} of {field.size}")


def _tree(axis: Axes, rates: Sequence[int], kernel: int, reach: int) -> None:
    """Values at height ``i`` are those after layer ``i``; height 0 is the picture."""
    offsets = [tap - (kernel - 1) // 2 for tap in range(kernel)]
    needed = {0}
    for height, rate in reversed(list(enumerate(rates, 1))):
        below = {value + rate * offset for value in needed for offset in offsets}
        for value in needed:
            for offset in offsets:
                axis.plot([value, value + rate * offset], [height, height - 1], color=REST, linewidth=0.8, zorder=1)
        _dots(axis, height, needed, reach)
        axis.text(reach + 1.5, height - 0.5, f"rate {rate}", va="center", color=INK, fontsize=10)
        needed = below
    _dots(axis, 0, needed, reach)
    axis.text(reach + 1.5, 0, "pixels", va="center", color=INK, fontsize=10)
    axis.set(xlim=(-reach - 1, reach + 6), ylim=(-0.4, len(rates) + 0.4))
    axis.set_axis_off()


def _dots(axis: Axes, height: int, needed: set[int], reach: int) -> None:
    others = [value for value in range(-reach, reach + 1) if value not in needed]
    axis.plot(others, [height] * len(others), "o", markersize=DOT, color="white", markeredgecolor=FAINT, zorder=2)
    axis.plot(sorted(needed), [height] * len(needed), "o", markersize=DOT + 1, color=NOW, zorder=3)


def _words(stacks: Sequence[Sequence[int]], kernel: int) -> str:
    parts = []
    for rates in stacks:
        field = gridding(rates, kernel)
        rest = "all of them" if field.reached == field.size else f"{field.reached} of them, with holes between"
        parts.append(f"rates {', '.join(map(str, rates))} span {field.size} pixels and read {rest}")
    return f"what one value reads through {len(stacks[0])} layers: {'; '.join(parts)}."
