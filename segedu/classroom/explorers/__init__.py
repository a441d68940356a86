"""Explorers: pictures that answer to the hand, one for each idea that is easier to feel than to read."""

from segedu.classroom.explorers.dilation import DilationExplorer
from segedu.classroom.explorers.explorer import Explorer
from segedu.classroom.explorers.fusion import FusionExplorer
from segedu.classroom.explorers.gridding import GriddingExplorer
from segedu.classroom.explorers.receptive_field import ReceptiveFieldExplorer
from segedu.classroom.explorers.stage import Stage

__all__ = ["DilationExplorer", "Explorer", "FusionExplorer", "GriddingExplorer", "ReceptiveFieldExplorer", "Stage"]
