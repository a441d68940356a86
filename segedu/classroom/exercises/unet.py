"""The exercises of lesson 02: what the skips hand across, one step of the way up, and what a narrow gap weighs."""

from segedu.classroom.exercises.border_weight import border_weight
from segedu.classroom.exercises.centre_crop import centre_crop
from segedu.classroom.exercises.expansion import expand

__all__ = ["border_weight", "centre_crop", "expand"]
