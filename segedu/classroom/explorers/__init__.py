"""Explorers: pictures that answer to the hand, one for each idea that is easier to feel than to read."""

from segedu.classroom.explorers.aspp import ASPPExplorer
from segedu.classroom.explorers.budget import Budget
from segedu.classroom.explorers.crf import CRFExplorer
from segedu.classroom.explorers.dilation import DilationExplorer
from segedu.classroom.explorers.explorer import Explorer
from segedu.classroom.explorers.fusion import FusionExplorer
from segedu.classroom.explorers.gridding import GriddingExplorer
from segedu.classroom.explorers.loss_landscape import LossLandscape
from segedu.classroom.explorers.mask_editor import MaskEditor
from segedu.classroom.explorers.pixels import Pixels
from segedu.classroom.explorers.receptive_field import ReceptiveFieldExplorer
from segedu.classroom.explorers.skip_surgery import SkipSurgeryExplorer
from segedu.classroom.explorers.stage import Stage
from segedu.classroom.explorers.two_paths import TwoPathsExplorer
from segedu.classroom.explorers.unknowns import Unknowns
from segedu.classroom.explorers.unpooling import UnpoolingExplorer

__all__ = [
    "ASPPExplorer",
    "Budget",
    "CRFExplorer",
    "DilationExplorer",
    "Explorer",
    "FusionExplorer",
    "GriddingExplorer",
    "LossLandscape",
    "MaskEditor",
    "Pixels",
    "ReceptiveFieldExplorer",
    "SkipSurgeryExplorer",
    "Stage",
    "TwoPathsExplorer",
    "Unknowns",
    "UnpoolingExplorer",
]
