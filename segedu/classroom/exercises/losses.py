"""The exercises of lesson 07: a region loss, focal loss, the metric itself, and where to cut probabilities for it."""

from segedu.classroom.exercises.best_mask import best_mask
from segedu.classroom.exercises.hard_pixels import focal_loss
from segedu.classroom.exercises.pooled_iou import mean_iou
from segedu.classroom.exercises.soft_dice import dice_loss

__all__ = ["best_mask", "dice_loss", "focal_loss", "mean_iou"]
