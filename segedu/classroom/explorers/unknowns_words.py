"""What the unknowns explorer says: the threshold in all scenes, how well the score ranks, and this scene or pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segedu.classroom.explorers.labelled import Legend, share
from segedu.classroom.explorers.unknowns_scores import FOUND, MISSED, OUTCOMES

if TYPE_CHECKING:
    from segedu.classroom.explorers.unknowns import Flagged


def words(shown: Flagged, legend: Legend, pixel: tuple[int, int] | None) -> str:
    """Four lines."""
    about = "Point at a pixel to read its score." if pixel is None else _say_pixel(shown, legend, pixel)
    return "\n".join([_say_threshold(shown), _say_ranking(shown), _say_scene(shown), about])


def number(value: float) -> str:
    """Three digits that count, with the sign of arithmetic: ``−3.21``, ``0.00412``, ``1.2e+04``."""
    said = f"{value:.3g}"
    return "0" if float(said) == 0 else said.replace("-", "−")


def truth(shown: Flagged, legend: Legend, pixel: tuple[int, int]) -> str:
    """What really is there: a class, an object of none, or other void."""
    objects = (FOUND, MISSED)
    return "unknown" if int(shown.outcomes[pixel]) in objects else legend.name(int(shown.labels[pixel]))


def _say_threshold(shown: Flagged) -> str:
    found, flagged = share(shown.everywhere.found_share), share(shown.everywhere.flagged_share)
    return (
        f"Flagged is {shown.score} above {number(shown.threshold)}: {found} of the unknown (TPR) and {flagged} of the "
        f"known pixels (FPR) of {_scenes(shown.scenes)}."
    )


def _say_ranking(shown: Flagged) -> str:
    ranking = shown.separation.ranking
    area, precision, false_alarms = map(share, (ranking.auroc, ranking.average_precision, ranking.fpr_at_95_tpr))
    return (
        f"Of the flagged {share(shown.everywhere.precision)} are unknown (precision). AUROC {area}, AP {precision}, "
        f"FPR at 95\N{NO-BREAK SPACE}% TPR {false_alarms}."
    )


def _say_scene(shown: Flagged) -> str:
    here = shown.here
    return (
        f"Scene {shown.image}: {here.found} of {here.found + here.missed} unknown pixels found, "
        f"{here.false_alarms} of {here.false_alarms + here.passed} known ones flagged."
    )


def _say_pixel(shown: Flagged, legend: Legend, pixel: tuple[int, int]) -> str:
    called = legend.name(int(shown.prediction[pixel]))
    confidence = 100 * float(shown.confidence[pixel])
    return (
        f"Row {pixel[0]}, column {pixel[1]}, truth {truth(shown, legend, pixel)}: called {called} with "
        f"{confidence:.0f}\N{NO-BREAK SPACE}%; "
        f"{shown.score} {number(float(shown.scores[pixel]))}, {OUTCOMES[int(shown.outcomes[pixel])]}."
    )


def _scenes(count: int) -> str:
    return "one scene" if count == 1 else f"{count} scenes"
