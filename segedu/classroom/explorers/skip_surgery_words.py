"""What the skip surgery explorer says: what was done to the skips, and what the prediction is worth then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segedu.classroom.explorers.labelled import share, signed_number

if TYPE_CHECKING:
    from segedu.classroom.explorers.skip_surgery import Operation


def say_setting(shown: Operation) -> str:
    """What was done to the skips."""
    scaled = [f"skip {skip + 1} × {weight:.1f}" for skip, weight in enumerate(shown.weights) if weight != 1]
    if not any(shown.weights):
        said = "no skip, everything comes up from the bottom"
    elif not scaled:
        said = "every skip × 1"
    else:
        said = ", ".join(scaled) + (", the others × 1" if len(scaled) < len(shown.weights) else "")
    if shown.swapped:
        return f"Image {shown.image}, skips of image {shown.donor}: {said}."
    return f"As trained: {said}." if shown.intact else f"{said[0].upper()}{said[1:]}."


def say_quality(shown: Operation, name: str) -> str:
    """The scores; where they may differ from those as trained, these follow in brackets."""
    now, trained = shown.quality, shown.as_trained
    trained_iou, trained_f1, trained_count, trained_merged = (
        ("", "", "", "")
        if shown.intact
        else (
            f" (as trained {share(trained.iou)})",
            f" ({share(trained.boundary_f1)})",
            f" ({trained.counted})",
            f" ({trained.merged})",
        )
    )
    return (
        f"Image {shown.image}: IoU of {name} {share(now.iou)}{trained_iou}, boundary F1 {share(now.boundary_f1)}"
        f"{trained_f1}, objects {now.counted}{trained_count} for {now.true} true ones, merged {now.merged}"
        f"{trained_merged}."
    )


def say_truths(shown: Operation) -> str:
    """Whose outlines appear: the scores by the truth of either image."""
    own, other = shown.quality, shown.to_donor
    said = (
        f"By the truth of image {shown.image}: IoU {share(own.iou)}, boundary F1 {share(own.boundary_f1)}. "
        f"By that of image {shown.donor}: IoU {share(other.iou)}, boundary F1 {share(other.boundary_f1)}"
    )
    for nearer, better, worse in ((shown.donor, other, own), (shown.image, own, other)):
        if better.boundary_f1 > worse.boundary_f1:
            return f"{said}: the outlines of image {nearer} fit better."
    return f"{said}."


def say_skip(shown: Operation, name: str) -> str:
    """What is left without the skip that is looked at, and what its picture shows."""
    left = shown.without
    return (
        f"Skip {shown.skip + 1} alone at 0: IoU {share(left.iou)}, boundary F1 {share(left.boundary_f1)}. Its worth is "
        f"what {name}'s lead over the best other class, its margin, then loses; point at a picture for numbers."
    )


def say_pixel(shown: Operation, row: int, col: int, truth: str) -> str:
    """The margin at a pixel, and the worth of each skip there."""
    worths = ", ".join(f"skip {skip + 1} {signed_number(map_[row, col])}" for skip, map_ in enumerate(shown.worth))
    return (
        f"Row {row}, column {col}, truth {truth}: margin {signed_number(shown.margin[row, col])}, as trained "
        f"{signed_number(shown.margin_as_trained[row, col])}. Worth of {worths}."
    )
