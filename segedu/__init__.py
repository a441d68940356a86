"""segedu: semantic segmentation, taught by implementations that are run, played with and measured.

Three floors, and imports only go down: *science* (models, layers, losses, metrics, receptive_field) knows no data and
no notebook, the *workshop* (data, train, predict, profile) knows science, the *classroom* (explorers, exercises,
claims) knows both.
"""

import torch

__version__ = "0.1.0"

__all__ = ["__version__", "device"]


def device() -> torch.device:
    """The fastest device of this machine: CUDA, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
