"""Training and measuring: ``fit`` a model by a ``Recipe``, ``evaluate`` it on a data set."""

from segedu.train.evaluation import evaluate
from segedu.train.history import History, Record
from segedu.train.loop import TrainingDiverged, fit
from segedu.train.recipe import Recipe

__all__ = ["History", "Recipe", "Record", "TrainingDiverged", "evaluate", "fit"]
