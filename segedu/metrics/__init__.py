"""Measures of a segmentation: what of each class was found, and how well its contours were followed."""

from segedu.metrics.boundary import BoundaryF1, BoundaryScores
from segedu.metrics.confusion import ConfusionMatrix, Scores
from segedu.metrics.instances import InstanceCounts, InstanceScores

__all__ = ["BoundaryF1", "BoundaryScores", "ConfusionMatrix", "InstanceCounts", "InstanceScores", "Scores"]
