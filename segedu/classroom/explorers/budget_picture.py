"""How the budget explorer looks: a plot of score over cost, with every seed, beside a list of the networks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from segedu.classroom.explorers.budget_labels import placed
from segedu.classroom.explorers.budget_ranking import COSTS, Ranking
from segedu.classroom.explorers.budget_words import figure, score_name
from segedu.classroom.explorers.scene import Box, Cell, Point, Primitive, Scene, cells, line, rectangle, ring, text

WIDTH, HEIGHT = 840, 430  # CSS pixels
PLOT, LIST = "plot", "list"
BOX: Box = (46, 30, 440, 330)  # of the plot
LEFT, TOP, PITCH = 512, 46, 32  # of the list: where it begins, and from one network to the next
SCORE, COST = 752, 834  # where its numbers end
KEY = (BOX[1] + BOX[3] + 6, 24)  # where its key begins, and from one line to the next
NODES = (33, 44)  # the cells of the plot that are pointed at, 10 pixels each
LEAST = 1  # per cent that the plot shows
DOT, TICK = 10, 8  # of a network's mark and of a seed's, across
GRID, SHADE, GLOW = "#80808060", "#80808026", "#D55E0026"
MEANINGS = (
    ("now", "now", "wins"),
    ("rest", "rest", "on the front"),
    ("background", "rest", "beaten at its cost"),
    ("background", "muted", "over a limit"),
)
"""Fill and stroke of a mark, and what it says of a network."""

NOTHING = np.zeros((1, 4), np.uint8)


def scene(ranking: Ranking) -> Scene:
    """Everything but what is pointed at."""
    return Scene(WIDTH, HEIGHT, [*_frame(ranking), *_networks(ranking), *_list(ranking), *_key()])


def marks(ranking: Ranking, place: int) -> list[Primitive]:
    """A ring around a network in the plot, and a frame around its line in the list."""
    at = Places(ranking).at(ranking.prices[place], ranking.means[place])
    row = (LEFT - 6, TOP + place * PITCH + 2, WIDTH - LEFT + 4, PITCH - 4)
    return [ring(at, DOT + 2), rectangle(row, stroke="now", halo=True, width=2)]


def pointed(ranking: Ranking, shown: Scene, cell: Cell) -> int:
    """The network of a line of the list, or the one nearest to a place in the plot."""
    if cell["panel"] == LIST:
        return int(cell["row"])
    down, right = shown.place(cell)
    left, top, width, height = BOX
    places = Places(ranking)
    here = np.array([left + width * right, top + height * down])
    nets = np.array([places.at(*net) for net in zip(ranking.prices, ranking.means, strict=True)])
    return int(np.square(nets - here).sum(1).argmin())


class Places:
    """Where costs and scores stand in the plot: costs from 0, scores from a round number below the lowest seed."""

    def __init__(self, ranking: Ranking) -> None:
        seeds = [value for runs in ranking.runs for value in runs]
        self.costs = ticks(0, max(ranking.prices))
        self.scores = ticks(min(seeds), max(max(seeds), min(seeds) + LEAST))

    def at(self, cost: float, score: float) -> Point:
        """The place of a cost and a score."""
        left, top, width, height = BOX
        across = (cost - self.costs[0]) / (self.costs[-1] - self.costs[0])
        up = (score - self.scores[0]) / (self.scores[-1] - self.scores[0])
        return left + width * across, top + height * (1 - up)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers, evenly spaced, of which the first is not above ``low`` and the last above ``high``.

    The spacing is 1, 2 or 5 times a power of ten; there are at most nine of them.
    """
    step = next(step for step in round_numbers((high - low) / 100) if (high - low) / step < 7)
    first, last = int(low // step), int(high // step) + 1
    return [round(count * step, 9) for count in range(first, last + 1)]


def round_numbers(least: float) -> Iterator[float]:
    """1, 2 and 5 times powers of ten, from below ``least`` up."""
    power = 10.0 ** np.floor(np.log10(least))
    while True:
        yield from (float(np.round(digit * power, 9)) for digit in (1, 2, 5))
        power *= 10


def _frame(ranking: Ranking) -> Iterator[Primitive]:
    """The box with its grid, its numbers, and what lies beyond the limit of the cost that is drawn."""
    left, top, width, height = BOX
    right, bottom = left + width, top + height
    places = Places(ranking)
    yield text((left, top / 2), f"{score_name(ranking.score)} on {ranking.source}, per cent")
    for score in places.scores:
        _, y = places.at(0, score)
        yield line([(left, y), (right, y)], stroke=GRID, width=1)
        yield text((left - 7, y), f"{score:g}", align="right")
    for cost in places.costs:
        x, _ = places.at(cost, places.scores[0])
        yield line([(x, top), (x, bottom)], stroke=GRID, width=1)
        yield text((x, bottom + 15), f"{cost:g}", align="center")
    yield text((left + width / 2, bottom + 40), COSTS[ranking.cost].title, align="center")
    if ranking.cost in ranking.limits:
        x, _ = places.at(min(ranking.limits[ranking.cost], places.costs[-1]), 0)
        yield rectangle((x, top, right - x, height), fill=SHADE)
        yield line([(x, top), (x, bottom)], stroke="text", width=2)
    yield rectangle(BOX, stroke="border")
    yield cells(BOX, np.zeros(NODES, np.uint8), NOTHING, panel=PLOT)


def _networks(ranking: Ranking) -> Iterator[Primitive]:
    """The front as a stair, and every network with its seeds and its tag."""
    places = Places(ranking)
    points = [places.at(*net) for net in zip(ranking.prices, ranking.means, strict=True)]
    if ranking.front:
        yield line(_stair([points[place] for place in ranking.front]), stroke="rest", width=1.5)
    taken: list[Box] = []
    for place, (x, y) in enumerate(points):
        heights = [places.at(0, value)[1] for value in ranking.runs[place]]
        low, high = min(*heights, y - DOT / 2), max(*heights, y + DOT / 2)
        taken.append((x - DOT / 2, low, DOT, high - low))
        ink = "muted" if ranking.over[place] else "now" if place == ranking.winner else "rest"
        yield line([(x, min(heights)), (x, max(heights))], stroke=ink, width=1)
        for seed in heights:
            yield line([(x - TICK / 2, seed), (x + TICK / 2, seed)], stroke=ink, width=2)
    for place, point in enumerate(points):
        yield _dot(ranking, place, point)
    everyone = replace(ranking, limits={})  # a tag stays where it is, whatever the limits
    for (x, y), (right, below) in pairwise(_stair([points[place] for place in everyone.front])):
        taken.append((x, min(y, below), right - x, abs(below - y)))
    tags = tuple(net.tag for net in ranking.entrants)
    for place, at in enumerate(placed(tags, tuple(points), tuple(taken), BOX)):
        yield text(at, tags[place], fill="muted" if ranking.over[place] else "text", align="center")


def _stair(front: Sequence[Point]) -> list[Point]:
    """The best score for every cost: level from each network of the front to the next, and on to the edge."""
    corners = [front[0]]
    for x, y in front[1:]:
        corners += [(x, corners[-1][1]), (x, y)]
    return [*corners, (BOX[0] + BOX[2], corners[-1][1])]


def _dot(ranking: Ranking, place: int, at: Point) -> Primitive:
    """Filled on the front, hollow off it; the winner in vermilion, muted what does not fit."""
    box = (at[0] - DOT / 2, at[1] - DOT / 2, DOT, DOT)
    if ranking.over[place]:
        return rectangle(box, fill="background", stroke="muted", width=2)
    if place == ranking.winner:
        return rectangle(box, fill="now", stroke="now", width=4)
    return rectangle(box, fill="rest" if place in ranking.front else "background", stroke="rest", width=2)


def _list(ranking: Ranking) -> Iterator[Primitive]:
    """A line for each network, in an order that does not change: mark, name, score and cost."""
    yield text((SCORE, TOP - 16), "%", align="right", fill="muted")
    yield text((COST, TOP - 16), COSTS[ranking.cost].title.split(", ")[1], align="right", fill="muted")
    for place, net in enumerate(ranking.entrants):
        middle = TOP + (place + 0.5) * PITCH
        ink = "muted" if ranking.over[place] else "text"
        if place == ranking.winner:
            yield rectangle((LEFT - 6, middle - PITCH / 2 + 2, WIDTH - LEFT + 4, PITCH - 4), fill=GLOW)
        yield _dot(ranking, place, (LEFT + 8, middle))
        yield text((LEFT + 24, middle), net.name, fill=ink)
        yield text((SCORE, middle), f"{ranking.means[place]:.1f}", fill=ink, align="right")
        yield text((COST, middle), figure(ranking.prices[place]), fill=ink, align="right")
    rows = len(ranking.entrants)
    box = (LEFT - 6, TOP, WIDTH - LEFT + 4, rows * PITCH)
    yield cells(box, np.zeros((rows, 1), np.uint8), NOTHING, panel=LIST)


def _key() -> Iterator[Primitive]:
    """What the marks mean."""
    y, pitch = KEY
    for count, (fill, stroke, meaning) in enumerate(MEANINGS):
        x, middle = LEFT + 8 + 166 * (count % 2), y + pitch * (count // 2)
        yield rectangle((x - DOT / 2, middle - DOT / 2, DOT, DOT), fill=fill, stroke=stroke, width=2)
        yield text((x + 14, middle), meaning)
    y += 2 * pitch
    yield line([(LEFT + 2, y), (LEFT + 14, y)], stroke="rest", width=2)
    yield text((LEFT + 22, y), "a seed; the mark is their mean")
