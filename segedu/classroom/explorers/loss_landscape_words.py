"""What the loss landscape says: the scene, what focal loss keeps, how Dice pulls, and what is pointed at."""

from segedu.classroom.explorers.labelled import share
from segedu.classroom.explorers.loss_landscape_curves import GRID, PIXELS, Landscape, place_of
from segedu.classroom.explorers.loss_landscape_picture import figure, is_object

EASY = 0.9  # the probability of a pixel that is as good as learnt


def words(result: Landscape, panel: str | None, place: tuple[int, int]) -> str:
    """Five lines."""
    if panel is None:
        about = "Point at a plot for its numbers there, or at a pixel of the scene; click to pin."
    else:
        about = _say_pixel(result, place) if panel == "scene" else _say_place(result, panel, place[1])
    return "\n".join([_say_scene(result), _say_focal(result), _say_dice(result), _say_start(result), about])


def _say_scene(result: Landscape) -> str:
    setting = result.setting
    has = f"{setting.objects} of {PIXELS} pixels"
    return f"The object has {has}: given p = {setting.p:.2f} there, and {setting.false_alarm:.2f} everywhere else."


def _say_focal(result: Landscape) -> str:
    """What is left of cross entropy here, and at an easy pixel."""
    curves = result.curves["pixel"]
    kept = curves["focal"].value / curves["cross entropy"].value
    here, easy = (float(kept[place]) for place in (result.setting.place, place_of(EASY)))
    rest = f"1 in {1 / easy:.0f}" if easy < 0.5 else share(easy)
    return f"Focal loss keeps {share(here)} of cross entropy here; at p = {EASY}, easy, {rest}."


def _say_dice(result: Landscape) -> str:
    """How Dice's gradient follows the size of the object, which cross entropy's does not."""
    place = result.setting.place
    dice = figure(float(result.curves["object"]["Dice"].pull[place]))
    plain = figure(float(result.curves["pixel"]["cross entropy"].pull[place]))
    return (
        f"Dice's pull is {dice}, on an object twice as large {figure(result.twice)}; cross entropy's {plain} on both."
    )


def _say_start(result: Landscape) -> str:
    """What is left of both gradients where the object is all but given up."""
    dice, plain = result.curves["object"]["Dice"].pull, result.curves["pixel"]["cross entropy"].pull
    faded = share(float(dice[0] / dice.max()))
    return f"At p = {GRID[0]:.2f} cross entropy pulls its hardest, {figure(plain[0])}; Dice at {faded} of its hardest."


def _say_place(result: Landscape, plot: str, place: int) -> str:
    """What every curve of a plot is at the probability pointed at."""
    numbers = ((name, curve.pull if result.pulls else curve.value) for name, curve in result.curves[plot].items())
    said = ", ".join(f"{name} {figure(float(values[place]))}" for name, values in numbers)
    return f"{'Pulls' if result.pulls else 'Losses'} at p = {GRID[place]:.2f}: {said}."


def _say_pixel(result: Landscape, place: tuple[int, int]) -> str:
    setting = result.setting
    if is_object(setting.objects)[place]:
        return f"A pixel of the object, given p = {setting.p:.2f}: short by {1 - setting.p:.2f}."
    return f"A pixel of the background, given {setting.false_alarm:.2f} of object too much."
