"""The hyper-parameters of a training run, checked once, and the schedule that they define."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import torch
from torch import nn

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """What makes a training run repeatable: every number that changes its result.

    Counts are in optimiser steps; ``batch_size`` is that of all processes together. ``validate_every`` and
    ``checkpoint_every`` of 0 mean: after the last step only. ``compile`` names a backend of ``torch.compile``
    (``"inductor"``). ``aux_weight`` multiplies the loss of every output whose name starts with ``aux``. ``workers`` are
    the processes that load samples; they, like ``checkpoint_every``, do not change what is learnt.

    Raises ``ValueError`` or ``TypeError`` at construction, naming the field.
    """

    steps: int = 1000
    batch_size: int = 8
    lr: float = 0.01
    optimizer: Literal["sgd", "adamw"] = "sgd"
    momentum: float = 0.9
    weight_decay: float = 1e-4
    power: float = 0.9
    warmup: int = 0
    clip_norm: float | None = None
    aux_weight: float = 0.4
    class_weights: tuple[float, ...] | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = False
    compile: str | None = None
    seed: int = 0
    validate_every: int = 0
    checkpoint_every: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size"):
            self._require(name, int, 1, math.inf)
        for name in ("warmup", "validate_every", "checkpoint_every", "workers"):
            self._require(name, int, 0, math.inf)
        self._require("seed", int, 0, 2**63)
        for name in ("weight_decay", "power", "aux_weight"):
            self._require(name, float, 0, math.inf)
        self._require("lr", float, 0, math.inf, above=True)
        self._require("momentum", float, 0, 1)
        if self.clip_norm is not None:
            self._require("clip_norm", float, 0, math.inf, above=True)
        self._choose("optimizer", "sgd", "adamw")
        self._choose("precision", "float32", "bfloat16")
        if self.warmup >= self.steps:
            raise ValueError(
                f"recipe: warmup is {self.warmup} and steps is {self.steps}; leave steps after the warm-up"
            )
        if not isinstance(self.channels_last, bool):
            raise TypeError(f"recipe: channels_last is {self.channels_last!r}; it must be True or False")
        if not isinstance(self.compile, str | None):
            raise TypeError(
                f'recipe: compile is {self.compile!r}; name a torch.compile backend ("inductor") or give None'
            )
        if self.class_weights is not None:
            object.__setattr__(self, "class_weights", _weights(self.class_weights))

    def learning_rate(self, step: int) -> float:
        """The rate of update ``step`` (0 is the first): a linear ramp of ``warmup`` steps, then the poly schedule.

        ``lr * (1 - t / T) ** power`` over the steps that follow the warm-up (DeepLab v2, section 4.3).
        """
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        left = 1 - (step - self.warmup) / (self.steps - self.warmup)
        return self.lr * math.pow(left, self.power)

    def make_optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser over ``parameters``, as one fused kernel per update where the device has it."""
        trained = list(parameters)
        if self.optimizer == "adamw":
            return torch.optim.AdamW(trained, lr=self.lr, weight_decay=self.weight_decay, fused=True)
        return torch.optim.SGD(trained, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay, fused=True)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON holds them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """The inverse of ``to_dict``; a name that is no field raises ``ValueError``."""
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(f"recipe has no field {name!r}; its fields are {', '.join(known)}")
        return cls(**values)

    def _require(self, name: str, kind: type, least: float, below: float, *, above: bool = False) -> None:
        value = getattr(self, name)
        accepted = (int, float) if kind is float else (int,)
        if isinstance(value, bool) or not isinstance(value, accepted):
            raise TypeError(f"recipe: {name} is {value!r}; it must be {'a number' if kind is float else 'an integer'}")
        if not (least < value if above else least <= value) or not value < below:
            bounds = f"{'above' if above else 'at least'} {least}" + (f" and below {below}" if below < math.inf else "")
            raise ValueError(f"recipe: {name} is {value}; it must be {bounds}")

    def _choose(self, name: str, *choices: str) -> None:
        if getattr(self, name) not in choices:
            raise ValueError(f"recipe: {name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")


def _weights(values: Iterable[float]) -> tuple[float, ...]:
    weights = tuple(float(value) for value in values)
    if not weights or min(weights) < 0 or not all(map(math.isfinite, weights)) or max(weights) == 0:
        raise ValueError(f"recipe: class_weights are {weights}; give one finite number >= 0 a class, not all zero")
    return weights
