"""The exercises of lesson 04: how far layers see, which of it they read, and what dilation does to the map's edge."""

from segedu.classroom.exercises.coverage import rates
from segedu.classroom.exercises.growth import receptive_field
from segedu.classroom.exercises.padding import same_size

__all__ = ["rates", "receptive_field", "same_size"]
