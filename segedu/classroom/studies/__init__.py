"""Experiments too long for a lesson: each is a module that a lesson runs a slice of, beside figures recorded whole.

    python -m segedu.classroom.studies.few_pictures        run it whole and record it anew

A record says when, on what and by which settings it was taken. A lesson computes its verdict from the record, and its
live slice shows that the same code still says the same.
"""

from segedu.classroom.studies.record import Record, load, save

__all__ = ["Record", "load", "save"]
