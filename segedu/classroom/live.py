"""Watch a training run: loss and validation mIoU drawn while ``fit`` is at work.

The picture is SVG in an ``HTML`` widget that is replaced a few times a second. It takes its colours from JupyterLab's
theme, so it reads in light and dark, and adds nothing to the cell's output, which therefore stays comparable.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from segedu.classroom.colours import NOW, REST
from segedu.train.history import Record

__all__ = ["LivePlot", "draw"]

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT, MARGIN = 840, 260, 44  # of the picture, and of a panel's axes from its edge
PANEL = WIDTH // 2
TEXT = "var(--jp-ui-font-color1, #616161)"
GRID = "var(--jp-border-color2, #9e9e9e)"


class LivePlot:
    """A callback for ``fit(..., on_step=plot)``; show ``plot.widget`` in a cell before the training starts.

    The picture is redrawn at most every ``seconds``, at every validation and after the last step.
    """

    def __init__(self, seconds: float = 0.25, clock: Callable[[], float] = time.monotonic) -> None:
        self.widget = Picture(draw([], [], 0))
        self.loss: list[tuple[float, float]] = []
        self.mean_iou: list[tuple[float, float]] = []
        self._seconds, self._clock = seconds, clock
        self._next_time = clock()

    def __call__(self, step: int, record: Record) -> None:
        """Take in one step."""
        self.loss.append((step, record.loss))
        if record.scores is not None:
            self.mean_iou.append((step, 100 * record.scores["mean_iou"]))
        if record.scores is not None or step == record.steps or self._clock() >= self._next_time:
            self.widget.value = draw(self.loss, self.mean_iou, record.steps)
            self._next_time = self._clock() + self._seconds


class Picture(ipywidgets.HTML):  # type: ignore[misc]
    """A widget whose place is held by a sentence where no widget can live."""

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": "Training loss and validation mIoU, drawn as they come (run this cell to see)"}


def draw(loss: Points, mean_iou: Points, steps: int) -> str:
    """The picture as SVG: the loss on the left, the validation mIoU in per cent on the right, over ``steps`` steps."""
    top = max((value for _, value in loss), default=1.0) or 1.0
    losses = _panel(0, "loss", "training loss", thinned(loss), steps, top, REST)
    ious = _panel(PANEL, "mIoU", "validation mIoU, per cent", mean_iou, steps, 100.0, NOW, dots=True)
    words = ", ".join(f"{name} {points[-1][1]:.3g}" for name, points in (("loss", loss), ("mIoU", mean_iou)) if points)
    title = f"step {loss[-1][0]:.0f} of {steps}: {words}" if loss else "no step yet"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" style="max-width:{WIDTH}px" role="img" '
        f'font-family="sans-serif" font-size="13" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{title}</title>{losses}{ious}</svg>"
    )


def thinned(points: Points, most: int = 240) -> Points:
    """At most ``most`` points: the means of equal runs of them."""
    run = -(-len(points) // most)
    if run <= 1:
        return points
    groups = [points[at : at + run] for at in range(0, len(points), run)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def _panel(
    left: int, name: str, title: str, points: Points, steps: int, top: float, colour: str, *, dots: bool = False
) -> str:
    """One curve with its axes, the value that it has reached, and dots where there are few points."""
    x0, x1, y0, y1 = left + MARGIN, left + PANEL - 16, HEIGHT - 34, 34
    placed = [(x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * value / top) for step, value in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    marks = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in placed) if dots else ""
    now = f"{title}: {points[-1][1]:.3g}" if points else title
    end = f"step {steps}" if steps else "steps"
    return (
        f'<g id="{name}"><path d="M{x0} {y1}V{y0}H{x1}M{x0} {y1}H{x1}" fill="none" stroke="{GRID}"/>'
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/><g fill="{colour}">{marks}</g>'
        f'<g fill="{TEXT}"><text x="{x0}" y="20" font-weight="600">{now}</text>'
        f'<text x="{x0 - 6}" y="{y1 + 5}" text-anchor="end">{top:.3g}</text>'
        f'<text x="{x0 - 6}" y="{y0 + 5}" text-anchor="end">0</text>'
        f'<text x="{x1}" y="{y0 + 20}" text-anchor="end">{end}</text></g></g>'
    )
