"""The rulebook: what a rule is given, where it is entered, and "unknown" for an operator that has none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from segedu.receptive_field.maps import Map, joined, unknown_map
from segedu.receptive_field.trace import Call

Result = Map | list[Map]


@dataclass(frozen=True)
class Given:
    """What a rule works with: the ``call``, the ``maps`` among its inputs, and the value of any other input."""

    call: Call
    maps: Mapping[Node, Result]
    constant: Callable[[Node], Tensor | None]

    def __getitem__(self, name: str) -> Any:
        return self.call.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The argument ``name``, or ``default`` where this operator has none."""
        return self.call.arguments.get(name, default)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.call.shape

    @property
    def operands(self) -> list[Map]:
        """Every map that goes in."""
        held = (self.maps[node] for node in self.call.inputs if node in self.maps)
        return [one for result in held for one in (result if isinstance(result, list) else [result])]

    @property
    def source(self) -> Map:
        """The one map that goes in; all of it unknown where the image reaches the operator by another way as well."""
        return self.first if len(self.operands) == 1 else unknown_map(self.operands[0].shape, self.call.op)

    @property
    def first(self) -> Map:
        """The map that goes in first, where another lends its shape alone; unknown where that is no map."""
        node = self.call.node.args[0]
        result = self.maps.get(node) if isinstance(node, Node) else None
        return result if isinstance(result, Map) else unknown_map(self.operands[0].shape, self.call.op)


Rule = Callable[[Given], Result]
RULES: dict[str, Rule] = {}


def apply(given: Given) -> Result:
    """What a call makes of the maps that it is given."""
    call = given.call
    known = RULES.get(call.op) or RULES.get(call.op.removesuffix("_"))
    if known is None and torch.Tag.pointwise in call.tags:
        known = pointwise
    return unknown_map(call.shape, call.op) if known is None else known(given)


def rule(*ops: str) -> Callable[[Rule], Rule]:
    """Make a function the rule of these operators."""

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(ops, function))
        return function

    return enter


def pointwise(given: Given) -> Result:
    """Cell by cell."""
    return joined(given.operands, given.shape)


def one_each(given: Given, one: Map) -> Result:
    """The same map as often as the operator has results."""
    values = given.call.node.meta["val"]
    return [replace(one, shape=tuple(value.shape)) for value in values] if isinstance(values, list | tuple) else one
