"""Pixels that belong to none of the classes: scores that tell them, read off logits or off features.

Every score is higher where a pixel looks less like those of training. `segedu.metrics.Ranking` measures how well one
ranks the pixels of unknown objects above all others.
"""

from segedu.ood.gaussians import Gaussians
from segedu.ood.mahalanobis import Mahalanobis
from segedu.ood.scores import OODScores, energy, entropy, max_logit, max_softmax, ood_scores

__all__ = ["Gaussians", "Mahalanobis", "OODScores", "energy", "entropy", "max_logit", "max_softmax", "ood_scores"]
