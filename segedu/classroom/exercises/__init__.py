"""Exercises that check themselves: fill in a function in the notebook, hand it to ``check``, read what it says.

One module a lesson; see :mod:`segedu.classroom.exercises.exercise` for how a checker comes to its hint.
"""

LESSONS = {
    0: "pixels",
    1: "fcn",
    2: "unet",
    3: "segnet",
    4: "dilation",
    5: "deeplab",
    6: "bisenet",
    7: "losses",
    8: "shootout",
    9: "unknowns",
}
"""The module of each lesson, by the lesson's number. What it exports are the lesson's exercises."""
