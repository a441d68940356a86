"""Measures of a segmentation: what of each class was found, how well contours were followed, how sure it was."""

from segedu.metrics.boundary import BoundaryF1, BoundaryScores
from segedu.metrics.boundary_iou import BoundaryIoU, BoundaryIoUScores
from segedu.metrics.calibration import Calibration, CalibrationScores
from segedu.metrics.confusion import ConfusionMatrix, Scores
from segedu.metrics.instances import InstanceCounts, InstanceScores
from segedu.metrics.per_image import PerImageIoU, PerImageScores
from segedu.metrics.ranking import Ranking, RankingScores
from segedu.metrics.trimap import TrimapIoU

__all__ = [
    "BoundaryF1",
    "BoundaryIoU",
    "BoundaryIoUScores",
    "BoundaryScores",
    "Calibration",
    "CalibrationScores",
    "ConfusionMatrix",
    "InstanceCounts",
    "InstanceScores",
    "PerImageIoU",
    "PerImageScores",
    "Ranking",
    "RankingScores",
    "Scores",
    "TrimapIoU",
]
