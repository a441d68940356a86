"""Cells as objects: connected components, and the weight that keeps touching ones apart."""

from segedu.instances.border_loss import BorderWeightedCrossEntropy
from segedu.instances.labelling import components
from segedu.instances.weight_map import border_weights

__all__ = ["BorderWeightedCrossEntropy", "border_weights", "components"]
