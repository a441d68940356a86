"""What the CRF explorer says: the unaries, what the CRF did to the scores and pixels, and the code for the same."""

from segedu.classroom.explorers.crf_picture import name_of
from segedu.classroom.explorers.crf_refinement import BROKEN, MENDED, OUTCOMES, VOID, Refinement
from segedu.classroom.explorers.crf_unaries import NOISE, SHARPNESS
from segedu.classroom.explorers.labelled import share


def words(shown: Refinement, pixel: tuple[int, int] | None) -> str:
    """Five lines."""
    about = _say_kernels(shown) if pixel is None else _say_pixel(shown, pixel)
    return "\n".join([_say_unaries(shown), _say_scores(shown), _say_changes(shown), about, shown.setting.code])


def _say_unaries(shown: Refinement) -> str:
    cell = f"{shown.setting.stride} × {shown.setting.stride}"
    return f"Unaries from the truth: class shares in {cell} pixels × {SHARPNESS:g}, plus noise of std {NOISE:g}."


def _say_scores(shown: Refinement) -> str:
    before, after = shown.before, shown.after
    return (
        f"Mean IoU {share(before.mean_iou)} before and {share(after.mean_iou)} after, "
        f"boundary F1 {share(before.boundary_f1)} and {share(after.boundary_f1)}."
    )


def _say_changes(shown: Refinement) -> str:
    if not shown.setting.iterations:
        return "No iteration: nothing but the softmax of the unaries, on both sides."
    scored = sum(shown.counts) - shown.counts[VOID]
    elsewhere = shown.changed - shown.counts[MENDED] - shown.counts[BROKEN]
    return (
        f"{shown.changed} of {scored} pixels changed: {shown.counts[MENDED]} right now, "
        f"{shown.counts[BROKEN]} wrong now, {elsewhere} wrong twice."
    )


def _say_kernels(shown: Refinement) -> str:
    """What the two kernels ask of a pixel, as they are set."""
    now = shown.setting
    if not now.bilateral_weight and not now.gaussian_weight:
        return "Both weights are 0: no pixel hears of any other."
    if not now.bilateral_weight:
        return "The bilateral weight is 0: neighbours agree, whatever their colours."
    return (
        f"Pixels within some {now.position_std:g} pixels and {now.colour_std:g} levels of colour pull together; "
        "point at one."
    )


def _say_pixel(shown: Refinement, pixel: tuple[int, int]) -> str:
    """The truth and the likeliest class before and after, with its probability."""
    said = []
    for when, answer in (("before", shown.before), ("after", shown.after)):
        label = answer.labels[pixel]
        said.append(f"{when} {name_of(shown, label)} {float(answer.probabilities[(int(label), *pixel)]):.2f}")
    truth = name_of(shown, shown.crop.labels[pixel])
    return f"Row {pixel[0]}, column {pixel[1]}, truth {truth}: {', '.join(said)}; {OUTCOMES[shown.outcomes[pixel]]}."
