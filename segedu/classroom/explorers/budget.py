"""The budget explorer: set what a network may cost, and see which one to take home."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import ipywidgets

from segedu.classroom.explorers import budget_picture, budget_words
from segedu.classroom.explorers.budget_ranking import COSTS, Entrant, Ranking, Runs, common_scores
from segedu.classroom.explorers.explorer import Explorer, State
from segedu.classroom.explorers.scene import Cell, Primitive, Scene

LIMITS = {"macs": "multiply-adds, M", "parameters": "parameters, 1000", "memory": "memory, MiB", "time": "time, ms"}
STEPS = 40  # of a slider, at least


class Budget(Explorer[Ranking]):
    """Networks by a score over a cost; those beyond a limit turn grey, and the best of the others wins.

    ``entrants`` say what each network costs. ``scores`` holds, for each data set and in the order of ``entrants``, each
    network's runs: one mapping from score to per cent for each seed. Raises ``ValueError`` for entrants and scores that
    are not of the same networks, and for fewer than two seeds.
    """

    lines_of_words: ClassVar[int] = 7
    main_control: ClassVar[str | None] = "macs"

    def __init__(self, entrants: Sequence[Entrant], scores: Mapping[str, Runs]) -> None:
        _refuse_misfits(entrants, scores)
        self._entrants, self._scores = tuple(entrants), scores
        look: dict[str, Any] = {"layout": {"width": "auto"}, "style": {"description_width": "150px"}}
        names = common_scores(scores)
        super().__init__(
            "Budget explorer: networks by score and cost, and which one wins within a budget",
            {
                "source": ipywidgets.Dropdown(options=list(scores), description="data", **look),
                "score": ipywidgets.Dropdown(
                    options=[(budget_words.score_name(name), name) for name in names], description="score", **look
                ),
                "cost": ipywidgets.Dropdown(
                    options=[(cost.title, name) for name, cost in COSTS.items()], description="drawn over", **look
                ),
            },
            {
                name: _slider(max(COSTS[name].of(net) for net in entrants), description, look)
                for name, description in LIMITS.items()
            },
        )

    def compute(self, state: State) -> Ranking:
        """Who fits, and what everyone scores."""
        runs = self._scores[state["source"]]
        return Ranking(
            self._entrants,
            state["source"],
            state["score"],
            state["cost"],
            tuple(tuple(run[state["score"]] for run in runs[net.name]) for net in self._entrants),
            {name: state[name] for name in LIMITS if state[name] < self.controls[name].max},
        )

    def draw(self, result: Ranking) -> Scene:
        return budget_picture.scene(result)

    def marks(self, result: Ranking, scene: Scene, cell: Cell | None) -> list[Primitive]:
        return [] if cell is None else budget_picture.marks(result, budget_picture.pointed(result, scene, cell))

    def words(self, result: Ranking, scene: Scene, cell: Cell | None) -> str:
        return budget_words.words(result, None if cell is None else budget_picture.pointed(result, scene, cell))

    def releases(self, control: str, cell: Cell) -> bool:
        """A place in the plot belongs to another network once the plot shows something else."""
        return cell["panel"] == budget_picture.PLOT and control in ("source", "score", "cost")


def _slider(most: float, description: str, look: Mapping[str, Any]) -> ipywidgets.FloatSlider:
    """From nothing to what the dearest network needs, where the slider opens and limits nobody."""
    step = next(step for step in budget_picture.round_numbers(most / (2 * STEPS)) if step * STEPS * 2 >= most)
    top = round(step * -(-most // step), 9)
    places = max(0, -int(f"{step:e}".partition("e")[2]))
    return ipywidgets.FloatSlider(
        top, min=0, max=top, step=step, description=description, readout_format=f".{places}f", **look
    )


def _refuse_misfits(entrants: Sequence[Entrant], scores: Mapping[str, Runs]) -> None:
    names = [net.name for net in entrants]
    if not names or not scores:
        raise ValueError(f"there are {len(names)} entrants and scores on {len(scores)} data sets; give one at least")
    for source, nets in scores.items():
        if [*nets] != names:
            raise ValueError(
                f"the scores on {source} are of {', '.join(nets)}, but the entrants are {', '.join(names)}"
            )
        fewest = min(len(runs) for runs in nets.values())
        if fewest < 2:
            raise ValueError(f"the scores on {source} are of {fewest} seed; what seeds can tell needs two at least")
