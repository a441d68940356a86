"""Exercises that check themselves: fill in a function in the notebook, hand it to ``check``, read what it says.

One module a lesson; see :mod:`segedu.classroom.exercises.exercise` for how a checker comes to its hint.
"""
