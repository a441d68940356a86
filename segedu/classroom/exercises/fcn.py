"""The exercises of lesson 01, from a classifier's last layer to the fusion of two score maps."""

from segedu.classroom.exercises.bilinear import bilinear_kernel
from segedu.classroom.exercises.dense import linear_to_conv
from segedu.classroom.exercises.fusion import fcn16s

__all__ = ["bilinear_kernel", "fcn16s", "linear_to_conv"]
