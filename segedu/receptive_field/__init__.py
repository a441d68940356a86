"""Receptive fields: what a unit of a network can see, what it does see, and how to reach a wanted field."""

from segedu.receptive_field.analysis import receptive_field
from segedu.receptive_field.coverage import Gridding, gridding, plan
from segedu.receptive_field.effective import EffectiveField, effective_receptive_field
from segedu.receptive_field.paths import expected_heat
from segedu.receptive_field.stack import Layer, Level, StackNet, stacked
from segedu.receptive_field.table import AxisField, ReceptiveField, Row
from segedu.receptive_field.taps import ValidTaps, valid_taps

__all__ = [
    "AxisField",
    "EffectiveField",
    "Gridding",
    "Layer",
    "Level",
    "ReceptiveField",
    "Row",
    "StackNet",
    "ValidTaps",
    "effective_receptive_field",
    "expected_heat",
    "gridding",
    "plan",
    "receptive_field",
    "stacked",
    "valid_taps",
]
