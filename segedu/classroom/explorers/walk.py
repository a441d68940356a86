"""A slider that can walk by itself: a place on a path whose length may change."""

import ipywidgets
import traitlets

from segedu.classroom.explorers.ahead import Knob


class Walk(ipywidgets.VBox):  # type: ignore[misc]
    """A slider from 0 to ``last`` over buttons that play it: one control of an explorer, a `CompositeControl`.

    ``value`` is a whole number from 0 to ``longest``. Where the path is shorter than that the slider stands at its end,
    and ``value`` stays: so a state that was read can be set again, in any order, whatever the path is by then.
    """

    value = traitlets.Int(0)

    def __init__(self, value: int, *, last: int, longest: int, description: str, interval: int = 100) -> None:
        self._longest = longest
        self._following = self._stopped = False
        look = {"layout": {"width": "auto"}, "style": {"description_width": "80px"}}
        self.slider = ipywidgets.IntSlider(value, max=last, description=description, **look)
        self.play = ipywidgets.Play(value=value, max=last, interval=interval, layout={"margin": "2px 2px 2px 90px"})
        super().__init__([self.slider, self.play], value=value)
        self.slider.observe(lambda change: self._moved(change.new), "value")
        self.play.observe(lambda change: self._played(change.new), "value")
        self.observe(lambda _: self._follow(), "value")

    def reach(self, last: int) -> None:
        """Let the path end at ``last``."""
        self._follow(last)

    def stop(self) -> None:
        """Stop the player, and let the step that it may be taking in the page meanwhile not count."""
        self.play.playing = False
        self._stopped = True

    def sweep_values(self) -> list[int]:
        """Every place on the path."""
        return list(range(self.slider.max + 1))

    def takes(self, value: object) -> bool:
        """Whether ``value`` is a place on the longest path."""
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= self._longest

    def knobs(self) -> list[Knob]:
        """The slider, which is where ``value`` is."""
        return [Knob(self.slider, int)]

    def _moved(self, place: int) -> None:
        """The reader moved."""
        if not self._following:
            self.value = place

    def _played(self, place: int) -> None:
        """The player took a step; one that comes after a stop is taken back, unless it is its own stop button's."""
        if self._following:
            return
        self._stopped = self._stopped and not self.play.playing
        if self._stopped and place != self.play.min:
            self._follow()
        else:
            self.value = place

    def _follow(self, last: int | None = None) -> None:
        """Let slider and player show ``value``, on a path that may have a new end."""
        self._following = True
        try:
            for widget in (self.slider, self.play):
                widget.max = widget.max if last is None else last
                widget.value = min(self.value, widget.max)
        finally:
            self._following = False
