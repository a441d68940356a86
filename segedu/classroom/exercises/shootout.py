"""The exercises of lesson 08: who is on the front, what a convolution costs, and which of many timings to report."""

from segedu.classroom.exercises.conv_macs import conv_macs
from segedu.classroom.exercises.fair_latency import fair_latency
from segedu.classroom.exercises.pareto_front import pareto_front

__all__ = ["conv_macs", "fair_latency", "pareto_front"]
