"""What the budget explorer says: who fits, who wins and by how much, who is worth the cost, and what is pointed at."""

from segedu.classroom.explorers.budget_ranking import COSTS, MEANS, Ranking, told_apart


def words(ranking: Ranking, place: int | None) -> str:
    """A sentence each on the limits, the winner, the front, and the network at ``place``."""
    about = (
        "Point at a network, in the picture or in the list, for its figures; click to pin."
        if place is None
        else say_entrant(ranking, place)
    )
    return "\n".join([say_budget(ranking), say_winner(ranking), say_front(ranking), about])


def score_name(name: str) -> str:
    """How a score is called in a sentence and in a menu: a class's is its IoU."""
    return MEANS.get(name, f"IoU of {name}")


def say_budget(ranking: Ranking) -> str:
    """How many fit, and into what."""
    fit, all_ = len(ranking.fitting), len(ranking.entrants)
    if not ranking.limits:
        return f"No limit is set: all {all_} networks fit."
    limits = ", ".join(f"{limit:g} {COSTS[name].unit}" for name, limit in ranking.limits.items())
    return f"At most {limits}: {fit} of {all_} fit."


def say_winner(ranking: Ranking) -> str:
    """Who wins, by how much, and whether the seeds can tell."""
    fit, called = ranking.fitting, score_name(ranking.score)
    if not fit:
        return "Nobody can win: raise a limit."
    if ranking.winner is None:
        return f"Nobody wins: each network that fits has {called} 0."
    best, *others = fit
    won = f"{ranking.entrants[best].name} wins with {called} {ranking.means[best]:.1f} %"
    if not others:
        return f"{won}: no other fits."
    second = others[0]
    gap = ranking.means[best] - ranking.means[second]
    behind = f"{won}, {gap:.1f} above {ranking.entrants[second].name}"
    if told_apart(ranking.runs[best], ranking.runs[second]):
        return f"{behind}. Its worst seed is above the other's best."
    return f"{behind}. Their seeds overlap: call it a tie."


def say_front(ranking: Ranking) -> str:
    """Who is worth the cost that is drawn."""
    if not ranking.fitting:
        return "No network is left on the front."
    if ranking.winner is None:
        return "With nothing gained, the cheapest is as good as any."
    tags = listed([ranking.entrants[place].tag for place in ranking.front])
    return f"On the front of {score_name(ranking.score)} and {COSTS[ranking.cost].title.split(',')[0]}: {tags}."


def say_entrant(ranking: Ranking, place: int) -> str:
    """One network: its seeds, its costs, and how it stands."""
    net = ranking.entrants[place]
    seeds = ", ".join(f"{value:.1f}" for value in ranking.runs[place])
    costs = ", ".join(f"{figure(cost.of(net))} {cost.unit}" for cost in COSTS.values())
    return f"{net.name}: {ranking.means[place]:.1f} % (seeds {seeds}). {standing(ranking, place)}\nIt costs {costs}."


def standing(ranking: Ranking, place: int) -> str:
    """Whether it fits, and which network beats it at its cost."""
    over = ranking.over[place]
    if over:
        return f"Over the limit: {listed([COSTS[name].title.split(',')[0] for name in over])}."
    if place == ranking.winner:
        return "The winner."
    beaten_by = ranking.beaten_by(place)
    if beaten_by is None:
        return "On the front: who scores more costs more."
    return f"Beaten by {ranking.entrants[beaten_by].tag}, which costs no more."


def listed(parts: list[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def figure(value: float) -> str:
    """Three figures, and no point where there would be nothing behind it: ``0.42``, ``9.31``, ``58.1``, ``1153``."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
