"""The exercises of lesson 09: the energy of a pixel, its false alarms at 95 % found, and a ranking as ordered pairs."""

from segedu.classroom.exercises.energy_score import energy
from segedu.classroom.exercises.false_alarms import fpr_at_95_tpr
from segedu.classroom.exercises.ordered_pairs import auroc

__all__ = ["auroc", "energy", "fpr_at_95_tpr"]
