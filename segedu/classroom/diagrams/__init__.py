"""Diagrams drawn from live objects: every number in them is one that was computed for them, none is typed in."""

from segedu.classroom.diagrams.deeplab_family import deeplab_family
from segedu.classroom.diagrams.label_map import label_map
from segedu.classroom.diagrams.loss_curves import loss_curves
from segedu.classroom.diagrams.output_strides import output_strides
from segedu.classroom.diagrams.read_tree import read_trees
from segedu.classroom.diagrams.score_fusion import fusion
from segedu.classroom.diagrams.two_paths import two_paths
from segedu.classroom.diagrams.u_shape import u_shape
from segedu.classroom.diagrams.unpooling import unpooling

__all__ = [
    "deeplab_family",
    "fusion",
    "label_map",
    "loss_curves",
    "output_strides",
    "read_trees",
    "two_paths",
    "u_shape",
    "unpooling",
]
