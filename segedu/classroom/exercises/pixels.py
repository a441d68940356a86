"""The exercises of lesson 00: count pairs of names, read IoU from the counts, bring a label map to coarser cells."""

from segedu.classroom.exercises.class_iou import class_iou
from segedu.classroom.exercises.confusion import confusion_matrix
from segedu.classroom.exercises.on_cells import on_cells

__all__ = ["class_iou", "confusion_matrix", "on_cells"]
