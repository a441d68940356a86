"""The exercises of lesson 03: from a position to an offset, back by the offsets, and what a design has to keep."""

from segedu.classroom.exercises.kept import kept_bytes
from segedu.classroom.exercises.offset import window_offset
from segedu.classroom.exercises.unpooling import unpool

__all__ = ["kept_bytes", "unpool", "window_offset"]
