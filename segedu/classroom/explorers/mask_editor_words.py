"""What the mask editor says: the object, what the last change did to the scores and why, and the pixel pointed at."""

from segedu.classroom.explorers.labelled import share
from segedu.classroom.explorers.mask_editor_masks import Place
from segedu.classroom.explorers.mask_editor_picture import points
from segedu.classroom.explorers.mask_editor_scores import OUTCOMES, Edited

MEANING = {
    "background": "background, and predicted so: a true negative",
    "missed": "object, predicted as background: missed, a false negative",
    "invented": "background, predicted as object: invented, a false positive",
    "found": "object, and predicted so: found, a true positive",
    "void": "void, where no prediction counts",
    "void, predicted": "void, where not even a predicted object counts",
}


def words(result: Edited, place: Place | None) -> str:
    """Five lines."""
    about = _say_hint(result) if place is None else _say_pixel(result, place)
    return "\n".join([_say_object(result), _say_change(result), _say_scores(result), _say_cause(result), about])


def _say_object(result: Edited) -> str:
    now = result.now
    only_background = share((now.scored - now.objects) / now.scored)
    return (
        f"{now.objects} of {now.scored} scored pixels are object: "
        f"predict nothing, and {only_background} are right, but IoU is 0."
    )


def _say_change(result: Edited) -> str:
    """How many pixels the last change turned over, and what they have become."""
    turned = int(result.turned.sum())
    if not turned:
        return "Nothing has changed yet."
    said = f"The last change turned {turned} pixel{'s' * (turned > 1)} over: "
    if not result.touched:
        return said + "all void, so no score moves."
    now, before = result.now, result.before
    counts = {"missed": now.missed - before.missed, "invented": now.invented - before.invented}
    more = [f"{abs(count)} {'more' if count > 0 else 'fewer'} {name}" for name, count in counts.items() if count]
    return said + (" and ".join(more) or "as many mended as broken") + "."


def _say_scores(result: Edited) -> str:
    """By how many points the scores moved whose counts did."""
    now, before = result.now, result.before
    if (now.missed, now.invented) == (before.missed, before.invented):
        return "Scores that count pixels stand still; the contour's scores ask where they are."
    moved = [f"recall {_points(result, 'recall')}"] if now.missed != before.missed else []
    if (now.found, now.invented) != (before.found, before.invented):
        predicted = now.found + now.invented
        moved.append(f"precision {_points(result, 'precision')}" if predicted else "precision undefined")
    moved += [f"IoU {_points(result, 'IoU')}", f"accuracy {_points(result, 'pixel accuracy')}"]
    return f"In points: {', '.join(moved)}."


def _say_cause(result: Edited) -> str:
    """Why accuracy moves less than they do."""
    if abs(result.change("pixel accuracy")) < abs(result.change("IoU")):
        plain = share(result.now.background / result.now.scored)
        return f"Accuracy moves less, as {plain} of all pixels are background and predicted so."
    return "Accuracy asks about all pixels, the others about the object or its contour."


def _points(result: Edited, score: str) -> str:
    return points(result.change(score))


def _say_pixel(result: Edited, place: Place) -> str:
    row, col = place
    return f"Row {row}, column {col}: {MEANING[OUTCOMES[result.outcomes[place]]]}."


def _say_hint(result: Edited) -> str:
    if result.void_border:
        return "Void hides the true contour from Boundary F1; Boundary IoU takes it as outside."
    return "Click a pixel. By keys: arrows move over the truth; after Page Down they draw."
