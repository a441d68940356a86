"""Exhibits: networks that are wrong on purpose, runnable, so that each of their faults can be pointed at and measured.

Nothing in the package builds on them. An exhibit says in its doc string where it is wrong, and names every fault.
"""
