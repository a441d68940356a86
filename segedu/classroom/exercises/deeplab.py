"""The exercises of lesson 05: the notes' pyramid repaired, rates on another grid, and one step of mean field."""

from segedu.classroom.exercises.grid_rates import rates_on_grid
from segedu.classroom.exercises.mean_field_step import mean_field_step
from segedu.classroom.exercises.pyramid_repair import pyramid

__all__ = ["mean_field_step", "pyramid", "rates_on_grid"]
