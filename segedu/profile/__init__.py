"""What a model costs: parameters, multiply-adds, time and memory, each measured in its own way."""

from dataclasses import dataclass

import torch
from torch import nn

from segedu.inference import device_of, inference
from segedu.profile.counting import macs, parameters
from segedu.profile.memory import peak_memory, retained_bytes
from segedu.profile.optimize import Optimized, optimize_for_inference
from segedu.profile.timing import Latency, latency

__all__ = [
    "Latency",
    "Optimized",
    "Profile",
    "latency",
    "macs",
    "optimize_for_inference",
    "parameters",
    "peak_memory",
    "profile",
    "retained_bytes",
]


@dataclass(frozen=True)
class Profile:
    """One row of a cost table: ``print(Profile.heading())``, then ``print(row)`` for each model.

    ``peak_bytes`` is what inference allocates at its height, ``retained_bytes`` what one image's forward pass keeps
    for the backward pass; neither holds the parameters.
    """

    name: str
    size: tuple[int, int]
    parameters: int
    macs: int
    latency: Latency
    peak_bytes: int
    retained_bytes: int

    @staticmethod
    def heading() -> str:
        """The line above the rows."""
        return (
            f"{'model':<20}{'size':>11}{'parameters':>13}{'GMAC':>9}{'median ms':>11}{'p10 .. p90 ms':>18}"
            f"{'peak MiB':>10}{'kept MiB':>10}"
        )

    def __str__(self) -> str:
        time = self.latency
        return (
            f"{self.name:<20}{f'{self.size[0]}x{self.size[1]}':>11}{self.parameters:>13,}{self.macs / 1e9:>9.2f}"
            f"{time.median_ms:>11.1f}{f'{time.p10_ms:.1f} .. {time.p90_ms:.1f}':>18}"
            f"{self.peak_bytes / 2**20:>10.1f}{self.retained_bytes / 2**20:>10.1f}"
        )


def profile(
    model: nn.Module, size: tuple[int, int], *, name: str | None = None, threads: int | None = None, repeats: int = 10
) -> Profile:
    """Measure ``model`` where it lies on one ``(1, 3, H, W)`` image; ``name`` is the row's, else the model's class."""
    device = device_of(model)
    images = torch.zeros(1, 3, *size, device=device)

    def infer() -> None:
        with inference(model):
            model(images)

    return Profile(
        name=type(model).__name__ if name is None else name,
        size=size,
        parameters=parameters(model),
        macs=macs(model, size),
        latency=latency(model, size, threads=threads, repeats=repeats),
        peak_bytes=peak_memory(infer, device),
        retained_bytes=retained_bytes(model, images),
    )
