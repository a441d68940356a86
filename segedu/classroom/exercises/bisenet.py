"""The exercises of lesson 06: the notes' listing repaired, the fusion written, and a score that flatters nobody."""

from segedu.classroom.exercises.feature_fusion import feature_fusion
from segedu.classroom.exercises.full_size_score import full_size_accuracy
from segedu.classroom.exercises.listing_repair import listing

__all__ = ["feature_fusion", "full_size_accuracy", "listing"]
